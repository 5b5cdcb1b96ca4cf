"""`throughline backtest rules FILE`: what alert rules would have done. The engine does it, as a job."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from throughline.correlator.alerts.backtest import backtest, plain
from throughline.correlator.alerts.rule_files import SHIPPED, calendars_of, parse_rules
from throughline.dashboards.api.json import dumps
from throughline.dashboards.clock import utc_now
from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.questions import moment
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from throughline.collector.store import Store

KIND = "backtest rules"
"""The kind of job; its payload has the text of the rules, and the period."""
_SHOWN = 20


def backtested(
    file: Path, tenant: str, *, since: str, until: str | None, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Evaluate the rules of a file, or of a shipped one by its name, over a stored period.

    Raises: ThroughlineError.
    """
    from throughline.dashboards.asking import engine_at_work, results  # which imports the engine's own jobs

    settings = EngineSettings.load()
    shipped = SHIPPED / file.name
    path = shipped if not file.exists() and shipped.exists() else file
    parse_rules(path, calendars=calendars_of(settings.config))
    now = utc_now()
    end = moment(until, now) if until else now
    begin = moment(since, end)
    if begin >= end:
        raise ConfigurationError(f"Nothing lies between {since} and {until or 'now'}: begin earlier.")
    payload = {
        "text": path.read_text(encoding="utf-8"),
        "since": begin.isoformat(),
        "until": end.isoformat(),
        "config": str(settings.config.resolve()) if settings.config else "",
    }
    with engine_at_work(settings) as control:
        asked = control.enqueue_job(KIND, tenant, "", now, payload=json.dumps(payload))
        (result,) = results(control, [asked], report)
    found: list[dict[str, Any]] = json.loads(result)
    return found


def answer(store: Store, tenant: str, payload: str) -> str:
    """Do the job; returns its result. Raises: InvalidRules, StoreError."""
    asked = json.loads(payload)
    rules = parse_rules(
        asked["text"], calendars=calendars_of(Path(asked["config"]) if asked["config"] else None)
    )
    since, until = datetime.fromisoformat(asked["since"]), datetime.fromisoformat(asked["until"])
    found = backtest(store, tenant, rules.groups, since=since, until=until, owner=uuid4().hex)
    return dumps([plain(one) for one in found])


def lines(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What was found, for people."""
    for one in found:
        yield f"{one['rule']}: fired {one['fired']} times, {one['per_week']:g} a week"
        yield f"  {one['evaluations']} evaluations, every {one['step_seconds']:g} s; by what is known now"
        if one["as_known_now"]:
            yield f"  {', '.join(one['as_known_now'])}: not as they stood, but as known now"
        if one["error"]:
            yield f"  failed: {one['error']}"
        if one["quality"]:
            yield f"  {_quality(one['quality'])}"
        if one["suggestion"]:
            told = one["suggestion"]
            rate = f"{told['fires_per_week']:g} a week"
            yield f"  suggested: value {told['sign']} {told['suggested']:g}, which fires {rate}"
        turns = [turn for turn in one["transitions"] if turn["new"] in {"firing", "resolved"}]
        for turn in turns[:_SHOWN]:
            labels = ", ".join(f"{name}={text}" for name, text in sorted(turn["labels"].items()))
            yield f"  {turn['at'][:16]} {turn['new']} {labels}"
        if len(turns) > _SHOWN:
            yield f"  and {len(turns) - _SHOWN} more; --json has all"


def _quality(quality: dict[str, Any]) -> str:
    def share(name: str) -> str:
        return "unknown" if quality[name] is None else f"{quality[name]:.0%}"

    lead = quality["lead_seconds"]
    said = "" if lead is None else f", {abs(lead) / 3600:.1f} h {'before' if lead >= 0 else 'after'}"
    flagged = f"{quality['flagged']} journeys flagged, {quality['turned_out_badly']} turned out badly"
    return f"{flagged}: precision {share('precision')}, recall {share('recall')}{said}"
