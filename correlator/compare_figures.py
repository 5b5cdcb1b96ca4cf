"""What two sides of a comparison say: the figures of each, and what differs between them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.link import expand

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from throughline.correlator.definition import Process

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
        return {name: f"{one.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" for name, one in moments.items()}


class Figures:
    """Asks for the figures of one comparison."""

    def __init__(self, store: Store, tenant: str, period: Period, sources: Collection[int]) -> None:
        """`sources` are the generations that know what roots are called."""
        blocks = load_queries("throughline.correlator", "compare")
        self._queries = {name: expand(text, blocks, {}) for name, text in blocks.items() if "$1" not in text}
        self._store = store
        self._period = period
        self._scope = {"tenant": tenant, "sources": sorted(set(sources)), **period.parameters}

    def compare(self, before: tuple[Process, int], after: tuple[Process, int]) -> dict[str, Any]:
        """The figures of two definitions, each with its generation, and what differs."""
        process = after[0].id
        return {
            "process": process,
            "since": _iso(self._period.since),
            "until": _iso(self._period.clock),
            "before": self._side(*before),
            "after": self._side(*after),
            "changes": self._changes(process, before[1], after[1]),
        }

    def _side(self, process: Process, generation: int) -> dict[str, Any]:
        scope = {"process": process.id, "generation": generation}
        counted = {status: int(count) for status, count in self._ask("statuses", **scope)}
        statuses = {status: counted.get(status, 0) for status in STATUSES}
        return {
            "version": process.version,
            "definition": process.definition_hash,
            "journeys": sum(statuses.values()),
            "statuses": statuses,
            "milestones": self._milestones(process, generation),
        }

    def _milestones(self, process: Process, generation: int) -> dict[str, Any]:
        scope = {"process": process.id, "generation": generation}
        states: dict[str, dict[str, int]] = defaultdict(dict)
        timed: dict[str, dict[str, int]] = defaultdict(dict)
        stuck: dict[str, int] = defaultdict(int)
        for name, state, journeys, with_due, holding in self._ask("milestones", **scope):
            states[name][state], timed[name][state] = int(journeys), int(with_due)
            stuck[name] += int(holding)
        clocks = self._clocks(process)
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

    @staticmethod
    def _clocks(process: Process) -> dict[str, tuple[str, bool]]:
        """Which milestone starts the clock of each, and whether its last occurrence does."""
        found = {one.name: process.clock_of(one) for one in process.milestones}
        return {name: clock for name, clock in found.items() if clock and clock[0] in found}

    def _changes(self, process: str, before: int, after: int) -> dict[str, Any]:
        scope = {"process": process, "before": before, "after": after}
        samples = self._ask("samples", **scope, each=SAMPLES_EACH, limit=SAMPLES)
        roots = [root for root, *_ in samples]
        named = self._ask("root_names", process=process, roots=roots)
        names = {int(root): str(name) for root, name in named}
        return {
            "journeys": int(self._ask("changed", **scope)[0][0]),
            "statuses": [
                {"from": left or None, "to": right or None, "journeys": int(journeys)}
                for left, right, journeys in self._ask("moves", **scope)
            ],
            "milestones": [
                {"milestone": name, "from": left, "to": right, "journeys": int(journeys)}
                for name, left, right, journeys in self._ask("milestone_moves", **scope)
            ],
            "samples": [
                {
                    "journey": f"{root:016x}",
                    "root": names.get(root, ""),
                    "from": left or None,
                    "to": right or None,
                    "milestones": {name: [one, other] for name, one, other in map(_values, moved)},
                }
                for root, left, right, moved in samples
            ],
        }

    def _ask(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._store.query(
            self._queries[name], {**self._scope, **parameters}, role=Role.CORRELATOR
        ).result_rows
        return rows


def _on_time(timed: dict[str, int]) -> float | None:
    """Of the journeys whose due time has passed or was met: the share that met it; None if there is none."""
    judged = sum(timed.get(state, 0) for state in ("met", "met_late", "late"))
    return timed.get("met", 0) / judged if judged else None


def _values(one: Any) -> tuple[Any, ...]:
    """A tuple of the engine, which some clients give as a dictionary."""
    return tuple(one.values()) if isinstance(one, dict) else tuple(one)


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
