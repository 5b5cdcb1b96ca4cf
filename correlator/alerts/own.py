"""The alerts that the evaluator has about itself: they need no SELECT."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from throughline.correlator.alerts.asking import Sample
from throughline.correlator.alerts.rule import MOST_SERIES, Rule
from throughline.correlator.alerts.rule_files import Ready, ReadyGroup
from throughline.correlator.alerts.runbook import link

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from throughline.collector.alert_store import RuleRecord

GROUP = "throughline"
WATCHDOG, QUARANTINED, FAILING, MISSED = "Watchdog", "RuleQuarantined", "RuleFailing", "EvaluationMissed"
_RUNBOOK = link("rules-fail")
_MADE_BY = "throughline"


def _rule(alert: str, label: str, severity: str, summary: str, wait: timedelta = timedelta()) -> Ready:
    columns = f"'' AS {label}, '' AS reason, " if label else ""
    rule = Rule.model_validate(
        {
            "alert": alert,
            "expr": f"SELECT {columns}1 AS value",
            "for": wait,
            "labels": {"severity": severity},
            "annotations": {"summary": summary, "runbook_url": _RUNBOOK},
            "hold": False,
        }
    )
    return Ready(f"{GROUP}/{alert}", GROUP, rule, MOST_SERIES * 10, _MADE_BY, 1)


RULES = (
    _rule(WATCHDOG, "", "none", "Alerts are evaluated. This always fires; if it stops, nobody watches."),
    _rule(
        QUARANTINED,
        "rule",
        "ticket",
        "{{ $labels.rule }} is not evaluated: what it does is told by GET /api/v1/rules",
    ),
    _rule(
        FAILING,
        "rule",
        "ticket",
        "{{ $labels.rule }} failed {{ $value }} times in a row",
        timedelta(minutes=5),
    ),
    _rule(
        MISSED,
        "rule_group",
        "ticket",
        "{{ $labels.rule_group }} is evaluated less often than its interval says",
        timedelta(minutes=5),
    ),
)
OWN = ReadyGroup(GROUP, timedelta(minutes=1), RULES, _MADE_BY)


def samples(records: Iterable[RuleRecord], missed: Mapping[str, int]) -> Mapping[str, tuple[Sample, ...]]:
    """What each of the own rules sees, by its key. `missed` are the groups that missed times just now."""
    known = tuple(records)
    return {
        f"{GROUP}/{WATCHDOG}": (Sample({}, 1.0),),
        f"{GROUP}/{QUARANTINED}": tuple(
            Sample({"rule": one.rule}, 1.0) for one in known if one.quarantined_at is not None
        ),
        f"{GROUP}/{FAILING}": tuple(
            Sample({"rule": one.rule}, float(one.failures))
            for one in known
            if one.failures and one.quarantined_at is None
        ),
        f"{GROUP}/{MISSED}": tuple(
            Sample({"rule_group": name}, float(count)) for name, count in missed.items() if count
        ),
    }
