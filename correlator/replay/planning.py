"""Asking for a replay. What is refused is stored with its reason too, so that audits show it."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections import defaultdict
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

import jsonschema

from throughline.collector.auth import Principal, Scope
from throughline.correlator.replay.calls import idempotency_key, payload_digest
from throughline.correlator.replay.facts import MOST, Facts, FactsReader
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.policy import Case, decide, digest
from throughline.correlator.replay.preflight import BY_CALL, Check, Situation, preflight
from throughline.correlator.replay.records import Item, Replay, encoded, new_id
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store
    from throughline.correlator.replay.policy import Policy
    from throughline.correlator.replay.targets import Target, Targets

KINDS = (*sorted(BY_CALL), "fix_at_source", "dismiss")
MANY = 25
"""From so many items on, pre-flight says how far it reaches."""


class Refused(ThroughlineError):
    """The replay can't be done; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants: exceptions by id, or all open ones of a cause."""

    kind: str
    reason: str
    exceptions: tuple[str, ...] = ()
    fingerprint: str = ""
    target: str = ""
    payload: str = ""
    expected: str = ""
    override: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A replay with its items, how far it reaches, and what an edit changes (a unified diff, or empty)."""

    replay: Replay
    items: tuple[Item, ...]
    journeys: int
    amounts: dict[str, Decimal]
    entities: tuple[str, ...]
    diff: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says: where replays may go, and who must approve them."""

    targets: Targets
    policy: Policy


class Planner:
    """Asks and decides for one person at one clock reading."""

    def __init__(
        self, store: Store, control: ControlStore, rules: Rules, *, who: Principal, now: datetime
    ) -> None:
        self._store = store
        self._ledger = Ledger(control)
        self._targets = rules.targets
        self._policy = rules.policy
        self._who = who
        self._now = now

    def plan(self, asked: Asked, *, dry_run: bool, broken: str = "") -> Plan:
        """Look what a replay would do and, unless it is a dry run, store it. Raises: Refused."""
        replay = self._new(asked)
        try:
            target = self._check(asked)
            facts = self._facts(asked)
            payload = self._edited(asked, facts, target)
            plan = self._planned(replay, target, facts, payload, broken)
        except Refused as error:
            if not dry_run:
                refused = dataclasses.replace(replay, state="refused", note=str(error))
                self._ledger.add(refused, [], actor=self._who.name)
            raise
        if dry_run:
            return plan
        kept = self._ledger.add(plan.replay, plan.items, actor=self._who.name)
        return dataclasses.replace(plan, items=tuple(kept))

    def _new(self, asked: Asked) -> Replay:
        return Replay(
            self._who.tenant, new_id(), asked.kind, asked.target, asked.reason, asked.expected,
            self._who.name, self._now, "running", override=asked.override,
        )  # fmt: skip

    def _check(self, asked: Asked) -> Target | None:
        """What is wrong whatever the exceptions are. Raises: Refused."""
        if asked.kind not in KINDS:
            raise Refused(f"There is no kind '{asked.kind}'; known are {', '.join(KINDS)}.")
        if bool(asked.exceptions) == bool(asked.fingerprint):
            raise Refused("Name either exceptions or a fingerprint.")
        if asked.override and Scope.APPROVE not in self._who.scopes:
            raise Refused("Going on in spite of red checks needs the scope approve.")
        if asked.kind not in BY_CALL:
            if asked.target:
                raise Refused(f"To {asked.kind.replace('_', ' ')} there is no target to call.")
            return None
        target = self._targets.by_id(asked.target)
        if target is None:
            known = ", ".join(one.id for one in self._targets.targets) or "none; write targets.yaml"
            raise Refused(f"There is no target '{asked.target}'; known are {known}.")
        return target

    def _facts(self, asked: Asked) -> list[Facts]:
        reader = FactsReader(self._store, self._who.tenant, self._now)
        if asked.fingerprint:
            facts = reader.by_fingerprint(asked.fingerprint)
            if not facts:
                raise Refused(f"No exception with the fingerprint {asked.fingerprint} is open.")
            return facts
        if len(asked.exceptions) > MOST:
            raise Refused(f"{MOST:,} exceptions at most; these are {len(asked.exceptions):,}.")
        facts = reader.by_id(asked.exceptions)
        missing = sorted(set(asked.exceptions) - {one.id for one in facts})
        if missing:
            raise Refused(f"There is no exception {', '.join(missing[:5])}.")
        return facts

    def _edited(self, asked: Asked, facts: Sequence[Facts], target: Target | None) -> str:
        """The payload of a repair, as it would be sent. Raises: Refused."""
        if asked.kind != "repair":
            if asked.payload:
                raise Refused("Only a repair sends a payload of its own.")
            return ""
        if len(facts) != 1:
            raise Refused("A repair is for one exception: its payload is its own.")
        original = facts[0].failure.payload
        try:
            content = json.loads(asked.payload)
        except ValueError as error:
            if (target and target.schema_) or _is_json(original):
                raise Refused(f"The payload is no JSON: {error}.") from error
            return asked.payload
        if target is not None and target.schema_ is not None:
            found = next(iter(jsonschema.Draft202012Validator(target.schema_).iter_errors(content)), None)
            if found is not None:
                place = "/".join(map(str, found.absolute_path)) or "the payload"
                raise Refused(f"{place}: {found.message}.")
        return asked.payload

    def _planned(
        self, replay: Replay, target: Target | None, facts: Sequence[Facts], payload: str, broken: str
    ) -> Plan:
        """What it would do, item by item, and who must approve it."""
        items = self._items(replay, target, facts, payload, broken)
        going = {item.exception for item in items if item.state == "planned"}
        reached = [one for one in facts if one.id in going]
        entities = tuple(sorted({one.entity for one in reached if one.entity}))
        amounts: dict[str, Decimal] = defaultdict(Decimal)
        for one in reached:
            if one.amount is not None:
                amounts[one.currency] += one.amount
        case = Case(
            kind=replay.kind,
            target=replay.target,
            finance=bool(target and target.finance),
            items=len(going),
            entities=entities,
            largest_amount=max((abs(one.amount) for one in reached if one.amount), default=Decimal(0)),
        )
        rule = decide(self._policy, case)
        if not going:
            note = "Nothing is left to send: every item is refused."
            replay = dataclasses.replace(replay, state="refused", note=note)
        elif replay.kind in BY_CALL and rule.need != "none":
            items = [
                dataclasses.replace(one, state="awaiting_approval") if one.state == "planned" else one
                for one in items
            ]
            replay = dataclasses.replace(
                replay,
                state="awaiting_approval",
                need=rule.need,
                expires_at=self._now + rule.expires,
                digest=digest_of(replay, target, items),
            )
        return Plan(
            replay,
            tuple(items),
            len({journey for one in reached for journey in one.journeys}),
            dict(amounts),
            entities,
            _diff(facts[0].failure.payload, payload) if replay.kind == "repair" else "",
        )

    def _items(
        self, replay: Replay, target: Target | None, facts: Sequence[Facts], payload: str, broken: str
    ) -> list[Item]:
        stored = replay.kind == "resubmit"
        payloads = {one.id: payload or (one.failure.payload if stored else "") for one in facts}
        keys = {one.id: idempotency_key(replay.tenant, one, replay.kind, payloads[one.id]) for one in facts}
        in_hand = self._ledger.in_hand(replay.tenant, [one.id for one in facts])
        sent = self._ledger.sent_before(replay.tenant, list(keys.values()))
        reach = _reach(facts)
        found = []
        for number, one in enumerate(facts, 1):
            before = sent.get(keys[one.id])
            situation = Situation(
                kind=replay.kind,
                target=target,
                payload=payloads[one.id],
                now=self._now,
                in_hand=in_hand.get(one.id, ""),
                sent_before=f"{before:%Y-%m-%d %H:%M} UTC" if before else "",
                seconds=len(facts) / float(target.per_second) if target else 0.0,
                broken=broken,
            )
            checks = [*preflight(one, situation), *reach]
            found.append(
                _item(replay, number, one, payload=payloads[one.id], key=keys[one.id], checks=checks)
            )
        return found


