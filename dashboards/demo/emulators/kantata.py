"""Kantata OX: pages of its event feed, as a poller with an overlap gets them; nothing is pushed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from throughline.dashboards.demo.emulators.emulator import MINUTE, Delivery, Emulator, Fact, Item, number
from throughline.probes import vocabulary as v

Saying = tuple[str, str, str, dict[str, Any]]
"""Event type, its object's key in the API, role of its id, new values."""

SAYINGS: dict[str, Saying] = {
    v.PROJECT_CREATED: ("workspace:created", "workspaces", "project", {}),
    v.PROJECT_UPDATED: ("workspace:updated", "workspaces", "project", {}),
    v.TIME_APPROVED: ("timesheet:updated", "timesheets", "timesheet", {"status": "approved"}),
    v.EXPENSE_APPROVED: ("expense_report:updated", "expense_reports", "report", {"status": "approved"}),
    v.BILLING_RELEASED: (
        "billing_milestone:updated",
        "billing_milestones",
        "billing",
        {"status": "released"},
    ),
    v.INVOICE_POSTED: ("invoice:created", "invoices", "invoice", {}),
}
MEMBERS = {v.TIME_APPROVED: ("timecard", "time_entry_ids"), v.EXPENSE_APPROVED: ("expense", "expense_ids")}
LAG = timedelta(minutes=5)
"""Up to so much later an event enters the feed."""


@dataclass(frozen=True, slots=True)
class Kantata(Emulator):
    """Projects, time, expenses and invoices; a page that fails to come is asked for again."""

    platform: ClassVar[str] = "kantata"
    says: ClassVar[frozenset[str]] = frozenset(SAYINGS)
    batch: ClassVar[int] = 20
    retries: ClassVar[tuple[timedelta, ...]] = (MINUTE,) * 60
    account: str = "771"
    kinds: ClassVar[tuple[str, ...]] = tuple(kind.partition(":")[0] for kind, *_ in SAYINGS.values())

    def options(self) -> dict[str, str]:
        """The account."""
        return {"account": self.account}

    def key(self, fact: Fact, role: str) -> str:
        """Account and object."""
        return f"{self.account}/{_number(fact.ids[role])}"

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """One event; approving expenses emits one per line besides."""
        kind, key, role, now = SAYINGS[fact.event]
        created = fact.time + LAG * rng.random()
        current: dict[str, Any] = {**now, **self.references(fact)}
        if "project" in fact.ids and role != "project":
            current["workspace_id"] = str(_number(fact.ids["project"]))
        if fact.event in MEMBERS:
            member, name = MEMBERS[fact.event]
            current[name] = [str(_number(fact.ids[member]))]
        if fact.amount is not None:
            current |= {"amount_in_cents": int(fact.amount * 100), "currency": fact.currency}
        said = self._event(kind, key, fact.ids[role], current, times=(fact.time, created), rng=rng)
        found = [Item(said, (fact,), created)]
        if fact.event == v.EXPENSE_APPROVED:
            line = {"status": "approved"}
            more = self._event(
                "expense:updated", "expenses", fact.ids["expense"], line, times=(fact.time, created), rng=rng
            )
            found.append(Item(more, (), created))
        return found

    def _event(
        self,
        kind: str,
        key: str,
        name: str,
        current: dict[str, Any],
        *,
        times: tuple[datetime, datetime],
        rng: random.Random,
    ) -> dict[str, Any]:
        status = current.get("status")
        return {
            "id": str(rng.getrandbits(48)),
            "event_type": kind,
            "created_at": times[1].isoformat(),
            "subject_changed_at": times[0].isoformat(),
            "previous_payload": {"status": "submitted"} if status else {},
            "current_payload": current,
            "payload_changes": {"status": ["submitted", status]} if status else {},
            "subject_ref": {"id": str(_number(name)), "key": key},
        }

    def body(self, delivery: Delivery) -> bytes:
        """A page of the feed."""
        events = delivery.message.items
        page = {
            "results": [{"key": "subscribed_events", "id": event["id"]} for event in events],
            "subscribed_events": {event["id"]: event for event in events},
        }
        return json.dumps(page).encode()

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """The secret of the poller that posts pages."""
        return {"content-type": "application/json", "authorization": f"Bearer {self.secret.decode()}"}

    def feed(self, facts: Sequence[Fact]) -> bytes:
        """All pages of the plan as a file holds them, repeats and disorder included."""
        pages = (self.body(delivery) for delivery in self.plan(facts).deliveries)
        return b"[" + b",".join(pages) + b"]"


def _number(name: str) -> int:
    """The number of an object here, another one than that of its deal in the CRM."""
    return number(name if name.isdigit() else f"kantata {name}")
