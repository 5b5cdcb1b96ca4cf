"""Which journeys are likely late: at which ages outlooks say so, as a condition on the list of journeys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughline.dashboards.outlook import LIKELY_LATE, clock_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from throughline.correlator.definition import Process
    from throughline.dashboards.outlook import Curve, Outlooks
    from throughline.dashboards.reader import JourneyFilter

Group = tuple[str, str, str, str]
"""Process, milestone, kind of group and its value."""


@dataclass(frozen=True, slots=True)
class Likely:
    """The clocks of processes (process, milestone, what starts it, how), the groups of which something can
    be said, and the ages in microseconds, from and before, at which a milestone is likely late.
    """

    clocks: tuple[Group, ...] = ()
    groups: tuple[Group, ...] = ()
    ages: tuple[tuple[str, str, str, str, int, int], ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """As the query `likely_late` takes them."""
        return {"clocks": list(self.clocks), "groups": list(self.groups), "ages": list(self.ages)}


def likely(outlooks: Outlooks, processes: Iterable[Process]) -> Likely:
    """What is known of some processes."""
    clocks: list[Group] = []
    groups: list[Group] = []
    ages: list[tuple[str, str, str, str, int, int]] = []
    for process in processes:
        clocks += [(process.id, *clock) for clock in clocks_of(process)]
        for (name, kind, value), curve in outlooks.experience(process).curves.items():
            group = (process.id, name, kind, value)
            groups.append(group)
            ages += [(*group, *span) for span in late_ages(curve)]
    return Likely(tuple(clocks), tuple(groups), tuple(ages))


def clocks_of(process: Process) -> list[tuple[str, str, str]]:
    """The milestones of a process that may be late, each with what starts its clock, and how."""
    return [(one.name, *clock_of(process, one)) for one in process.milestones if one.judged]


def of(wanted: JourneyFilter, processes: Iterable[Process]) -> list[Process]:
    """The processes that a filter means."""
    return [one for one in processes if wanted.process in ("", one.id)]


def late_ages(curve: Curve) -> Iterator[tuple[int, int]]:
    """The ages, from and before, at which less than half of those that had not met it yet were in time."""
    steps = sorted({0, *curve.made, *curve.missed})
    began: int | None = None
    for age in steps:
        made, reached = curve.at(age)
        late = reached > 0 and made / reached < LIKELY_LATE
        if late and began is None:
            began = age
        elif not late and began is not None:
            yield began, age
            began = None
