"""A process with the statements that link it, of the live path and of a rebuild."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughline.collector.store import load_queries
from throughline.correlator.link import link_parameters, link_statements, shares_levels

if TYPE_CHECKING:
    from collections.abc import Collection

    from throughline.correlator.definition import Process


@dataclass(frozen=True)
class Linker:
    """`parameters` are those that all its statements share."""

    process: Process
    live: dict[str, str]
    fresh: dict[str, str]
    parameters: dict[str, Any]
    shared: bool

    @classmethod
    def of(cls, process: Process, attributes: Collection[str] | None = None) -> Linker:
        """Journeys keep the attributes that the process's expressions read, or those that are given."""
        kept = process.attributes_used if attributes is None else attributes
        own = load_queries("throughline.correlator", "worker")
        live, fresh = (link_statements(process, fresh=fresh) | own for fresh in (False, True))
        return cls(process, live, fresh, link_parameters(process, kept), shares_levels(process))

    def links_like(self, other: Linker) -> bool:
        """Whether both put the same events into the same journeys."""
        return (self.process.levels, self.fresh, self.parameters | {"attributes": ()}) == (
            other.process.levels,
            other.fresh,
            other.parameters | {"attributes": ()},
        )
