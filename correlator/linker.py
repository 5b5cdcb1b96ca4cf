"""Processes with the statements that link them all at once, in the live path and in a rebuild."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from throughline.correlator.link import link_parameters, link_statements, shares_levels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from throughline.correlator.definition import Process


@dataclass(frozen=True)
class Linker:
    """`parameters` are those that all its statements share; the place of a process in it is its number P."""

    processes: tuple[Process, ...]
    parameters: dict[str, Any]

    @classmethod
    def of(cls, processes: Sequence[Process], attributes: Collection[str] | None = None) -> Linker:
        """Journeys keep the attributes that their process's expressions read, or those that are given."""
        kept = [one.attributes_used if attributes is None else attributes for one in processes]
        return cls(tuple(processes), link_parameters(processes, kept))

    @cached_property
    def live(self) -> dict[str, str]:
        """The statements for what is new."""
        return link_statements(self.processes, fresh=False)

    @cached_property
    def fresh(self) -> dict[str, str]:
        """The statements for everything."""
        return link_statements(self.processes, fresh=True)

    @property
    def shared(self) -> bool:
        """Whether aliases can exist."""
        return shares_levels(self.processes)

    def targets(self, generations: Sequence[int]) -> dict[str, Any]:
        """The parameters that say which rows are meant: of all its processes, in these generations."""
        pairs = zip((process.id for process in self.processes), generations, strict=True)
        return {"generations": list(generations), "targets": list(pairs)}

    def links_like(self, other: Linker) -> bool:
        """Whether both put the same events into the same journeys."""
        return ([one.levels for one in self.processes], self.parameters | {"attributes": ()}) == (
            [one.levels for one in other.processes],
            other.parameters | {"attributes": ()},
        )
