"""Rules that people write in the pages or over the API: versions with their authors, in the control store.

Each is a file of rules as text, of one tenant; the latest version counts, if it is enabled.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import sqlalchemy as sa

from throughline.collector.alert_schema import written_rules

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.collector.control import ControlStore

PREFIX = "written/"
"""Before the name, where a rule says which file it is of."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """One version."""

    name: str
    version: int
    text: str
    enabled: bool
    author: str
    at: datetime
    note: str


class WrittenRules:
    """The written rules of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def latest(self, tenant: str) -> list[Written]:
        """The latest version of each, by name."""
        found = {one.name: one for one in self._read(written_rules.c.tenant == tenant)}
        return list(found.values())

    def history(self, tenant: str, name: str) -> list[Written]:
        """All versions, the first one first."""
        return self._read(written_rules.c.tenant == tenant, written_rules.c.name == name)

    def save(
        self, tenant: str, name: str, text: str, *, enabled: bool, author: str, now: datetime, note: str = ""
    ) -> Written:
        """Add a version. Raises: ControlError, if somebody adds one at the same time."""
        mine = sa.and_(written_rules.c.tenant == tenant, written_rules.c.name == name)
        last = sa.select(sa.func.max(written_rules.c.version)).where(mine)
        with self._control.transaction() as connection:
            number = int(connection.execute(last).scalar_one_or_none() or 0) + 1
            made = Written(name, number, text, enabled, author, now, note)
            row = {"tenant": tenant, **dataclasses.asdict(made)}
            connection.execute(sa.insert(written_rules).values(**row))
        return made

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Written]:
        names = [field.name for field in dataclasses.fields(Written)]
        wanted = sa.select(*(written_rules.c[name] for name in names)).where(*conditions)
        ordered = wanted.order_by(written_rules.c.name, written_rules.c.version)
        with self._control.transaction() as connection:
            return [Written(*row) for row in connection.execute(ordered)]
