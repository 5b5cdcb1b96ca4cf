"""Copies of views that many rules read: a view over a million journeys is read once instead of by each of
three hundred rules.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from throughline.collector.store import Role
from throughline.correlator.alerts.asking import bound
from throughline.correlator.alerts.expression import CORRELATED, EVENTS
from throughline.correlator.sql_guard import guard
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.alerts.asking import Limits
    from throughline.correlator.alerts.rule_files import Ready

SHARED_FROM = 3
"""Rules that must read a view before a copy of it pays."""
LONGEST_RECENT = timedelta(days=8)
"""Of events only the latest are copied, for rules that look no further back."""
_WHOLE = CORRELATED - {EVENTS} | {"sources"}
_FEW = frozenset({
    "process", "status", "name", "state", "milestone", "event", "system", "platform", "connection", "class",
    "code", "severity", "owner", "assignee", "currency", "entity", "region", "service_line", "kind", "target",
    "outcome",
})  # fmt: skip
"""Columns that have few different values."""

log = logging.getLogger(__name__)


class Copies:
    """Copies in memory, with the columns that rules read."""

    def __init__(self, store: Store, owner: str, limits: Limits) -> None:
        self._store = store
        self._prefix = f"alert_copy_{hashlib.sha256(owner.encode()).hexdigest()[:8]}"
        self._limits = limits
        self._columns: dict[str, dict[str, str]] = {}

    @contextlib.contextmanager
    def shared(self, tenant: str, rules: Sequence[Ready], now: datetime) -> Iterator[Shared]:
        """Yield what stands for views that several of these rules read, until the end of the block.

        A copy that does not fit its memory is left out: its rules read the view.
        """
        made = Shared({}, timedelta())
        try:
            for view in sorted(_WHOLE):
                readers = [one for one in rules if view in one.expression.tables]
                if len(readers) >= SHARED_FROM and self._copied(view, "", readers, tenant, now):
                    made.copies[view] = self._copy_of(view)
            lately = [one for one in rules if _looks_back(one) <= LONGEST_RECENT]
            if len(lately) >= SHARED_FROM:
                longest = max(_looks_back(one) for one in lately)
                where = f" WHERE time >= now() - INTERVAL {int(longest.total_seconds())} SECOND"
                if self._copied(EVENTS, where, lately, tenant, now):
                    made = Shared(made.copies | {EVENTS: self._copy_of(EVENTS)}, longest)
            yield made
        finally:
            for view in made.copies:
                self._drop(view)

    def _copy_of(self, view: str) -> str:
        return f"SELECT * FROM {self._table(view)}"  # noqa: S608 - a name of ours

    def _table(self, view: str) -> str:
        return f"{self._prefix}_{view}"

    def _drop(self, view: str) -> None:
        self._store.command(f"DROP TABLE IF EXISTS {self._table(view)} SYNC", role=Role.ALERTS)

    def _copied(self, view: str, where: str, readers: Sequence[Ready], tenant: str, now: datetime) -> bool:
        every = self._columns_of(view, tenant, now)
        starred = any(one.expression.starred for one in readers)
        names = {name for one in readers for name in one.expression.names}
        wanted = [name for name in every if starred or name in names] or [next(iter(every))]
        listed = ", ".join(_column(name, every[name]) for name in wanted)
        text = guard(f"SELECT {listed} FROM {view}{where}", set_clock=True)  # noqa: S608 - of the view
        self._drop(view)
        sql = (
            f"CREATE TABLE {self._table(view)} ENGINE = Memory AS {text} "
            f"SETTINGS max_memory_usage = {self._limits.copy_memory_bytes}, max_threads = 2"
        )
        try:
            self._store.command(sql, bound(tenant, now), role=Role.ALERTS)
        except StoreError as error:
            log.warning("%s cannot be copied for rules, which read it themselves: %s", view, error)
            self._drop(view)
            return False
        return True

    def _columns_of(self, view: str, tenant: str, now: datetime) -> dict[str, str]:
        """The types of a view's columns, by name."""
        if view not in self._columns:
            described = self._store.query(
                f"DESCRIBE ({guard(f'SELECT * FROM {view}')})",  # noqa: S608 - a documented view
                bound(tenant, now),
                role=Role.ALERTS,
            )
            self._columns[view] = {str(name): str(kind) for name, kind, *_ in described.result_rows}
        return self._columns[view]


class Shared:
    """SELECTs of copies by the views that they stand for; that of events holds only the latest."""

    def __init__(self, copies: dict[str, str], recent: timedelta) -> None:
        self.copies = copies
        self._recent = recent

    def of(self, rule: Ready) -> Mapping[str, str]:
        """What stands for the views that a rule reads."""
        if EVENTS in self.copies and _looks_back(rule) > self._recent:
            return {view: select for view, select in self.copies.items() if view != EVENTS}
        return self.copies


def _column(name: str, kind: str) -> str:
    """A column of a copy. Texts of few values are kept by number: rules compare and group by them."""
    return f"toLowCardinality(`{name}`) AS `{name}`" if kind == "String" and name in _FEW else f"`{name}`"


def _looks_back(rule: Ready) -> timedelta:
    """How far a rule looks back in events; for ever if it does not say, or reads none."""
    return rule.expression.looks_back or timedelta.max
