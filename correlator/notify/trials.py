"""Rules on trial: for their first days what they would have told is counted, and nobody is told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from throughline.collector.alert_schema import alert_trials
from throughline.correlator.alerts.own import GROUP
from throughline.correlator.alerts.rule_files import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.control import ControlStore
    from throughline.correlator.alerts.rule_files import Ready

TRIAL = timedelta(days=14)


def length(ready: Ready) -> timedelta:
    """How long a rule is on trial: what it says, else two weeks; shipped ones come with their tests."""
    if ready.rule.silent_for is not None:
        return ready.rule.silent_for
    return timedelta() if ready.file.startswith(str(SHIPPED)) or ready.group == GROUP else TRIAL


class Trials:
    """The trials of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def begin(self, tenant: str, rules: Sequence[Ready], now: datetime) -> dict[str, datetime]:
        """Begin those of rules that were never seen; returns until when each rule is on trial."""
        known = self.until(tenant)
        fresh = [
            {"tenant": tenant, "rule": one.key, "since": now, "until": now + length(one), "ended_by": ""}
            for one in rules
            if one.key not in known
        ]
        if fresh:
            with self._control.transaction() as connection:
                connection.execute(self._control.insert(alert_trials).on_conflict_do_nothing(), fresh)
            known |= {one.key: now + length(one) for one in rules if one.key not in known}
        return known

    def until(self, tenant: str) -> dict[str, datetime]:
        """Until when each rule that was ever seen is on trial."""
        table = alert_trials.c
        with self._control.transaction() as connection:
            wanted = sa.select(table.rule, table.until).where(table.tenant == tenant)
            return {str(rule): until for rule, until in connection.execute(wanted)}

    def since(self, tenant: str) -> dict[str, datetime]:
        """Since when each rule is known."""
        table = alert_trials.c
        with self._control.transaction() as connection:
            wanted = sa.select(table.rule, table.since).where(table.tenant == tenant)
            return {str(rule): since for rule, since in connection.execute(wanted)}

    def end(self, tenant: str, rule: str, who: str, now: datetime) -> bool:
        """Let a rule speak from now on; whether it was on trial."""
        table = alert_trials.c
        mine = sa.and_(table.tenant == tenant, table.rule == rule, table.until > now)
        with self._control.transaction() as connection:
            changed = sa.update(alert_trials).where(mine).values(until=now, ended_by=who)
            return connection.execute(changed).rowcount == 1
