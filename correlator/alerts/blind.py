"""What cannot be known at the moment: alerts that rest on it neither fire nor end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from throughline.correlator.alerts.rule_files import Ready

BEHIND = timedelta(minutes=2)
"""Correlation, or the loader, may be so far behind before alerts wait for it."""
LATELY = timedelta(minutes=1)
OLD = timedelta(days=1)
MANY = 100
"""That many events of the last minute, and the greater part of them old, are a backfill."""

SQL = load_queries("throughline.correlator", "alerts")


@dataclass(frozen=True, slots=True)
class Blind:
    """`everywhere` says why no journey can be trusted now; `unheard` which events cannot be heard, since
    when.
    """

    everywhere: str = ""
    unheard: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, ready: Ready) -> str:
        """Why what a rule sees must not be acted on; empty if it may."""
        if not ready.rule.hold or not ready.expression.correlated:
            return ""
        if self.everywhere:
            return self.everywhere
        named = sorted(ready.expression.literals & set(self.unheard))
        if named:
            return f"{named[0]} cannot be heard since {_shown(self.unheard[named[0]])}"
        return ""


def look(store: Store, tenant: str, now: datetime, *, spooled_since: datetime | None = None) -> Blind:
    """What of a tenant is not known at `now`. `spooled_since`: what waits longest to be loaded came then."""

    def ask(name: str, **more: Any) -> list[Any]:
        given = {"tenant": tenant, "now": _micro(now), **more}
        return list(store.query(SQL[name], given, role=Role.ALERTS).result_rows)

    pending = _utc(ask("reached")[0][0])
    unheard = {str(event): _utc(since) or now for event, since in ask("unheard")}
    if spooled_since is not None and now - spooled_since > BEHIND:
        return Blind(f"what came since {_shown(spooled_since)} is not loaded yet", unheard)
    if pending is not None and now - pending > BEHIND:
        return Blind(f"what came since {_shown(pending)} is not correlated yet", unheard)
    since, old = _micro(now - LATELY), int(OLD.total_seconds())
    came, late = ask("lately", since=since, old=old)[0]
    if late >= MANY and late * 2 > came:
        return Blind(f"a backfill is coming in: {late} of {came} events are older than a day", unheard)
    return Blind("", unheard)


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _micro(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
