"""The only loop that talks to ticket systems: open what is wanted, say how it stands, close what works again.

1. A cause that a rule of its place matches gets a ticket by itself; people ask for others.
2. Before one is opened it is looked for by its label: a call without an answer opens no second one.
3. An open one is looked at now and then: their status is noted, how ours stands is said in a comment.
4. When no exception of the cause waits any more it is closed. A cause that comes back gets a new ticket.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.causes import written_out
from throughline.correlator.replay.outcomes import outcomes
from throughline.correlator.tickets.ledger import Ticket, TicketLedger
from throughline.correlator.tickets.places import Place, Places, When, filled
from throughline.correlator.tickets.systems import SYSTEMS, Http, NotDone, System
from throughline.probes.errors import StoreError, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from throughline.collector.control import ControlStore

ACTOR = "throughline"
RULES_EVERY = timedelta(seconds=15)
AT_ONCE = 10
"""Tickets of one turn."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
"""After a call that may work later. Half a minute: an index of theirs may not know a new ticket at once."""
QUERIES = written_out(load_queries("throughline.correlator.tickets", "tickets"))

log = logging.getLogger(__name__)


class Ticketing:
    """`turn` is called again and again by a thread of its own; several engines may do so at once."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        places: Callable[[], Places],
        clock: Callable[[], datetime],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._store, self._places, self._clock, self._environ = store, places, clock, environ
        self._ledger = TicketLedger(control)
        self._lines: dict[str, tuple[Place, Http]] = {}
        self._ruled_at: datetime | None = None

    def turn(self) -> None:
        """Once: ask by rule, then work on what is due. Raises: StoreError."""
        now = self._clock()
        places = self._places()
        ruling = [one for one in places.tickets if one.automatic]
        if ruling and (self._ruled_at is None or now - self._ruled_at >= RULES_EVERY):
            self._ruled_at = now
            self._by_rule(ruling, now)
        for ticket in self._ledger.due(now, AT_ONCE):
            claimed = self._ledger.claim(ticket, now)
            if claimed is not None:
                self._work(claimed, places.by_id(ticket.place), now)
        self._ledger.copy(self._store)

    def close(self) -> None:
        """Close the connections."""
        for _, http in self._lines.values():
            http.close()

    def _by_rule(self, places: list[Place], now: datetime) -> None:
        for tenant in [row["Tenant"] for row in rows(self._store, "tenants")]:
            mine = [one for one in places if one.serves(tenant)]
            for cause in causes(self._store, tenant, now) if mine else ():
                for place in mine:
                    if any(_matches(rule, cause) for rule in place.automatic):
                        self._ledger.want(
                            tenant, place.id, cause["fingerprint"], also=cause["fingerprints"],
                            actor=ACTOR, reason="By rule.", now=now,
                        )  # fmt: skip

    def _work(self, ticket: Ticket, place: Place | None, now: datetime) -> None:
        """Do what is next for a ticket; what goes wrong is noted on it."""
        if place is None:
            self._fail(ticket, f"The place {ticket.place} is gone from tickets.yaml.", now)
            return
        try:
            system = self._system(place)
            if ticket.state == "wanted":
                self._open(ticket, place, system, now)
            else:
                self._look(ticket, place, system, now)
        except StoreError:
            self._ledger.release(self._present(ticket))
            raise
        except NotDone as error:
            if error.permanent:
                self._fail(self._present(ticket), str(error), now)
            else:
                pause = min(FIRST_PAUSE * 2 ** min(ticket.attempts, 10), LONGEST_PAUSE)
                self._ledger.release(
                    self._present(ticket),
                    attempts=ticket.attempts + 1,
                    next_at=now + pause,
                    note=str(error),
                )
        except ThroughlineError as error:
            self._fail(self._present(ticket), str(error), now)

    def _present(self, ticket: Ticket) -> Ticket:
        """The ticket with the steps that were noted since it was taken, if it is still ours."""
        now = self._ledger.one(ticket.tenant, ticket.place, ticket.fingerprint)
        return now if now is not None and now.claimed_until == ticket.claimed_until else ticket

    def _open(self, ticket: Ticket, place: Place, system: System, now: datetime) -> None:
        cause = next(iter(causes(self._store, ticket.tenant, now, ticket.fingerprint)), None)
        found = system.find(ticket.label)
        how = "It was there already."
        if found is None:
            if cause is None:
                self._step(
                    ticket, "closed", "Nothing is open any more: no ticket is needed.", now, state="closed"
                )
                return
            known = {"cause": _shown(cause), "params": place.params, "label": ticket.label}
            title, text = filled(place.title, known), filled(place.text, known)
            found = system.open(ticket.label, title, text, filled(place.fields, known))
            how = f"{found.key} is opened."
        self._step(
            ticket, "opened", how, now, state="open", ticket=found.key, remote=found.id, url=found.url,
            status=found.status, done=found.done, attempts=0, next_at=now + place.poll_every,
            told=self._standing(ticket, now)[0],
        )  # fmt: skip

    def _look(self, ticket: Ticket, place: Place, system: System, now: datetime) -> None:
        """Note their status, say ours, close it when all works."""
        there = system.look(ticket.remote)
        if (there.status, there.done) != (ticket.status, ticket.done):
            moved = self._ledger.step(
                ticket, "status", f"{ticket.ticket} is {there.status} there.", now, actor=ACTOR,
                status=there.status, done=there.done,
            )  # fmt: skip
            if moved is None:
                return
            ticket = moved
        said, over = self._standing(ticket, now)
        if over:
            if not there.done:
                system.close(ticket.remote, said, place.close)
            self._step(ticket, "closed", said, now, state="closed", done=True)
            return
        if said != ticket.told:
            system.say(ticket.remote, said)
            moved = self._ledger.step(ticket, "commented", said, now, actor=ACTOR, told=said)
            if moved is None:
                return
            ticket = moved
        self._ledger.release(ticket, attempts=0, next_at=now + place.poll_every)

    def _standing(self, ticket: Ticket, now: datetime) -> tuple[str, bool]:
        """How the cause stands, and whether it is over."""
        (one,) = rows(self._store, "standing", tenant=ticket.tenant, now=now, fingerprint=ticket.fingerprint)
        ended = outcomes(self._store, ticket.tenant, one["fingerprints"])
        caused = sum(each.caused for of_one in ended.values() for each in of_one)
        verified = f", {caused:,} verified as caused by a replay" if caused else ""
        waiting = f", {one['waiting']:,} snoozed or pending" if one["waiting"] else ""
        said = f"{one['open']:,} open{waiting}, {one['resolved']:,} resolved{verified}."
        over = not one["open"] and not one["waiting"]
        return (f"Everything works: {said}" if over else said), over

    def _step(self, ticket: Ticket, what: str, text: str, now: datetime, /, **values: Any) -> None:
        self._ledger.step(ticket, what, text, now, actor=ACTOR, claimed_until=None, **values)

    def _fail(self, ticket: Ticket, reason: str, now: datetime) -> None:
        log.warning("the ticket %s: %s", ticket.label, reason)
        self._step(ticket, "failed", reason, now, state="failed")

    def _system(self, place: Place) -> System:
        known = self._lines.get(place.id)
        if known is None or known[0] != place:
            if known is not None:
                known[1].close()
            known = self._lines[place.id] = (place, Http(place, self._environ))
        return SYSTEMS[place.system](*known)


def causes(store: Store, tenant: str, now: datetime, fingerprint: str = "") -> list[dict[str, Any]]:
    """Causes with an open exception, each with the `processes` that see it and a fingerprint of each; or the
    one of a fingerprint.
    """
    return rows(store, "causes", tenant=tenant, now=now, fingerprint=fingerprint)


def rows(store: Store, query: str, **parameters: Any) -> list[dict[str, Any]]:
    """The answer to a query of tickets.sql."""
    result = store.query(QUERIES[query], parameters, role=Role.PAGES)
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def _matches(rule: When, cause: Mapping[str, Any]) -> bool:
    wanted = [
        (rule.process, cause["processes"]), (rule.class_, [cause["class"]]), (rule.code, [cause["code"]]),
        (rule.severity, cause["severities"]),
    ]  # fmt: skip
    return (
        all(not values or bool(set(values) & set(found)) for values, found in wanted)
        and cause["exceptions"] >= rule.exceptions_at_least
        and cause["journeys"] >= rule.journeys_at_least
    )


def _shown(cause: Mapping[str, Any]) -> dict[str, Any]:
    """What templates see: texts, numbers and lists of them."""
    return {**cause, "since": f"{cause['since']:%Y-%m-%d %H:%M} UTC"}
