"""What is known of exceptions that somebody wants to do again: a few queries for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.link import expand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

MOST = 10_000
"""Items of one replay."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The latest failed event of an exception; empty where it says nothing, and for a check."""

    at: datetime | None = None
    system: str = ""
    platform: str = ""
    connection: str = ""
    run_id: str = ""
    run_url: str = ""
    idempotency_key: str = ""
    payload: str = ""
    payload_ref: str = ""
    trace_id: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    accounting_date: date | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One exception: as the API shows it, what it failed on, and what has happened since."""

    id: str
    status: str
    process: str
    event: str
    milestone: str
    class_: str
    code: str
    message: str
    fingerprint: str
    owner: str
    severity: str
    runbook: str
    amount: Decimal | None
    currency: str
    customer: str
    entity: str
    region: str
    journeys: tuple[str, ...]
    opened_at: datetime
    last_seen: datetime
    failing: bool
    subject: int = 0
    subject_name: str = ""
    is_check: bool = False
    failure: Failure = field(default_factory=Failure)
    changed: tuple[str, ...] = ()
    """Events that succeeded on the object since."""
    unmet: tuple[str, ...] = ()
    """Milestones before its own that are not met, optional ones left out."""
    closed_period: str = ""
    """The closed period that the failed event falls into."""


class FactsReader:
    """Reads for one tenant, at one clock reading."""

    def __init__(self, store: Store, tenant: str, now: datetime) -> None:
        self._store = store
        self._base = {"tenant": tenant, "now": now}

    def by_id(self, ids: Sequence[str]) -> list[Facts]:
        """The exceptions of these ids that exist, in the order of ids."""
        return self._facts(self._rows("chosen", ids=list(ids), fingerprint="", limit=MOST))

    def by_fingerprint(self, fingerprint: str) -> list[Facts]:
        """The open exceptions of one cause, MOST of them at most."""
        return self._facts(self._rows("chosen", ids=[], fingerprint=fingerprint, limit=MOST))

    def _facts(self, rows: list[dict[str, Any]]) -> list[Facts]:
        if not rows:
            return []
        failures = self._failures(rows)
        changed = self._changed(rows, failures)
        unmet = self._unmet(rows)
        closed = self._rows("closed")
        return [_facts(row, failures[row["id"]], changed, unmet, closed) for row in rows]

    def _failures(self, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        found = self._rows("failures", numbers=[int(row["id"], 16) for row in rows])
        return {row["exception"]: row for row in found}

    def _changed(
        self, rows: list[dict[str, Any]], failures: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, tuple[str, ...]]:
        wanted = [
            (row["id"], failures[row["id"]]["subject"], int(row["last_seen"].timestamp() * 1_000_000))
            for row in rows
        ]
        subjects = sorted({subject for _, subject, _ in wanted})
        found = self._rows("changed", wanted=wanted, subjects=subjects)
        return {row["exception"]: tuple(row["events"]) for row in found}

    def _unmet(self, rows: list[dict[str, Any]]) -> dict[str, list[tuple[str, str, int]]]:
        journeys = sorted({journey for row in rows for journey in row["journeys"]})
        return {row["journey"]: row["milestones"] for row in self._rows("milestones", journeys=journeys)}

    def _rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        result = self._store.query(QUERIES[query], self._base | parameters, role=Role.PAGES)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def _facts(
    row: Mapping[str, Any],
    failure: Mapping[str, Any],
    changed: Mapping[str, tuple[str, ...]],
    milestones: Mapping[str, Sequence[tuple[str, str, int]]],
    closed: Sequence[Mapping[str, Any]],
) -> Facts:
    is_check = bool(failure["is_check"])
    names = {name: row[name] for name in _AS_SHOWN}
    return Facts(
        **names,
        class_=row["class"],
        journeys=tuple(row["journeys"]),
        failing=bool(row["failing"]),
        subject=failure["subject"],
        subject_name=failure["name"],
        is_check=is_check,
        failure=Failure() if is_check else _failure(failure),
        changed=changed.get(row["id"], ()),
        unmet=tuple(
            dict.fromkeys(
                name
                for journey in row["journeys"]
                for name in _before(row["milestone"], milestones.get(journey, ()))
            )
        ),
        closed_period="" if is_check else _closed(row, failure["accounting_date"], closed),
    )


def _failure(row: Mapping[str, Any]) -> Failure:
    return Failure(
        at=row["failed_at"],
        keys=dict(row["keys"]),
        accounting_date=row["accounting_date"],
        **{name: row[name] for name in _OF_FAILURE},
    )


def _before(milestone: str, milestones: Sequence[tuple[str, str, int]]) -> list[str]:
    """The milestones in front of one that wait, without those that may stay out."""
    names = [name for name, _, _ in milestones]
    if milestone not in names:
        return []
    waiting = {"pending", "due", "late", "blind"}
    earlier = milestones[: names.index(milestone)]
    return [name for name, state, optional in earlier if state in waiting and not optional]


def _closed(row: Mapping[str, Any], day: date | None, closed: Sequence[Mapping[str, Any]]) -> str:
    return next(
        (
            one["Period"]
            for one in closed
            if day is not None
            and one["Process"] == row["process"]
            and one["Entity"] in {"", row["entity"]}
            and one["FirstDay"] <= day <= one["LastDay"]
        ),
        "",
    )


_BLOCKS = load_queries("throughline.correlator.replay", "replay")
QUERIES = {name: expand(text, _BLOCKS, {}) for name, text in _BLOCKS.items()}
_AS_SHOWN = (
    "id", "status", "process", "event", "milestone", "code", "message", "fingerprint", "owner", "severity",
    "runbook", "amount", "currency", "customer", "entity", "region", "opened_at", "last_seen",
)  # fmt: skip
_OF_FAILURE = (
    "system", "platform", "connection", "run_id", "run_url", "idempotency_key", "payload", "payload_ref",
    "trace_id",
)  # fmt: skip
