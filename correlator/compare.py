"""How journeys would differ under another definition of their process.

1. Each of the two definitions gets a generation of its own. Neither is ever activated: no reader sees them.
2. If both link as the present definition does, membership is that of the active generation. Else both are
   linked from the same facts, once if they link alike.
3. Both are folded from the same events: those before `until`, of the journeys opened since `since`.
4. SQL compares the two, then they are dropped. What a death leaves, the next comparison or rebuild drops.

What arrives meanwhile may be seen or not, but by both sides alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator import passes
from throughline.correlator.compare_figures import Figures, Period, Side
from throughline.correlator.fold import fold_sql
from throughline.correlator.fold_input import Tables
from throughline.correlator.link import ancestry_statements
from throughline.correlator.linker import Linker
from throughline.correlator.workspace import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from throughline.correlator.calendar_tables import CalendarTables
    from throughline.correlator.definition import Process
    from throughline.correlator.state import State
    from throughline.correlator.workspace import Workspace

__all__ = ["Comparer", "Period"]

CHUNK = 250_000
"""Events folded at once: they are held in memory."""

_COUNTS = " AND Time < {until:DateTime64(6, 'UTC')}"


class Comparer:
    """Derives two sides and compares them. No other and no rebuild of the process may work at the time."""

    def __init__(
        self,
        store: Store,
        state: State,
        calendars: CalendarTables,
        space: Callable[[int], Workspace],
        checkpoint: Callable[[str], None],
    ) -> None:
        """`space` gives the working tables for so many events."""
        self._store = store
        self._state = state
        self._calendars = calendars
        self._space = space
        self._checkpoint = checkpoint
        self._queries = load_queries("throughline.correlator", "compare")

    def compare(
        self,
        tenant: str,
        before: Process,
        after: Process,
        period: Period,
        present: tuple[Process, int] | None,
    ) -> dict[str, Any]:
        """Return the figures of both sides and what differs, ready for JSON (docs/how-to-what-if.md).

        `present` is the definition that the live path follows, with its active generation, if it is up to
        date. Raises: StoreError.
        """
        first = self._state.next_generation(after.id)
        self._drop(after.id, first)
        try:
            sources = self._sources(tenant, before, after, first, present)
            sides = Side(before, first, sources[0]), Side(after, first + 1, sources[1])
            for source in sorted(set(sources)):
                self._fold(tenant, source, [side for side in sides if side.source == source], period)
            workspace = self._space(0)
            try:
                return Figures(self._store, workspace, tenant, sides, period).compare()
            finally:
                workspace.clear()
        finally:
            self._drop(after.id, first)

    def _drop(self, process: str, first: int) -> None:
        self._checkpoint("drop_comparison")
        self._state.drop_generations(process, lambda number: number >= first)

    def _sources(
        self,
        tenant: str,
        before: Process,
        after: Process,
        first: int,
        present: tuple[Process, int] | None,
    ) -> tuple[int, int]:
        """The generations whose membership counts for the two sides; what is missing is linked."""
        kept = before.attributes_used | after.attributes_used
        linkers = (Linker.of([before], kept), Linker.of([after], kept))
        alike = linkers[0].links_like(linkers[1])
        if alike and present is not None:
            process, generation = present
            if Linker.of([process]).links_like(linkers[0]) and kept <= process.attributes_used:
                return generation, generation
        sources = (first, first if alike else first + 1)
        self._link(tenant, dict(zip(sources, linkers, strict=True)))
        return sources

    def _link(
        self, tenant: str, wanted: dict[int, Linker], ancestry: dict[str, str] | None = None, **more: object
    ) -> None:
        """Link facts into some generations: membership, and what the roots are called.

        `ancestry` are statements that count some facts only, `more` their parameters.
        """
        events = int(self._state.ask("count_events", tenant=tenant)[0][0])
        if not events:
            return
        workspace = self._space(events)
        workspace.create()
        shared = {"tenant": tenant, "version": 0, **more}
        statements = ancestry or ancestry_statements()
        run = Run(self._store, workspace, statements, shared, checkpoint=self._checkpoint)
        try:
            if "straddling" in statements:
                run.do("straddling")
            run.do("affected_all")
            passes.find_lineage(run, fresh=True)
            for generation, linker in wanted.items():
                workspace.clear(keep=passes.PASS_TABLES)
                scope = linker.parameters | linker.targets([generation]) | shared
                run = Run(self._store, workspace, linker.fresh, scope, checkpoint=self._checkpoint)
                passes.link(run, linker, fresh=True)
                run.write("journey_events", "keys")
        finally:
            workspace.clear()

    def _fold(self, tenant: str, source: int, sides: Sequence[Side], period: Period) -> None:
        """Fold the journeys of a period, chunk by chunk: every side from the same rows."""
        workspace = self._space(0)
        workspace.create()
        tables = Tables.of(workspace.resolve)
        folding = [(side, fold_sql(side.process, tables, fresh=False)) for side in sides]
        for side in sides:
            self._calendars.provide(side.process)
        scope = {"tenant": tenant, "process": sides[0].process.id, "version": 0, **period.parameters}
        run = Run(self._store, workspace, self._queries, scope, checkpoint=self._checkpoint)
        try:
            for low, high in passes.ranges(2**64, -(-self._size(scope, source) // CHUNK)):
                workspace.clear()
                run.do("opened", generation=source, lo=low, hi=high)
                run.execute(folding[0][1].take + _COUNTS, targets=[(scope["process"], source)])
                for side, sql in folding:
                    self._checkpoint("fold_comparison")
                    for text in (*sql.clocks, sql.journeys):
                        run.execute(text, generation=side.generation)
        finally:
            workspace.clear()

    def _size(self, scope: dict[str, Any], source: int) -> int:
        found = self._store.query(
            self._queries["size"], {**scope, "generation": source}, role=Role.CORRELATOR
        )
        return int(found.result_rows[0][0])
