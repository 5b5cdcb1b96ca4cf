"""Silences that people set, in the control store."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from throughline.collector.alert_schema import alert_silences
from throughline.correlator.notify.matching import Matcher, read_matcher
from throughline.correlator.notify.routing import Silence

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.collector.control import ControlStore


class Silences:
    """The silences of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def active(self, tenant: str, now: datetime) -> list[Silence]:
        """Those that are not over; some may not have begun."""
        table = alert_silences.c
        wanted = sa.select(alert_silences).where(table.tenant == tenant, table.ends_at > now)
        with self._control.transaction() as connection:
            rows = connection.execute(wanted.order_by(table.starts_at)).mappings()
            return [_silence(dict(row)) for row in rows]

    def add(
        self, tenant: str, matchers: tuple[Matcher, ...], begins: datetime, ends: datetime, *,
        author: str, comment: str, now: datetime,
    ) -> Silence:  # fmt: skip
        """Begin one."""
        row = {
            "tenant": tenant, "id": uuid.uuid4().hex[:16],
            "matchers": json.dumps([str(one) for one in matchers]),
            "starts_at": begins, "ends_at": ends, "author": author, "comment": comment, "created_at": now,
        }  # fmt: skip
        with self._control.transaction() as connection:
            connection.execute(sa.insert(alert_silences).values(**row))
        return _silence(row)

    def expire(self, tenant: str, identity: str, now: datetime) -> bool:
        """End one now; whether it was there and not over."""
        table = alert_silences.c
        mine = sa.and_(table.tenant == tenant, table.id == identity, table.ends_at > now)
        with self._control.transaction() as connection:
            return connection.execute(sa.update(alert_silences).where(mine).values(ends_at=now)).rowcount == 1


def _silence(row: dict[str, Any]) -> Silence:
    matchers = tuple(read_matcher(one) for one in json.loads(row["matchers"]))
    return Silence(row["id"], matchers, row["starts_at"], row["ends_at"], row["author"], row["comment"])
