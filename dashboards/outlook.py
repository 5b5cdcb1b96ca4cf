"""Outlook: of comparable journeys that had waited as long, the share that was in time; and how that held.

Comparable are journeys of the process for whose milestone the due time has passed: in the same entity if 50
of them there have met it, else in the same region, else in the process; below that nothing is said. Ages are
plain time from the start of the milestone's clock. In time is what each had to be by its own due time.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.definition_parts import CUT_OFF
from throughline.correlator.link import expand
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from throughline.correlator.definition import Process
    from throughline.correlator.definition_parts import Milestone
    from throughline.dashboards.queries import Kept

FEWEST = 50
"""Completions of a group below which nothing is said."""
LATEST = 1_000
"""Comparable journeys of a group that count, the latest ones."""
RECENT = 50_000
"""Journeys of a process that are looked at, the latest ones: bounds time and memory."""
SAMPLES = 100
"""Journeys per milestone that the calibration looks at, the latest ones."""
LIKELY_LATE = 0.5
"""A milestone whose share is below is likely late."""
KEPT_SECONDS = 300.0
"""How long what is comparable and the calibration are kept."""
FIFTHS = 5
_BLOCKS = load_queries("throughline.dashboards", "outlook")
SQL = {name: expand(text, _BLOCKS, {}) for name, text in _BLOCKS.items()}
Row = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Curve:
    """How long those in time took, and how long the others did or were waited for; microseconds, sorted."""

    made: Sequence[int]
    missed: Sequence[int]

    def at(self, age: int) -> tuple[int, int]:
        """Of those that had not met it at an age: how many were in time, and how many there are."""
        made = len(self.made) - bisect_right(self.made, age)
        return made, made + len(self.missed) - bisect_right(self.missed, age)


@dataclass(frozen=True)
class Experience:
    """What is known of a process: curves by milestone, kind of group and its value; the calibration."""

    curves: Mapping[tuple[str, str, str], Curve]
    calibration: Mapping[str, Row]
    known_at: datetime


class Outlooks:
    """Answers for one tenant by one clock reading."""

    def __init__(self, store: Store, kept: Kept, tenant: str, now: datetime) -> None:
        self._store, self._kept, self._tenant, self._now = store, kept, tenant, now

    def of(self, process: Process | None, journey: Row) -> dict[str, Row]:
        """The outlook of each milestone of a journey whose clock runs; others have none."""
        if process is None or journey["ClosedAt"] is not None:
            return {}
        waiting = {name: one for name, one in journey["milestones"].items() if one["state"] == "due"}
        if not waiting:
            return {}
        experience = self.experience(process)
        found = {}
        for name in waiting:
            started = _started(process, name, journey)
            if started is not None:
                age = int((self._now - started).total_seconds() * 1_000_000)
                said = _said(experience, name, journey, age)
                if said is not None:
                    found[name] = said
        return found

    def experience(self, process: Process) -> Experience:
        """What is known of a process, kept for some minutes."""
        key = ("outlook", self._tenant, process.id, process.definition_hash)
        return self._kept.get(key, lambda: self._ask_or_nothing(process))

    def _ask_or_nothing(self, process: Process) -> Experience:
        """An outlook is no reason for a page to fail: without an answer nothing is said for a while."""
        try:
            return self._ask(process)
        except StoreError:
            log.exception("no outlook for %s of %s", process.id, self._tenant)
            return Experience({}, {}, self._now)

    def _ask(self, process: Process) -> Experience:
        found = curves(self._store, self._tenant, process, self._now)
        if not found:
            return Experience({}, {}, self._now)
        sampled = _given(self._tenant, process, self._now) | {"samples": SAMPLES}
        rows = self._store.query(SQL["calibration"], sampled, role=Role.PAGES).result_rows
        return Experience(found, calibrated(rows), self._now)


def curves(
    store: Store, tenant: str, process: Process, now: datetime, *, role: Role = Role.PAGES
) -> dict[tuple[str, str, str], Curve]:
    """The curves of a process by milestone, kind of group and its value. Raises: StoreError."""
    given = _given(tenant, process, now)
    rows = store.query(SQL["curves"], given, role=role).result_rows if given["names"] else ()
    return {(name, kind, value): Curve(made, missed) for name, kind, value, made, missed in rows}


def _given(tenant: str, process: Process, now: datetime) -> Row:
    """What the queries take."""
    clocks = {one.name: clock_of(process, one) for one in process.milestones if one.within}
    return {
        "tenant": tenant,
        "now": f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}",
        "process": process.id,
        "names": list(clocks),
        "starts": [start for start, _ in clocks.values()],
        "kinds": [kind for _, kind in clocks.values()],
        "recent": RECENT,
        "latest": LATEST,
        "fewest": FEWEST,
    }


def calibrated(rows: Sequence[Sequence[Any]]) -> dict[str, Row]:
    """Rows of the query `calibration` by milestone: the table of fifths, the Brier score, the number."""
    found: dict[str, Row] = {}
    for name, fifth, count, said, observed, squared in rows:
        one = found.setdefault(name, {"fifths": {}, "predictions": 0, "brier": 0.0})
        one["fifths"][int(fifth)] = {"predictions": int(count), "said": said, "observed": observed}
        one["brier"] += squared * count
        one["predictions"] += int(count)
    for one in found.values():
        one["brier"] /= one["predictions"]
    return found


def _said(experience: Experience, name: str, journey: Row, age: int) -> Row | None:
    """By the first group that has seen enough; None if none has, or nobody there waited as long."""
    groups = (("entity", journey["Entity"]), ("region", journey["Region"]), ("process", ""))
    found = [(kind, value, experience.curves.get((name, kind, value))) for kind, value in groups]
    kind, value, curve = next((one for one in found if one[2] is not None), ("", "", None))
    made, reached = curve.at(age) if curve else (0, 0)
    if not reached:
        return None
    share = made / reached
    return {
        "share": share,
        "in_time": made,
        "based_on": reached,
        "group": f"{kind} {value}".strip(),
        "likely_late": share < LIKELY_LATE,
        "calibrated": _trust(experience.calibration.get(name), share),
        "known_at": experience.known_at,
    }


def _trust(calibration: Row | None, share: float) -> Row | None:
    """What became of those of which a share in the same fifth was said; None if there were none."""
    fifth = min(int(share * FIFTHS), FIFTHS - 1)
    if calibration is None or fifth not in calibration["fifths"]:
        return None
    of_fifth = calibration["fifths"][fifth]
    return {
        "from": fifth / FIFTHS,
        "to": (fifth + 1) / FIFTHS,
        "observed": of_fifth["observed"],
        "predictions": of_fifth["predictions"],
        "brier": calibration["brier"],
        "predictions_in_all": calibration["predictions"],
    }


def clock_of(process: Process, milestone: Milestone) -> tuple[str, str]:
    """The milestone that starts a clock, and whether its first or last occurrence does; or what else."""
    clock = process.clock_of(milestone)
    if clock is None:
        return "", "opened"
    if clock[0] == CUT_OFF and process.cycle:
        return "", "cut_off"
    return clock[0], "last" if clock[1] else "first"


def _started(process: Process, name: str, journey: Row) -> datetime | None:
    milestone = next((one for one in process.milestones if one.name == name), None)
    if milestone is None or milestone.within is None:
        return None
    start, kind = clock_of(process, milestone)
    found: datetime | None
    if kind == "opened":
        found = journey["OpenedAt"]
    elif kind == "cut_off":
        found = journey["CutOffAt"]
    else:
        found = journey["milestones"].get(start, {}).get("last_at" if kind == "last" else "met_at")
    return found
