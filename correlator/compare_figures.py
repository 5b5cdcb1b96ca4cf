"""What two sides of a comparison say: the figures of each, and what differs between them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.link import expand
from throughline.correlator.workspace import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.definition import Process
    from throughline.correlator.workspace import Workspace

STATUSES = ("in_flight", "late", "stuck", "completed", "dropped")
SAMPLES = 20
SAMPLES_EACH = 5
"""Samples in all, and of each change of status."""

_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_LAST = datetime(2262, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Period:
    """Journeys opened from `since` on (inclusive). With `until` only events before it count, and it is the
    clock that lateness is judged by; without, every event counts and the clock is `now`. None is no limit.
    """

    since: datetime | None
    until: datetime | None
    now: datetime

    @property
    def clock(self) -> datetime:
        """The time that lateness is judged by."""
        return self.until or self.now

    @property
    def parameters(self) -> dict[str, str]:
        """The bounds and the clock as parameters of statements."""
        moments = {"since": self.since or _FIRST, "until": self.until or _LAST, "now": self.clock}
        return {name: micros(one) for name, one in moments.items()}


@dataclass(frozen=True)
class Side:
    """One definition, the generation of its journeys, and the one whose membership they were folded from."""

    process: Process
    generation: int
    source: int


class Figures:
    """Asks for the figures of one comparison; the working tables are its own meanwhile."""

    def __init__(
        self, store: Store, workspace: Workspace, tenant: str, sides: tuple[Side, Side], period: Period
    ) -> None:
        """`sides` are before and after, their journeys folded."""
        before, after = sides
        blocks = load_queries("throughline.correlator", "compare")
        queries = {name: expand(text, blocks, {}) for name, text in blocks.items() if "$1" not in text}
        self._queries = {name: workspace.resolve(text) for name, text in queries.items()}
        self._store = store
        self._scope: dict[str, Any] = {
            "tenant": tenant,
            "process": after.process.id,
            "sources": sorted({before.source, after.source}),
            **period.parameters,
        }
        self._gaps = {str(event) for (event,) in self._ask("unheard")}
        self._scope |= self._side_scope("before", before) | self._side_scope("after", after)
        self._run = Run(store, workspace, queries, self._scope, checkpoint=lambda _: None)
        self._workspace = workspace
        self._before, self._after, self._period = before, after, period

    def compare(self) -> dict[str, Any]:
        """The figures of both sides, and what differs."""
        return {
            "process": self._after.process.id,
            "since": iso(self._period.since),
            "until": iso(self._period.clock),
            "before": self._side(self._before),
            "after": self._side(self._after),
            "changes": self._changes(),
        }

    def _side_scope(self, name: str, side: Side) -> dict[str, Any]:
        """The parameters of a side, as the block `side` of compare.sql takes them under a name."""
        milestones = side.process.milestones
        return {
            name: side.generation,
            f"sticking_{name}": [one.name for one in milestones if one.on_late == "stuck"],
            f"unheard_{name}": [one.name for one in milestones if self._gaps.intersection(one.events)],
        }

    def _side(self, side: Side) -> dict[str, Any]:
        scope = self._side_scope("generation", side)
        found = self._ask("statuses", **scope)
        counted = {status: int(journeys) for status, journeys in found}
        statuses = {status: counted.get(status, 0) for status in STATUSES}
        return {
            "version": side.process.version,
            "definition": side.process.definition_hash,
            "journeys": sum(statuses.values()),
            "statuses": statuses,
            "milestones": self._milestones(side.process, scope),
        }

    def _milestones(self, process: Process, scope: dict[str, Any]) -> dict[str, Any]:
        states: dict[str, dict[str, int]] = defaultdict(dict)
        timed: dict[str, dict[str, int]] = defaultdict(dict)
        stuck: dict[str, int] = defaultdict(int)
        for name, state, journeys, with_due, holding in self._ask("milestones", **scope):
            states[name][state], timed[name][state] = int(journeys), int(with_due)
            stuck[name] += int(holding)
        clocks = clocks_of(process)
        durations = {
            name: (median, p90)
            for name, median, p90, _ in self._ask(
                "durations",
                **scope,
                names=list(clocks),
                starts=[start for start, _ in clocks.values()],
                lasts=[int(last) for _, last in clocks.values()],
            )
        }
        return {
            one.name: {
                "states": dict(sorted(states[one.name].items())),
                "on_time": _on_time(timed[one.name]),
                "stuck": stuck[one.name] if one.on_late == "stuck" else 0,
                "median_hours": durations.get(one.name, (None, None))[0],
                "p90_hours": durations.get(one.name, (None, None))[1],
            }
            for one in process.milestones
        }

    def _changes(self) -> dict[str, Any]:
        self._fill_differing()
        samples = self._ask("samples", each=SAMPLES_EACH, limit=SAMPLES)
        named = self._ask("root_names", roots=[root for root, *_ in samples])
        names = {int(root): str(name) for root, name in named}
        return {
            "journeys": self._run.count("differing"),
            "statuses": [
                {"from": left or None, "to": right or None, "journeys": int(journeys)}
                for left, right, journeys in self._ask("moves")
            ],
            "milestones": [
                {"milestone": name, "from": left, "to": right, "journeys": int(journeys)}
                for name, left, right, journeys in self._ask("milestone_moves")
            ],
            "samples": [
                {
                    "journey": f"{root:016x}",
                    "root": names.get(root, ""),
                    "from": left or None,
                    "to": right or None,
                    "milestones": {name: [one, other] for name, one, other in map(values, moved)},
                }
                for root, left, right, moved in samples
            ],
        }

    def _fill_differing(self) -> None:
        """Collect the journeys that differ; only milestones that both sides know are compared."""
        before, after = (
            [one.name for one in side.process.milestones] for side in (self._before, self._after)
        )
        names = [name for name in before if name in after]
        self._workspace.clear()
        self._run.do(
            "differing",
            names=names,
            places_before=[before.index(name) + 1 for name in names],
            places_after=[after.index(name) + 1 for name in names],
        )

    def _ask(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._store.query(
            self._queries[name], {**self._scope, **parameters}, role=Role.CORRELATOR
        ).result_rows
        return rows


def clocks_of(process: Process) -> dict[str, tuple[str, bool]]:
    """The milestone that starts the clock of each, where one does, and whether its last occurrence does."""
    found = {one.name: process.clock_of(one) for one in process.milestones}
    return {name: clock for name, clock in found.items() if clock and clock[0] in found}


def _on_time(timed: dict[str, int]) -> float | None:
    """Of the journeys whose due time has passed or was met: the share that met it; None if there is none."""
    judged = sum(timed.get(state, 0) for state in ("met", "met_late", "late"))
    return timed.get("met", 0) / judged if judged else None


def values(one: Any) -> tuple[Any, ...]:
    """A tuple of the engine, which some clients give as a dictionary."""
    return tuple(one.values()) if isinstance(one, dict) else tuple(one)


def iso(moment: datetime | None) -> str | None:
    """A time for JSON; one without a zone is the engine's, in UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def micros(moment: datetime) -> str:
    """A time as a parameter of statements."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
