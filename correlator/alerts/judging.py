"""From what a rule's SELECT returned to how its alerts change: pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from throughline.collector.alert_store import Change, RuleRecord, StoredAlert
from throughline.correlator.alerts.asking import Answer, Failure, Sample
from throughline.correlator.alerts.states import Standing, Step, Timing, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from throughline.correlator.alerts.rule_files import Ready
    from throughline.correlator.alerts.states import State

SLOW_BEFORE = 3
"""Evaluations in a row that may take too long; the last of them puts the rule in quarantine."""
QUARANTINE = timedelta(hours=1)
"""After that a rule is tried once more; a changed rule at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """How the alerts of one rule change, and how the rule fared."""

    changes: tuple[Change, ...]
    record: RuleRecord


def quarantined(ready: Ready, record: RuleRecord | None, now: datetime) -> bool:
    """Whether a rule is not to be evaluated now."""
    return (
        record is not None
        and record.quarantined_at is not None
        and record.definition == ready.definition
        and now - record.quarantined_at < QUARANTINE
    )


def judge(
    ready: Ready,
    answer: Answer | None,
    known: Iterable[StoredAlert],
    record: RuleRecord | None,
    *,
    held: str,
    now: datetime,
) -> Judged:
    """Evaluate one rule at `now`. `answer` is None while it is in quarantine; `known` are its alerts."""
    before = record if record is not None and record.definition == ready.definition else None
    if answer is None and before is not None:
        return Judged((), dataclasses.replace(before, evaluated_at=now, held=""))
    result = answer.result if answer is not None else ()
    present: Mapping[str, tuple[dict[str, str], float | None]] | None
    failure = result if isinstance(result, Failure) else None
    if isinstance(result, Failure):
        present = _present(ready, (Sample({}, None),)) if ready.rule.on_error == "alerting" else None
    elif result:
        present = _present(ready, result)
        if present is None:
            failure = Failure("cardinality", "it returned two rows with the same labels")
    elif ready.rule.no_data == "ok":
        present = {}
    else:
        present = _present(ready, (Sample({}, None),)) if ready.rule.no_data == "alerting" else None
    seconds = answer.seconds if answer is not None else 0.0
    series = 0 if isinstance(result, Failure) else len(result)
    fared = _fared(ready, before, failure, now)
    fared = dataclasses.replace(fared, seconds=round(seconds, 6), series=series, held=held)
    changes = () if fared.quarantined_at else tuple(_changes(ready, present, known, held, now))
    return Judged(changes, fared)


def ended(alert: StoredAlert, now: datetime, reason: str) -> Change | None:
    """The end of an alert whose rule is no longer there."""
    if alert.state not in {"pending", "firing"}:
        return None
    state = "resolved" if alert.state == "firing" else "inactive"
    after = dataclasses.replace(
        alert, state=state, resolved_at=now, held="", revision=alert.revision + 1, evaluated_at=now
    )
    return Change(after, alert.revision, alert.state, reason)


def fingerprint(labels: Mapping[str, str]) -> str:
    """Names an alert by its labels: the same labels, the same alert."""
    text = json.dumps(dict(labels), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fared(ready: Ready, before: RuleRecord | None, failure: Failure | None, now: datetime) -> RuleRecord:
    fresh = RuleRecord(ready.key, ready.group, ready.definition, now, 0.0, 0)
    if failure is None:
        return fresh
    slow = (before.slow if before else 0) + 1 if failure.kind == "slow" else 0
    tried_again = before is not None and before.quarantined_at is not None and failure.kind != "error"
    bad = failure.kind == "cardinality" or slow >= SLOW_BEFORE or tried_again
    return dataclasses.replace(
        fresh,
        error=failure.text,
        failures=(before.failures if before else 0) + 1,
        slow=slow,
        quarantined_at=now if bad else None,
        quarantine=failure.text if bad else "",
    )


def _present(
    ready: Ready, samples: Sequence[Sample]
) -> dict[str, tuple[dict[str, str], float | None]] | None:
    """Labels and value by fingerprint; None if two have the same labels."""
    found: dict[str, tuple[dict[str, str], float | None]] = {}
    for one in samples:
        added = {name: text.render(one.labels, one.value) for name, text in ready.labels.items()}
        merged = {**one.labels, **added, "alertname": ready.rule.alert}
        labels = {name: text for name, text in merged.items() if text}
        key = fingerprint(labels)
        if key in found:
            return None
        found[key] = (labels, one.value)
    return found


def _changes(
    ready: Ready,
    present: Mapping[str, tuple[dict[str, str], float | None]] | None,
    known: Iterable[StoredAlert],
    held: str,
    now: datetime,
) -> Iterator[Change]:
    stored = {one.fingerprint: one for one in known}
    timing = Timing(ready.rule.for_, ready.rule.keep_firing_for)
    for key in sorted({*stored, *(present or ())}):
        before = stored.get(key)
        seen = None if present is None else key in present
        moved = step(timing, _standing(before), present=seen, held=held, now=now)
        labels, value = (present or {}).get(key) or (before.labels if before else {}, None)
        if seen is not True and before is not None:
            value = before.value
        annotations = (
            {name: text.render(labels, value) for name, text in ready.annotations.items()}
            if seen or before is None
            else before.annotations
        )
        if moved is None:
            if not seen or before is None or (before.value, before.annotations) == (value, annotations):
                continue
            moved = Step(_standing(before) or Standing("inactive", now))
        yield _change(ready, key, before, moved, shown=(labels, annotations, value), now=now)


def _change(
    ready: Ready,
    key: str,
    before: StoredAlert | None,
    moved: Step,
    *,
    shown: tuple[dict[str, str], dict[str, str], float | None],
    now: datetime,
) -> Change:
    labels, annotations, value = shown
    revision = before.revision if before else 0
    after = StoredAlert(
        rule=ready.key,
        fingerprint=key,
        group_name=ready.group,
        alert=ready.rule.alert,
        labels=labels,
        annotations=annotations,
        value=value,
        revision=revision + 1,
        evaluated_at=now,
        **{field.name: getattr(moved.after, field.name) for field in dataclasses.fields(Standing)},
    )
    return Change(after, revision, before.state if before else "inactive", moved.reason)


def _standing(alert: StoredAlert | None) -> Standing | None:
    if alert is None:
        return None
    return Standing(
        cast("State", alert.state),
        alert.active_at,
        alert.fired_at,
        alert.gone_at,
        alert.resolved_at,
        alert.held,
    )
