"""Working tables of a run, and the one way its statements reach the store."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

_NAME = re.compile(r"@(\w+)")

LOOK_UPS = {
    "passable": "Join(ANY, LEFT, Span) SETTINGS persistent = 0",
    "same_object": "Join(ANY, LEFT, Key) SETTINGS persistent = 0",
    "depths": "Join(ANY, LEFT, Object) SETTINGS persistent = 0",
    "known": "Join(ANY, LEFT, Object) SETTINGS persistent = 0",
}
"""Working tables read by key instead of being joined."""


def scratch_columns() -> dict[str, str]:
    """The columns of each working table; ``= name`` in scratch.sql stands for those of another."""
    texts = {
        name: "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        for name, text in load_queries("throughline.correlator", "scratch").items()
    }
    return {name: texts[text[2:]] if text.startswith("= ") else text for name, text in texts.items()}


class Workspace:
    """Named working tables under a prefix of their own.

    In memory, or on disk for a large rebuild. They hold nothing that outlives a run: whatever a dead process
    left is emptied at the start of the next.
    """

    def __init__(self, store: Store, prefix: str, *, on_disk: bool) -> None:
        self._store = store
        self._prefix = prefix
        self._engine = "MergeTree ORDER BY tuple()" if on_disk else "Memory"
        self._columns = scratch_columns()
        self._used: set[str] = set()

    def create(self) -> None:
        """Create the tables that do not exist; empty those that a dead process left."""
        rows = self._store.query(
            "SELECT name FROM system.tables"
            " WHERE database = currentDatabase() AND startsWith(name, {prefix:String})",
            {"prefix": self._prefix},
            role=Role.CORRELATOR,
        ).result_rows
        existing = {str(row[0]).removeprefix(self._prefix) for row in rows}
        for name, columns in self._columns.items():
            if name not in existing:
                engine = LOOK_UPS.get(name, self._engine)
                self._store.command(
                    f"CREATE TABLE {self._prefix}{name} ({columns}) ENGINE = {engine}", role=Role.CORRELATOR
                )
        self._used = existing & set(self._columns)
        self.clear()

    def clear(self, *, keep: Collection[str] = ()) -> None:
        """Empty the tables written since the last call, but those to keep."""
        for name in sorted(self._used.difference(keep)):
            self._store.command(f"TRUNCATE TABLE {self._prefix}{name}", role=Role.CORRELATOR)
        self._used.intersection_update(keep)

    def resolve(self, text: str) -> str:
        """Put the tables' real names in place of ``@name``."""
        return _NAME.sub(lambda found: self._prefix + found[1], text)

    def note_use(self, text: str) -> None:
        """Remember which working table a statement fills."""
        self._used.update(re.findall(rf"INSERT INTO (?:@|{self._prefix})(\w+)", text))


class Run:
    """One pass over new or all events: executes statements by name with the parameters they share."""

    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        statements: Mapping[str, str],
        parameters: Mapping[str, Any],
        *,
        checkpoint: Callable[[str], None],
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._workspace = workspace
        self._statements = statements
        self._parameters = dict(parameters)
        self._checkpoint = checkpoint
        self._settings = settings
        self._lane: Executor | None = None
        self._aside: list[Future[None]] = []

    @contextmanager
    def lanes(self) -> Iterator[None]:
        """Let `aside` use a second thread: many statements keep one core busy at most."""
        with ThreadPoolExecutor(1) as lane:
            self._lane = lane
            try:
                yield
                self.join()
            finally:
                self._lane = None

    def aside(self, work: Callable[..., None], *names: str) -> None:
        """Call a method with names beside what follows until `join`; at once if there is one lane only."""
        if self._lane is None:
            work(*names)
        else:
            self._aside.append(self._lane.submit(work, *names))

    def join(self) -> None:
        """Wait for all that was put aside."""
        waiting, self._aside = self._aside, []
        for part in waiting:
            part.result()

    def do(self, *names: str, **parameters: object) -> None:
        """Execute statements in order."""
        for name in names:
            self.execute(self._statements[name], **parameters)

    def execute(self, text: str, **parameters: object) -> None:
        """Execute a statement given as text."""
        self._workspace.note_use(text)
        self._store.command(
            self._workspace.resolve(text),
            self._parameters | parameters,
            role=Role.CORRELATOR,
            settings=self._settings,
        )

    def write(self, *names: str, **parameters: object) -> None:
        """Execute statements that change stored tables; a checkpoint stands before each."""
        for name in names:
            self._checkpoint(name)
            self.do(name, **parameters)

    def ask(self, name: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query."""
        return self._rows(self._statements[name], {})

    def narrow(self, engaged: int) -> None:
        """Go on with some of the run's processes, a bit for each; the others are not concerned."""
        pairs = enumerate(zip(self._parameters["processes"], self._parameters["generations"], strict=True))
        targets = [pair for number, pair in pairs if engaged >> number & 1]
        self._parameters |= {"engaged": engaged, "targets": targets}

    def counts(self, *tables: str) -> list[int]:
        """Count rows of working tables."""
        counted = ", ".join(f"(SELECT count() FROM @{table})" for table in tables)  # noqa: S608 - by passes.py
        return [int(count) for count in self._rows(f"SELECT {counted}", {})[0]]

    def count(self, table: str, condition: str = "1", **parameters: object) -> int:
        """Count rows of a working table."""
        return self.value("count()", table, condition, **parameters)

    def value(self, expression: str, table: str, condition: str = "1", **parameters: object) -> int:
        """Aggregate a working table to one number."""
        text = f"SELECT {expression} FROM @{table} WHERE {condition}"  # noqa: S608 - from passes.py alone
        return int(self._rows(text, parameters)[0][0])

    def _rows(self, text: str, parameters: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        sql = self._workspace.resolve(text)
        rows: Sequence[Sequence[Any]] = self._store.query(
            sql, self._parameters | dict(parameters), role=Role.CORRELATOR
        ).result_rows
        return rows
