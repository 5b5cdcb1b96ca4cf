"""Folding what linking marked: the journeys of all processes, two processes at a time.

Each process has statements of its own: planning one takes longer than folding a few journeys with it, and
uses one core.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from throughline.correlator.fold import EVERYTHING, Seen, fold_sql
from throughline.correlator.fold_input import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from throughline.correlator.calendar_tables import CalendarTables
    from throughline.correlator.definition import Process
    from throughline.correlator.fold import FoldSql
    from throughline.correlator.workspace import Run, Workspace

LANES = ("", "_beside")
"""Each thread has working tables of its own where the rows of two processes must not meet."""


class Folder:
    """Folds the journeys that a run's working table `to_fold` lists."""

    def __init__(
        self, processes: Mapping[str, Process], workspace: Workspace, calendars: CalendarTables
    ) -> None:
        """`workspace` is that of the runs."""
        self._processes = processes
        self._calendars = calendars
        self._workspace = workspace
        self._sql: dict[tuple[str, str, Seen], FoldSql] = {}

    def fold(self, run: Run, generations: Mapping[str, int]) -> bool:
        """Fold them; returns whether exceptions may have changed.

        1. Take the events of all.
        2. Process by process, write the journeys; then the exceptions, where an event has failed, a check
           does not hold, or there were any before.
        3. Remove what was not written again.
        """
        for_all = self._of(LANES[0], next(iter(generations)), EVERYTHING)
        run.execute(for_all.take)
        taken = {
            str(name): Seen.of(self._processes[name], failed, events)
            for name, failed, events in run.ask("taken")
        }
        for name in taken:
            self._calendars.provide(self._processes[name])
        self._each(run, generations, taken, lambda _, sql: (*sql.clocks, sql.journeys))
        checked = any(self._processes[name].checks for name in taken)
        unheld = {str(name) for (name,) in run.ask("failed_checks")} if checked else set()
        before = {str(name) for (name,) in run.ask("touched")}
        judged = unheld | before

        def exceptions(name: str, sql: FoldSql) -> list[str]:
            wanted = [sql.failures] if taken[name].failed else []
            return [*wanted, sql.checks] if sql.checks and name in judged else wanted

        concerned = {name: seen for name, seen in taken.items() if seen.failed or name in judged}
        self._each(run, generations, concerned, exceptions)
        run.execute(for_all.vanished_journeys)
        if before:
            run.execute(for_all.vanished_exceptions)
        return bool(concerned or before)

    def notice(self, run: Run, generations: Mapping[str, int]) -> None:
        """Note what became of exceptions, after `fold`."""
        for text in self._of(LANES[0], next(iter(generations)), EVERYTHING).transitions:
            run.execute(text)

    def _of(self, lane: str, name: str, seen: Seen) -> FoldSql:
        """The statements of a process, generated when they are first needed."""
        key = (lane, name, seen)
        if key not in self._sql:
            tables = Tables.of(self._workspace.resolve, lane)
            self._sql[key] = fold_sql(self._processes[name], tables, fresh=False, seen=seen)
        return self._sql[key]

    def _each(
        self,
        run: Run,
        generations: Mapping[str, int],
        names: Mapping[str, Seen],
        texts: Callable[[str, FoldSql], Sequence[str]],
    ) -> None:
        """Execute some statements of each process, of every second one in the other lane."""

        def work(lane: str, some: Sequence[str]) -> None:
            for name in some:
                for text in texts(name, self._of(lane, name, names[name])):
                    run.execute(text, process=name, generation=generations[name])

        ordered = sorted(names)
        if len(ordered) < len(LANES):
            work(LANES[0], ordered)
            return
        with ThreadPoolExecutor(len(LANES)) as pool:
            parts = [pool.submit(work, lane, ordered[at :: len(LANES)]) for at, lane in enumerate(LANES)]
        for part in parts:
            part.result()
