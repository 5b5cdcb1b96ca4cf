"""What people are told of an alert: what, how many, how much money, since when, where to look, what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from throughline.correlator.notify.ledger import Episode
    from throughline.correlator.notify.routing import Act

_MOST_LISTED = 20
_STATES: Mapping[str, str] = {
    "trigger": "firing", "acknowledge": "acknowledged", "resolve": "resolved", "summary": "summary",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One message, the same at each attempt. `key` names the alert to the channel, `id` this message."""

    key: str
    id: str
    act: Act
    title: str
    lines: tuple[str, ...]
    severity: str
    link: str
    runbook: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything but the title."""
        return "\n".join(self.lines)


def told(episode: Episode, act: Act, public_url: str, number: int = 0) -> Told:
    """Say one thing about one alert. `number` tells repetitions apart."""
    link, runbook = links(episode, public_url)
    about: dict[str, Any] = json.loads(episode.about or "{}")
    lines = [f"since {_time(episode.starts_at)}"]
    if act == "resolve" and episode.ends_at is not None:
        lines = [f"from {_time(episode.starts_at)} until {_time(episode.ends_at)}"]
    if act == "acknowledge":
        lines.append(
            f"acknowledged by {episode.acknowledged_by}" + (f": {episode.note}" if episode.note else "")
        )
    if episode.value is not None:
        lines.insert(0, f"value {episode.value:g}")
    if about.get("journeys"):
        money = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in about["money"].items())
        lines.append(f"{about['journeys']:,} journeys" + (f", {money}" if money else "") + " when it fired")
    shown = {name: text for name, text in episode.labels.items() if name not in {"alertname", "severity"}}
    if shown:
        lines.append(", ".join(f"{name} {text}" for name, text in sorted(shown.items())))
    lines += [f"Look: {link}"] if link else []
    lines += [f"Runbook: {runbook}"] if runbook else []
    state = _STATES[act]
    summary = episode.annotations.get("summary") or episode.alert
    return Told(
        key=episode.id,
        id=f"{episode.id}-{act}" + (f"-{number}" if number else ""),
        act=act,
        title=f"[{state}] {summary}",
        lines=tuple(lines),
        severity=episode.labels.get("severity", ""),
        link=link,
        runbook=runbook,
        data={
            "state": state, "tenant": episode.tenant, "alert": episode.alert, "rule": episode.rule,
            "fingerprint": episode.fingerprint, "labels": episode.labels, "annotations": episode.annotations,
            "value": episode.value, "starts_at": episode.starts_at.isoformat(),
            "ends_at": episode.ends_at.isoformat() if episode.ends_at else None,
            "acknowledged_by": episode.acknowledged_by, **about, "link": link, "runbook_url": runbook,
        },
    )  # fmt: skip


def summary(batch: str, episodes: Sequence[Episode], public_url: str) -> Told:
    """Say in one message what came and went while a channel could not be told."""
    lines = [
        f"{one.annotations.get('summary') or one.alert}: {_time(one.starts_at)} until {_time(one.ends_at)}"
        for one in episodes[:_MOST_LISTED]
    ]
    if len(episodes) > _MOST_LISTED:
        lines.append(f"and {len(episodes) - _MOST_LISTED:,} more")
    what = "alert" if len(episodes) == 1 else "alerts"
    listed = [
        {"key": one.id, "alert": one.alert, "labels": one.labels, "starts_at": one.starts_at.isoformat(),
         "ends_at": one.ends_at.isoformat() if one.ends_at else None}
        for one in episodes
    ]  # fmt: skip
    return Told(
        key=batch,
        id=f"{batch}-summary",
        act="summary",
        title=f"[summary] {len(episodes):,} {what} fired and ended before this channel could be told",
        lines=tuple(lines),
        severity="info",
        link=urljoin(public_url, "/alerts") if public_url else "",
        runbook="",
        data={"state": "summary", "alerts": listed},
    )


def links(episode: Episode, public_url: str) -> tuple[str, str]:
    """The alert's page, which lists the journeys behind it, and its runbook; both absolute, else empty."""
    runbook = episode.annotations.get("runbook_url", "")
    if not public_url:
        return "", runbook if "://" in runbook else ""
    base = public_url.rstrip("/") + "/"
    asked = urlencode({"rule": episode.rule, "fingerprint": episode.fingerprint})
    return f"{base}alerts?{asked}", urljoin(base, runbook) if runbook else ""


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "now"
