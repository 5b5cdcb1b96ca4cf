"""Journeys as they looked at a time, as figures: by what was known then, and by what is known now."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.compare_figures import STATUSES, clocks_of, iso, micros, values
from throughline.correlator.link import expand
from throughline.correlator.workspace import Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.correlator.definition import Process
    from throughline.correlator.workspace import Workspace

THEN, NOW = 0, 1
LISTED = 200
"""Restated journeys that an answer names; it counts all of them."""
JOURNEYS = 500
"""Journeys that an answer lists, the newest ones."""
CYCLE_STATUSES = ("open", "closing", "late", "complete")


class Picture:
    """The working table `pictured`, and what it says; its workspace is its own meanwhile."""

    def __init__(
        self, store: Store, workspace: Workspace, tenant: str, process: Process, clock: datetime
    ) -> None:
        """`clock` is the time that lateness is judged by."""
        blocks: dict[str, str] = {}
        for name in ("compare", "as_of", "closing", "picture"):
            blocks |= load_queries("throughline.correlator", name)
        whole = {name: text for name, text in blocks.items() if "$1" not in text}
        self._statements = {name: expand(text, blocks, {}) for name, text in whole.items()}
        self._store, self._workspace, self._process = store, workspace, process
        self._scope: dict[str, Any] = {"tenant": tenant, "process": process.id, "now": micros(clock)}
        gaps = {str(event) for (event,) in self._ask("unheard")}
        judged = [one.name for one in process.milestones if gaps.intersection(one.events)]
        self._scope |= {
            "sticking_generation": [one.name for one in process.milestones if one.on_late == "stuck"],
            "unheard_generation": judged,
        }
        self._run = Run(store, workspace, self._statements, self._scope, checkpoint=lambda _: None)

    def fill(self, known: int, generation: int, *, block: str = "fill", **more: object) -> None:
        """Add the journeys of a generation."""
        self._run.do(block, known=known, generation=generation, **more)

    def fill_closed(self, snapshot: str) -> None:
        """Add the journeys of a closing, as what was known then."""
        self._run.do("fill_closed", snapshot=snapshot)

    def figures(self, known: int) -> dict[str, Any]:
        """The figures of one side."""
        counted = {status: int(journeys) for status, journeys in self._ask("statuses", known=known)}
        statuses = {status: counted.get(status, 0) for status in STATUSES}
        return {
            "journeys": sum(statuses.values()),
            "statuses": statuses,
            "milestones": self._milestones(known),
            "money_at_risk": [
                {"status": status, "currency": currency, "amount": float(amount), "objects": int(objects)}
                for status, currency, amount, objects in self._ask("money", known=known)
            ],
            "cycles": self._cycles(known) if self._process.cycle else None,
        }

    def journeys(self, known: int, sources: Sequence[int]) -> list[dict[str, Any]]:
        """The newest journeys of one side."""
        rows = self._ask("journeys", known=known, limit=JOURNEYS)
        names = self._names([row[0] for row in rows], sources)
        return [
            {
                "journey": f"{root:016x}",
                "root": names.get(root, ""),
                "status": status,
                "opened_at": iso(opened),
                "customer": customer,
                "entity": entity,
                "amount": _number(amount),
                "currency": currency,
                "milestones": dict(zip(milestones, states, strict=True)),
            }
            for root, status, opened, customer, entity, amount, currency, milestones, states in rows
        ]

    def restated(self, at: datetime, sources: Sequence[int]) -> dict[str, Any]:
        """Which journeys differ between the two sides, in what, and which events, stored after `at`, they
        have.
        """
        self._run.do("restated")
        rows = self._ask("restated_journeys", limit=LISTED)
        roots = [row[0] for row in rows]
        names, late = self._names(roots, sources), self._late(roots, at, sources)
        items = []
        for root, before, after, *_, moved, was, now, currency_was, currency_now in rows:
            items.append(
                {
                    "journey": f"{root:016x}",
                    "root": names.get(root, ""),
                    "from": before or None,
                    "to": after or None,
                    "milestones": {name: [one, other] for name, one, other in map(values, moved)},
                    "amounts": [_number(was), _number(now)],
                    "currencies": [currency_was, currency_now],
                    "late_events": late.get(root, []),
                }
            )
        return {"journeys": self._run.count("restated"), "items": items}

    def _milestones(self, known: int) -> dict[str, Any]:
        states: dict[str, dict[str, int]] = defaultdict(dict)
        for name, state, journeys in self._ask("states", known=known):
            states[name][state] = int(journeys)
        clocks = clocks_of(self._process)
        rows = self._ask(
            "durations",
            known=known,
            names=list(clocks),
            starts=[start for start, _ in clocks.values()],
            lasts=[int(last) for _, last in clocks.values()],
        )
        durations = {name: (median, p90) for name, median, p90, _ in rows}
        return {
            one.name: {
                "states": dict(sorted(states[one.name].items())),
                "median_hours": durations.get(one.name, (None, None))[0],
                "p90_hours": durations.get(one.name, (None, None))[1],
            }
            for one in self._process.milestones
        }

    def _cycles(self, known: int) -> dict[str, Any]:
        counted = dict.fromkeys(CYCLE_STATUSES, 0)
        overdue: dict[str, Decimal] = defaultdict(Decimal)
        for status, cycles, objects in self._ask("cycles", known=known):
            counted[status] = int(cycles)
            for _, amount, currency in map(values, objects):
                overdue[currency] += Decimal(amount)
        return {
            "statuses": counted,
            "overdue": {currency: float(amount) for currency, amount in sorted(overdue.items())},
        }

    def _late(self, roots: Sequence[int], at: datetime, sources: Sequence[int]) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        rows = self._ask("late_events", roots=list(roots), at=micros(at), sources=list(sources))
        for root, event_id, event, system, time, received, stored in rows:
            found[root].append(
                {
                    "id": event_id,
                    "event": event,
                    "system": system,
                    "happened_at": iso(time),
                    "received_at": iso(received),
                    "stored_at": iso(stored),
                }
            )
        return found

    def _names(self, roots: Sequence[int], sources: Sequence[int]) -> dict[int, str]:
        rows = self._ask("root_names", roots=list(roots), sources=list(sources))
        return {int(root): str(name) for root, name in rows}

    def _ask(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        sql = self._workspace.resolve(self._statements[name])
        rows: Sequence[Sequence[Any]] = self._store.query(
            sql, {**self._scope, **parameters}, role=Role.CORRELATOR
        ).result_rows
        return rows


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
