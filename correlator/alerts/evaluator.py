"""Evaluates the rules of one tenant: asks the store, steps the state machine, stores transitions.

1. Groups that are due: their interval's last multiple is later than their last evaluation. Times that were
   missed are counted, never made up for: old alerts would be news.
2. What cannot be known now (`blind`).
3. Each view that several rules read is copied once; the rules' SELECTs run a few at a time.
4. Each group is stored in one transaction, conditional on what it began from; then its transitions are
   copied to ClickHouse.
5. Last, the evaluator's own alerts: rules in quarantine, rules that fail, times that were missed, Watchdog.

A process that dies anywhere leaves whole groups: those stored count, the others are evaluated again at the
same time with the same answer, or at the next.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from throughline.collector.alert_store import AlertStore, GroupRecord, StaleEvaluation
from throughline.correlator.alerts.asking import Answer, Limits, ask
from throughline.correlator.alerts.blind import Blind, look
from throughline.correlator.alerts.copies import Copies
from throughline.correlator.alerts.judging import ended, judge, quarantined
from throughline.correlator.alerts.own import GROUP, OWN, samples
from throughline.correlator.alerts.states import due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from throughline.collector.alert_store import Change, RuleRecord, StoredAlert
    from throughline.collector.control import Lease
    from throughline.collector.store import Store
    from throughline.correlator.alerts.rule_files import ReadyGroup

AT_ONCE = 2
"""SELECTs that run at a time: as many as the role has clients."""


def _go_on(_step: str) -> None:
    """Do nothing between two steps."""


@dataclass(frozen=True, slots=True)
class GroupReport:
    """What one evaluation of a group came to. `seconds` is the time of its SELECTs."""

    group: str
    at: datetime
    seconds: float
    rules: int
    failures: int
    held: int
    missed: int
    transitions: int


@dataclass(frozen=True, slots=True)
class Due:
    """A group, when it is evaluated, and how many of its times were missed since the last."""

    group: ReadyGroup
    at: datetime
    missed: int
    before: GroupRecord | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What an evaluation begins from."""

    blind: Blind
    known: Mapping[str, list[StoredAlert]]
    records: Mapping[str, RuleRecord]


@dataclass
class Evaluator:
    """One per engine; `evaluate` is called by one thread at a time. `owner` names its copies of views."""

    store: Store
    alerts: AlertStore
    owner: str
    limits: Limits = field(default_factory=Limits)
    checkpoint: Callable[[str], None] = _go_on
    """Called between any two steps; a test ends the process there."""

    def __post_init__(self) -> None:
        self._copies = Copies(self.store, self.owner, self.limits)

    def evaluate(
        self,
        tenant: str,
        groups: Sequence[ReadyGroup],
        now: datetime,
        *,
        lease: Lease | None = None,
        spooled_since: datetime | None = None,
    ) -> list[GroupReport]:
        """Evaluate what is due at `now`, and store it.

        Raises:
            LeaseLost: another evaluator has taken over.
            StoreError, ControlError: the next call goes on where this one ended.
        """
        wanted = self._due(tenant, [*groups, OWN], now)
        if not wanted:
            return []
        blind = look(self.store, tenant, now, spooled_since=spooled_since)
        known: defaultdict[str, list[StoredAlert]] = defaultdict(list)
        for alert in self.alerts.alerts(tenant):
            known[alert.rule].append(alert)
        seen = Seen(blind, known, self.alerts.rules(tenant))
        self.checkpoint("read")
        reports = []
        theirs = [one for one in wanted if one.group.name != GROUP]
        for at in sorted({one.at for one in theirs}):
            then = [one for one in theirs if one.at == at]
            answers = self._asked(tenant, then, seen.records)
            self.checkpoint("asked")
            reports += [self._stored(tenant, one, answers, seen, lease=lease) for one in then]
        own = [one for one in wanted if one.group.name == GROUP]
        for one in own:
            missed = {other.group.name: other.missed for other in theirs}
            present = {rule.key for group in groups for rule in group.rules}
            answers = _own_answers(tenant, self.alerts, present, missed)
            gone = _gone(known, {*present, *(rule.key for rule in OWN.rules)}, one.at)
            reports.append(self._stored(tenant, one, answers, seen, lease=lease, more=gone))
            self.alerts.forget(tenant, [*present, *(rule.key for rule in OWN.rules)], one.at)
        self._copy()
        return [one for one in reports if one is not None]

    def _due(self, tenant: str, groups: Sequence[ReadyGroup], now: datetime) -> list[Due]:
        stored = self.alerts.groups(tenant)
        found = []
        for group in groups:
            at, before = due(now, group.interval), stored.get(group.name)
            if before is None:
                found.append(Due(group, at, 0, None))
            elif at > before.evaluated_at:
                missed = max((at - before.evaluated_at) // group.interval - 1, 0)
                found.append(Due(group, at, missed, before))
        return found

    def _asked(
        self, tenant: str, wanted: Sequence[Due], records: Mapping[str, RuleRecord]
    ) -> Mapping[str, Answer]:
        """The answers of all rules that are not in quarantine, by their keys."""
        at = wanted[0].at
        rules = [rule for one in wanted for rule in one.group.rules]
        asked = [rule for rule in rules if not quarantined(rule, records.get(rule.key), at)]
        with self._copies.shared(tenant, asked, at) as shared, ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(
                lambda one: ask(self.store, tenant, one, at, limits=self.limits, sources=shared.of(one)),
                asked,
            )
            return {rule.key: answer for rule, answer in zip(asked, answers, strict=True)}

    def _stored(
        self,
        tenant: str,
        wanted: Due,
        answers: Mapping[str, Answer],
        seen: Seen,
        *,
        lease: Lease | None,
        more: Iterable[Change] = (),
    ) -> GroupReport | None:
        """Store one group; None if somebody else has."""
        judged = [
            judge(
                rule,
                answers.get(rule.key),
                seen.known.get(rule.key, ()),
                seen.records.get(rule.key),
                held=seen.blind.of(rule),
                now=wanted.at,
            )
            for rule in wanted.group.rules
        ]
        missed = wanted.missed + (wanted.before.missed if wanted.before else 0)
        record = GroupRecord(wanted.group.name, wanted.at, missed)
        changes = [*more, *(change for one in judged for change in one.changes)]
        fared = [one.record for one in judged]
        self.checkpoint("judged")
        try:
            made = self.alerts.commit(tenant, record, changes, fared, lease=lease)
        except StaleEvaluation:
            return None
        self.checkpoint("stored")
        seconds = sum(one.seconds for one in fared)
        failures = sum(1 for one in fared if one.failures)
        held = sum(1 for one in fared if one.held)
        return GroupReport(
            wanted.group.name, wanted.at, seconds, len(fared), failures, held, wanted.missed, made
        )

    def _copy(self) -> None:
        """Bring transitions to ClickHouse; a copy that dies is made again and merges with itself."""
        while self.alerts.copy(self.store, self.checkpoint):
            pass


def _own_answers(
    tenant: str, alerts: AlertStore, present: set[str], missed: Mapping[str, int]
) -> Mapping[str, Answer]:
    records = [one for one in alerts.rules(tenant).values() if one.rule in present]
    return {key: Answer(found, 0.0) for key, found in samples(records, missed).items()}


def _gone(known: Mapping[str, list[StoredAlert]], present: set[str], now: datetime) -> list[Change]:
    """The ends of alerts whose rules were taken away."""
    lost = [one for rule, alerts in known.items() if rule not in present for one in alerts]
    made = [ended(one, now, "its rule was taken away") for one in lost]
    return [one for one in made if one is not None]
