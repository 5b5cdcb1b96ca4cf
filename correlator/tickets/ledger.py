"""Tickets in the control store. Nothing changes but by a step, made on the ticket that its author saw."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from throughline.collector.acting_schema import ticket_steps as steps
from throughline.collector.acting_schema import tickets
from throughline.collector.copying import copy_waiting
from throughline.collector.store import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store

ACTIVE = ("wanted", "open")
CLAIM = timedelta(minutes=3)
"""So long nobody else works on a ticket; a worker that died lets go of it then."""
_MOST_COPIED = 1_000
_COPY = ("Tenant", "Place", "Fingerprint", "Number", "At", "Actor", "What", "Text", "Ticket")


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """The ticket of one cause at one place. `opened` counts the tickets that there were: a cause that comes
    back after its ticket was closed gets another. `told` is what was last said there of how it stands.
    """

    tenant: str
    place: str
    fingerprint: str
    state: str
    opened: int
    number: int
    requested_by: str
    requested_at: datetime
    next_at: datetime
    ticket: str = ""
    remote: str = ""
    url: str = ""
    status: str = ""
    done: bool = False
    told: str = ""
    attempts: int = 0
    claimed_until: datetime | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """What it is found by; the tenant decides it too, so that two never share one."""
        tenant = sha256(self.tenant.encode()).hexdigest()[:8]
        return f"throughline-{tenant}-{self.fingerprint}-{self.opened}"


class TicketLedger:
    """The tickets of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def want(
        self,
        tenant: str,
        place: str,
        fingerprint: str,
        *,
        also: Sequence[str] = (),
        actor: str,
        reason: str,
        now: datetime,
    ) -> Ticket:
        """Ask for a ticket; one that is wanted or open is returned as it is, also that of another fingerprint
        of the cause (`also`).
        """
        active = (tickets.c.fingerprint.in_([fingerprint, *also]), tickets.c.state.in_(ACTIVE))
        there = self._tickets(tickets.c.tenant == tenant, tickets.c.place == place, *active)
        if there:
            return there[0]
        new = Ticket(tenant, place, fingerprint, "wanted", 1, 1, actor, now, now)
        row = self._control.insert(tickets).values(**dataclasses.asdict(new)).on_conflict_do_nothing()
        with self._control.transaction() as connection:
            if connection.execute(row.returning(tickets.c.place)).first() is not None:
                connection.execute(sa.insert(steps).values(_step(new, now, actor, "wanted", reason)))
                return new
        known = self.one(tenant, place, fingerprint)
        if known is None or known.state in ACTIVE:
            return known or new
        again = {"opened": known.opened + 1} if known.state == "closed" else {}
        fresh = (
            {"ticket": "", "remote": "", "url": "", "status": "", "done": False, "told": ""} if again else {}
        )
        moved = self.step(
            known, "wanted", reason, now, actor=actor, state="wanted", requested_by=actor, requested_at=now,
            next_at=now, attempts=0, **again, **fresh,
        )  # fmt: skip
        return moved or known

    def one(self, tenant: str, place: str, fingerprint: str) -> Ticket | None:
        """One ticket."""
        found = self._tickets(
            tickets.c.tenant == tenant, tickets.c.place == place, tickets.c.fingerprint == fingerprint
        )
        return found[0] if found else None

    def listed(
        self, tenant: str, *, fingerprint: str = "", state: str = "", limit: int = 200
    ) -> list[Ticket]:
        """The latest tickets of a tenant."""
        wanted = [tickets.c.tenant == tenant]
        if fingerprint:
            wanted.append(tickets.c.fingerprint == fingerprint)
        if state:
            wanted.append(tickets.c.state == state)
        return self._tickets(*wanted, limit=limit)

    def due(self, now: datetime, limit: int) -> list[Ticket]:
        """Tickets that are to be looked at and that nobody works on, those that wait longest first."""
        free = sa.or_(tickets.c.claimed_until.is_(None), tickets.c.claimed_until <= now)
        wanted = (tickets.c.state.in_(ACTIVE), tickets.c.next_at <= now, free)
        return self._tickets(*wanted, limit=limit, order=tickets.c.next_at.asc())

    def claim(self, ticket: Ticket, now: datetime) -> Ticket | None:
        """Take it; None if somebody else has."""
        return self._change(ticket, {"claimed_until": now + CLAIM}, None)

    def release(self, ticket: Ticket, **values: Any) -> Ticket | None:
        """Change something that is no step, and let go of it."""
        return self._change(ticket, {"claimed_until": None, **values}, None)

    def step(
        self, ticket: Ticket, what: str, text: str, now: datetime, /, *, actor: str, **values: Any
    ) -> Ticket | None:
        """Note what was done, and what it changes; None if the ticket is no longer as its author saw it."""
        return self._change(ticket, {"note": text, **values}, (now, actor, what, text))

    def _change(
        self, ticket: Ticket, values: dict[str, Any], noted: tuple[datetime, str, str, str] | None
    ) -> Ticket | None:
        following = dataclasses.replace(ticket, number=ticket.number + 1, **values)
        mine = (
            tickets.c.tenant == ticket.tenant, tickets.c.place == ticket.place,
            tickets.c.fingerprint == ticket.fingerprint, tickets.c.number == ticket.number,
        )  # fmt: skip
        changed = {name: value for name, value in dataclasses.asdict(following).items() if name not in _KEY}
        with self._control.transaction() as connection:
            if connection.execute(sa.update(tickets).where(*mine).values(**changed)).rowcount != 1:
                return None
            if noted is not None:
                connection.execute(sa.insert(steps).values(_step(following, *noted)))
        return following

    def copy(self, store: Store) -> int:
        """Bring steps to ClickHouse that are not there yet; copied twice counts once. Raises: StoreError."""
        waiting = (
            sa.select(steps).where(steps.c.copied == sa.false()).order_by(steps.c.id).limit(_MOST_COPIED)
        )

        def insert(rows: Sequence[sa.RowMapping]) -> None:
            store.insert_rows("ticket_transitions", [_copied(row) for row in rows], _COPY, role=Role.PAGES)

        return copy_waiting(self._control, waiting, steps, insert)

    def _tickets(
        self, *wanted: sa.ColumnElement[bool], limit: int = 1, order: sa.ColumnElement[Any] | None = None
    ) -> list[Ticket]:
        latest = tickets.c.requested_at.desc() if order is None else order
        found = sa.select(tickets).where(*wanted).order_by(latest).limit(limit)
        with self._control.transaction() as connection:
            return [Ticket(**row) for row in connection.execute(found).mappings()]


_KEY = ("tenant", "place", "fingerprint")


def _step(ticket: Ticket, at: datetime, actor: str, what: str, text: str) -> dict[str, Any]:
    return {
        "tenant": ticket.tenant, "place": ticket.place, "fingerprint": ticket.fingerprint,
        "number": ticket.number, "at": at, "actor": actor, "what": what, "text": text,
        "ticket": ticket.ticket, "copied": False,
    }  # fmt: skip


def _copied(row: sa.RowMapping) -> tuple[Any, ...]:
    return (
        row["tenant"], row["place"], int(row["fingerprint"], 16), row["number"], row["at"], row["actor"],
        row["what"], row["text"], row["ticket"],
    )  # fmt: skip
