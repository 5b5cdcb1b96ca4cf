"""What rules would have done over a stored period: the evaluation's own code, with the times of the past.

`ask` and `judge` are those of the live evaluation; only the clock and the SELECTs that stand for views
differ. Nothing is stored. An alert that fired before the period begins anew with it.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from throughline.correlator.alerts.asking import Failure, Limits, ask, rows
from throughline.correlator.alerts.behind import journeys_sql
from throughline.correlator.alerts.history import AS_KNOWN_NOW, History
from throughline.correlator.alerts.judging import judge
from throughline.correlator.alerts.states import due
from throughline.correlator.alerts.thresholds import Suggestion, Threshold, suggest, threshold_of
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from throughline.collector.alert_store import RuleRecord, StoredAlert
    from throughline.collector.store import Store
    from throughline.correlator.alerts.asking import Answer
    from throughline.correlator.alerts.rule_files import Ready, ReadyGroup

MOST_STEPS = 2_000
"""Evaluations of one rule; a longer period is evaluated at greater distances, unless a step is given."""
MOST_JOURNEYS = 10_000
MOST_FAILURES = 3
_WEEK = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """One transition that would have been."""

    rule: str
    fingerprint: str
    labels: dict[str, str]
    value: float | None
    old: str
    new: str
    at: datetime
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Quality:
    """The journeys behind what fired, against those that turned out badly within the period."""

    flagged: int
    bad: int
    both: int
    lead_seconds: float | None
    """Median, of those that were flagged and turned out badly: above 0, the alert came first."""

    @property
    def precision(self) -> float | None:
        """Of the flagged, the share that turned out badly."""
        return round(self.both / self.flagged, 4) if self.flagged else None

    @property
    def recall(self) -> float | None:
        """Of those that turned out badly, the share that was flagged."""
        return round(self.both / self.bad, 4) if self.bad else None


@dataclasses.dataclass(frozen=True, slots=True)
class RuleReport:
    """How one rule would have fared. `known_now` names what it reads that is not told as it stood then."""

    rule: str
    alert: str
    step: timedelta
    evaluations: int
    turns: tuple[Turn, ...]
    fired: int
    per_week: float
    flagged: tuple[tuple[str, str, datetime], ...]
    quality: Quality | None
    known_now: tuple[str, ...]
    suggestion: Suggestion | None
    error: str = ""


def backtest(
    store: Store,
    tenant: str,
    groups: Sequence[ReadyGroup],
    *,
    since: datetime,
    until: datetime,
    owner: str,
    step: timedelta | None = None,
    most: int = MOST_STEPS,
    pages_per_week: float = 5.0,
    limits: Limits | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[RuleReport]:
    """Evaluate rules at the times of the past. Raises: StoreError: the store cannot be read."""
    history = History(store, tenant, owner)
    found = []
    with history.read(until) as sources:
        bad = history.bad(since, until)
        for group in groups:
            times = moments(since, until, group.interval, step, most)
            for ready in group.rules:
                report(f"{ready.key}: {len(times):,} evaluations")
                run = _Run(store, tenant, ready, sources, limits or Limits())
                found.append(run.through(times, bad, pages_per_week))
    return found


def moments(
    since: datetime, until: datetime, interval: timedelta, step: timedelta | None, most: int
) -> list[datetime]:
    """The times of evaluation behind `since` up to `until`: multiples of the group's interval."""
    count = max(int((until - since) / interval), 1)
    every = step or interval * max(-(-count // most), 1)
    first = due(since, every) + every
    return [first + every * number for number in range(max(int((until - first) / every) + 1, 0))]


@dataclasses.dataclass
class _Run:
    """One rule through all times."""

    store: Store
    tenant: str
    ready: Ready
    sources: Mapping[str, str]
    limits: Limits

    def __post_init__(self) -> None:
        self._alerts: dict[str, StoredAlert] = {}
        self._record: RuleRecord | None = None
        self._flagged: dict[tuple[str, str], datetime] = {}
        self._series: list[dict[str, float]] = []
        self._threshold: Threshold | None = threshold_of(self.ready)

    def through(
        self, times: Sequence[datetime], bad: Mapping[tuple[str, str], datetime], pages: float
    ) -> RuleReport:
        """Evaluate it at each time."""
        turns: list[Turn] = []
        error, failures = "", 0
        for at in times:
            answer = self._asked(at)
            if isinstance(answer.result, Failure):
                failures, error = failures + 1, answer.result.text
                if failures >= MOST_FAILURES:
                    break
            turns += self._judged(answer, at)
        step = times[1] - times[0] if len(times) > 1 else timedelta()
        weeks = max((times[-1] - times[0] + step) / _WEEK, 1e-9) if times else 1.0
        fired = sum(one.new == "firing" for one in turns)
        suggestion = None
        if self._threshold is not None and not error:
            suggestion = suggest(self._threshold, self._series, times, weeks=weeks, pages_per_week=pages)
        return RuleReport(
            rule=self.ready.key,
            alert=self.ready.rule.alert,
            step=step,
            evaluations=len(times),
            turns=tuple(turns),
            fired=fired,
            per_week=round(fired / weeks, 2),
            flagged=tuple((*key, at) for key, at in self._flagged.items()),
            quality=_quality(self._flagged, bad) if self._flagged else None,
            known_now=tuple(sorted(set(AS_KNOWN_NOW) & self.ready.expression.tables)),
            suggestion=suggestion,
            error=error,
        )

    def _asked(self, at: datetime) -> Answer:
        """The answer at one time; all series with a value are kept for the suggestion."""
        if self._threshold is not None:
            loose = ask(
                self.store,
                self.tenant,
                self._threshold.loosened,
                at,
                limits=self.limits,
                sources=self.sources,
            )
            if not isinstance(loose.result, Failure):
                kept = tuple(one for one in loose.result if self._threshold.holds(one.value))
                self._series.append(
                    {
                        str(sorted(one.labels.items())): one.value
                        for one in loose.result
                        if one.value is not None
                    }
                )
                return dataclasses.replace(loose, result=kept)
            self._threshold = None  # too many series without it
        return ask(self.store, self.tenant, self.ready, at, limits=self.limits, sources=self.sources)

    def _judged(self, answer: Answer, at: datetime) -> Iterator[Turn]:
        judged = judge(self.ready, answer, self._alerts.values(), self._record, held="", now=at)
        self._record = judged.record
        for one in judged.changes:
            after = one.alert
            self._alerts[after.fingerprint] = after
            if one.reason and one.old != after.state:
                yield Turn(
                    self.ready.key, after.fingerprint, after.labels, after.value, one.old, after.state, at,
                    one.reason,
                )  # fmt: skip
                if after.state == "firing":
                    self._flag(after.labels, at)

    def _flag(self, labels: Mapping[str, str], at: datetime) -> None:
        """Note the journeys behind what begins to fire."""
        if self.ready.objective is not None:
            return
        sql = journeys_sql(self.ready.rule.expr, labels, frozenset(self.ready.rule.labels))
        if sql is None:
            return
        try:
            found = rows(
                self.store, self.tenant, sql, at, most=MOST_JOURNEYS, limits=self.limits, sources=self.sources
            )
        except StoreError:
            return  # what stands behind it is too much to be listed; when it fired is known all the same
        for one in found:
            self._flagged.setdefault((str(one["process"]), str(one["journey"])), at)


def _quality(flagged: Mapping[tuple[str, str], datetime], bad: Mapping[tuple[str, str], datetime]) -> Quality:
    both = [(bad[one] - at).total_seconds() for one, at in flagged.items() if one in bad]
    return Quality(len(flagged), len(bad), len(both), median(both) if both else None)


def plain(one: RuleReport) -> dict[str, object]:
    """A report as the API gives it."""
    quality = one.quality
    return {
        "rule": one.rule,
        "alert": one.alert,
        "step_seconds": one.step.total_seconds(),
        "evaluations": one.evaluations,
        "fired": one.fired,
        "per_week": one.per_week,
        "transitions": [dataclasses.asdict(turn) for turn in one.turns],
        "journeys": [
            {"process": process, "journey": journey, "flagged_at": at.astimezone(UTC)}
            for process, journey, at in one.flagged
        ],
        "quality": None if quality is None else {
            "flagged": quality.flagged, "turned_out_badly": quality.bad, "both": quality.both,
            "precision": quality.precision, "recall": quality.recall, "lead_seconds": quality.lead_seconds,
        },
        "as_known_now": list(one.known_now),
        "suggestion": dataclasses.asdict(one.suggestion) if one.suggestion else None,
        "error": one.error,
    }  # fmt: skip
