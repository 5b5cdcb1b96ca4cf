"""Counting journeys for `/metrics`: a few queries, each with a bounded number of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.dashboards.link_rates import link_rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from throughline.correlator.definition import Process

MOST = 500
"""Label sets per tenant and metric; the greatest are shown."""
HOUR, DAY = 3_600, 86_400
BUCKETS = (HOUR, 4 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY, 90 * DAY)
"""Upper bounds of durations, in seconds, included."""

SQL = load_queries("throughline.dashboards", "metrics")


@dataclass(frozen=True, slots=True)
class Durations:
    """How long it took to reach a milestone; `counts` are cumulative, by `BUCKETS`. The example is the
    latest: its journey, its trace if one is known, what it took, when.
    """

    process: str
    milestone: str
    counts: tuple[int, ...]
    reached: int
    total: float
    journey: str
    trace: str
    took: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """A tenant's figures at one time: numbers by label values, in the order of the queries' columns."""

    at: datetime
    journeys: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    milestones: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    exceptions: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    link_rates: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    durations: Sequence[Durations] = ()


def count(store: Store, tenant: str, now: datetime, processes: Iterable[Process]) -> Counted:
    """Count a tenant's journeys, and how well the levels of processes are linked. Raises: StoreError."""

    def ask(name: str, **more: Any) -> list[Any]:
        shown = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        given = {"tenant": tenant, "now": shown, "most": MOST, **more}
        used = {key: value for key, value in given.items() if f"{{{key}:" in SQL[name]}
        return list(store.query(SQL[name], used, role=Role.ALERTS).result_rows)

    def numbers(name: str) -> dict[tuple[str, ...], float]:
        return {tuple(str(text) for text in row[:-1]): float(row[-1]) for row in ask(name)}

    reached = ask("durations", buckets=[float(bound) for bound in BUCKETS])
    roots = sorted({int(row[5]) for row in reached})
    found = ask("traces", roots=roots) if roots else []
    traces = {(int(row[0]), row[1]): str(row[2]) for row in found}
    durations = [
        Durations(
            process=str(row[0]),
            milestone=str(row[1]),
            counts=tuple(int(one) for one in row[2]),
            reached=int(row[3]),
            total=float(row[4]),
            journey=f"{int(row[5]):016x}",
            trace=traces.get((int(row[5]), row[7]), ""),
            took=float(row[6]),
            at=row[7].replace(tzinfo=UTC),
        )
        for row in reached
    ]
    return Counted(
        now,
        journeys=numbers("journeys"),
        milestones=numbers("milestones"),
        exceptions=numbers("exceptions"),
        link_rates={
            (one["process"], ",".join(one["level"])): float(one["rate"])
            for one in link_rates(store, tenant, processes)
        },
        durations=durations,
    )
