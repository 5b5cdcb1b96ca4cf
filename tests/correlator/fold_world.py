"""Writes journeys into the real tables, folds them and reads them back in the terms of the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.correlator.fold_reference import Event, Expect, Journey, Where, fold
from throughline.collector.store import Role, Store
from throughline.correlator.definition import Process
from throughline.correlator.fold import Seen, fold_sql
from throughline.correlator.fold_input import Tables
from throughline.correlator.fold_transitions import all_transitions_sql
from throughline.correlator.workspace import scratch_columns

COLUMNS = [
    "Tenant", "Process", "Generation", "Root", "RootLevel", "EventId", "Time",
    "Event", "Failed",
    "Subjects", "Objects", "Amount", "Currency", "Customer", "Entity", "Region", "ServiceLine",
    "TimePrecision",
    "ExceptionClass", "ExceptionCode", "ExceptionMessage", "Attributes", "System", "Version", "Deleted",
]  # fmt: skip
MILESTONE_PARTS = ("State", "MetAt", "LastAt", "DueAt", "Count", "Amount", "Currency")
LAST_ROOT = 2**64 - 1
TABLES = Tables("dirty", "folding", "period", "due")
EPOCH = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(**passed: float) -> datetime:
    """An instant so long after 9:00 on Monday, 2 March 2026."""
    return EPOCH + timedelta(**passed)


class Folding:
    """One process of one tenant in a store."""

    def __init__(self, store: Store, process: Process, tenant: str = "acme") -> None:
        """Start with no journeys."""
        self.store, self.process, self.tenant = store, process, tenant
        self.version = 0
        store.command(
            "CREATE TABLE IF NOT EXISTS dirty (Root UInt64) ENGINE = MergeTree ORDER BY Root",
            role=Role.CORRELATOR,
        )
        for name in ("folding", "due", "period"):
            table = f"CREATE TABLE IF NOT EXISTS {name} ({scratch_columns()[name]}) ENGINE = Memory"
            store.command(table, role=Role.CORRELATOR)

    def put(
        self, journeys: Mapping[int, Sequence[Event]], *, deleted: bool = False, generation: int = 1
    ) -> None:
        """Store membership rows, as linking does."""
        self.version += 1
        rows = [
            self._row(root, event, deleted, generation)
            for root, events in journeys.items()
            for event in events
        ]
        if rows:
            self.store.insert_rows("journey_events", rows, COLUMNS, role=Role.CORRELATOR)

    def fold(self, roots: Sequence[int], *, die_after: int | None = None) -> None:
        """Fold these journeys as the live path does, or only so many statements of it."""
        self.store.command("TRUNCATE TABLE dirty", role=Role.CORRELATOR)
        self.store.insert_rows("dirty", [[root] for root in roots], ["Root"], role=Role.CORRELATOR)
        self.store.command("TRUNCATE TABLE folding", role=Role.CORRELATOR)
        sql = fold_sql(self.process, TABLES, fresh=False, seen=self._seen())
        self._run(sql.statements[:die_after], 1, {})

    def rebuild(self, generation: int = 1) -> None:
        """Fold everything as a rebuild does."""
        middle = LAST_ROOT // 2
        for low, high in ((0, middle), (middle + 1, LAST_ROOT)):
            chunk = {"lo": low, "hi": high}
            sql = fold_sql(self.process, TABLES, fresh=True)
            self._run(sql.statements, generation, chunk)
        self._run(all_transitions_sql(), generation, {})

    def activate(self) -> None:
        """Let readers see the first generation."""
        names = ["Tenant", "Process", "Generation", "ActivatedAt", "Version"]
        row = [self.tenant, self.process.id, 1, EPOCH, 1]
        self.store.insert_rows("generations", [row], names, role=Role.CORRELATOR)

    def journeys(self, generation: int = 1) -> dict[int, dict[str, Any]]:
        """The journeys as stored, by root; every column by its name, milestones by theirs."""
        result = {}
        for row in self._latest("journey_state", "Root", generation):
            names = row.pop("Milestones.Name")
            parts = {key.split(".")[1]: row.pop(key) for key in list(row) if key.startswith("Milestones.")}
            row["milestones"] = {
                name: {part: values[index] for part, values in parts.items()}
                for index, name in enumerate(names)
            }
            result[row["Root"]] = row
        return result

    def exceptions(self, generation: int = 1) -> list[dict[str, Any]]:
        """The exceptions as stored."""
        return self._latest("exception_state", "Root, ExceptionId", generation)

    def facts(self, generation: int = 1) -> dict[int, dict[str, Any]]:
        """All that is stored, in the terms of `expected`."""
        result = {root: _journey_facts(row) for root, row in self.journeys(generation).items()}
        for row in self.exceptions(generation):
            if row["Kind"] == "check" and row["ResolvedAt"]:
                continue  # that it once did not hold follows from the past, not from the facts
            result[row["Root"]]["exceptions"].append(_exception_facts(row))
        for one in result.values():
            one["exceptions"].sort(key=str)
        return result

    def _seen(self) -> Seen:
        sql = "SELECT max(Failed), groupUniqArray(toString(Event)) FROM journey_events"
        ((failed, events),) = self.store.query(
            f"{sql} WHERE Root IN (SELECT Root FROM dirty)", role=Role.CORRELATOR
        ).result_rows
        return Seen.of(self.process, failed, events)

    def _row(self, root: int, event: Event, deleted: bool, generation: int) -> list[Any]:
        return [
            self.tenant, self.process.id, generation, root, 0, event.id, event.time,
            event.event, int(event.failed), list(event.subjects), list(event.objects), event.amount,
            event.currency, event.customer, event.entity, event.region, event.service_line, event.precision,
            event.klass, event.code, event.message,
            dict(event.attributes), event.system, self.version, int(deleted),
        ]  # fmt: skip

    def _scope(self, generation: int) -> dict[str, Any]:
        process = self.process.id
        one = {"tenant": self.tenant, "process": process, "generation": generation}
        return one | {"processes": [process], "targets": [(process, generation)]}

    def _run(self, statements: Sequence[str], generation: int, chunk: Mapping[str, int]) -> None:
        self.version += 1
        for sql in statements:
            parameters = {**self._scope(generation), "version": self.version, **chunk}
            self.store.command(sql, parameters, role=Role.CORRELATOR)

    def _latest(self, table: str, key: str, generation: int) -> list[dict[str, Any]]:
        result = self.store.query(
            f"SELECT * FROM (SELECT * FROM {table} WHERE Tenant = {{tenant:String}} "
            "AND Process = {process:String} AND Generation = {generation:UInt32} "
            f"ORDER BY Version DESC LIMIT 1 BY {key}) WHERE Deleted = 0 ORDER BY {key}",
            self._scope(generation),
            role=Role.CORRELATOR,
        )
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def expected(
    process: Process, journeys: Mapping[int, Sequence[Event]], where: Where, expect: Expect
) -> dict[int, Any]:
    """What the reference says of these journeys."""
    folded = {root: fold(process, events, where, expect) for root, events in journeys.items()}
    return {root: _reference_facts(root, one) for root, one in folded.items() if one}


def _reference_facts(root: int, journey: Journey) -> dict[str, Any]:
    facts = {name: value for name, value in vars(journey).items() if name not in ("milestones", "exceptions")}
    facts["milestones"] = {
        name: (one.state, one.met_at, one.last_at, one.due_at, one.count, one.amount, one.currency)
        for name, one in journey.milestones.items()
    }
    facts["exceptions"] = [{**one, "subject": one["subject"] or root} for one in journey.exceptions]
    facts["exceptions"].sort(key=str)
    return facts


def _journey_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "opened_at": row["OpenedAt"], "last_event_at": row["LastEventAt"], "completed_at": row["CompletedAt"],
        "dropped_at": row["DroppedAt"], "stuck_at": row["StuckAt"], "late_at": row["LateAt"],
        "blocked_at": row["BlockedAt"], "amount": row["Amount"], "currency": row["Currency"],
        "amount_objects": {
            one["Object"] if isinstance(one, dict) else one[0]:
            (one["Amount"], one["Currency"]) if isinstance(one, dict) else (one[1], one[2])
            for one in row["AmountObjects"]
        },
        "customer": row["Customer"], "entity": row["Entity"], "region": row["Region"],
        "service_line": row["ServiceLine"], "events": row["Events"], "open_exceptions": row["OpenExceptions"],
        "milestones": {
            name: tuple(one[part] for part in MILESTONE_PARTS)
            for name, one in row["milestones"].items()
        },
        "exceptions": [],
    }  # fmt: skip


def _exception_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": row["Kind"], "event": row["Event"], "subject": row["Subject"], "milestone": row["Milestone"],
        "class": row["Class"], "code": row["Code"], "message": row["Message"], "owner": row["Owner"],
        "severity": row["Severity"], "blocking": bool(row["Blocking"]), "amount": row["Amount"],
        "currency": row["Currency"], "opened_at": row["OpenedAt"], "resolved_at": row["ResolvedAt"],
        "occurrences": row["Occurrences"], "first": row["FirstEventId"], "last": row["LastEventId"],
    }  # fmt: skip