def digest_of(replay: Replay, target: Target | None, items: Sequence[Item]) -> str:
    """What an approval is bound to: the target as it is written now, and every payload that waits."""
    written = sha256((target.model_dump_json() if target else "").encode()).hexdigest()
    waiting = [(one.exception, one.payload_digest) for one in items if one.state == "awaiting_approval"]
    return digest(replay.kind, f"{replay.target} {written}", waiting)


def _item(
    replay: Replay, number: int, facts: Facts, *, payload: str, key: str, checks: Sequence[Check]
) -> Item:
    red = [check.reason for check in checks if check.result == "red"] if not replay.override else []
    return Item(
        tenant=replay.tenant,
        replay=replay.id,
        item=number,
        exception=facts.id,
        process=facts.process,
        fingerprint=facts.fingerprint,
        subject=str(facts.subject),
        event="" if facts.is_check else facts.event,
        payload=payload,
        payload_digest=payload_digest(payload),
        idempotency_key=key,
        preflight=encoded(checks),
        state="refused" if red else "planned",
        active=not red,
        note=" ".join(red),
    )


def _reach(facts: Sequence[Facts]) -> list[Check]:
    """How far a replay of many reaches."""
    if len(facts) < MANY:
        return []
    journeys = len({journey for one in facts for journey in one.journeys})
    entities = sorted({one.entity for one in facts if one.entity})
    named = f" of {', '.join(entities[:5])}" if entities else ""
    return [
        Check(
            "blast_radius", "amber", f"It touches {len(facts):,} exceptions on {journeys:,} journeys{named}."
        )
    ]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _diff(before: str, after: str) -> str:
    """What an edit changes, line by line; JSON is laid out first."""
    sides = []
    for text in (before, after):
        try:
            sides.append(json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines())
        except ValueError:
            sides.append(text.splitlines())
    old, new = sides
    return "\n".join(difflib.unified_diff(old, new, "as it failed", "as it would be sent", lineterm=""))
