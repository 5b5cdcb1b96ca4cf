"""The former result of a process, kept for a while: going back to its definition then means catching up
with what has come since, instead of deriving everything.

A generation is left when its definition counts no longer, before the first pass that follows another one.
Until the other's own result is there, passes go on with the old generation by the new definition; where
both link alike and nothing is missing from the rows, folding again mends that.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.definition import Process
from throughline.correlator.linker import Linker
from throughline.correlator.state import EPOCH, utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from throughline.correlator.state import Active, State

KEPT_FOR = timedelta(hours=20)
"""So long a generation can be brought up to date: `trace_inbox` keeps a day."""

SHARE = 10
"""A live pass takes about so many times as long for an event as a rebuild does."""

FEW = 1_000
"""So many events are caught up with whatever their share is."""

_COLUMNS = (
    "Generation", "DefinitionHash", "Watermark", "Stragglers", "LeftAt", "Alike", "KeptAt",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """A generation that was left: by which definition it was made, and up to when and which version that
    kept it up; `alike`, whether those that did so afterwards link alike.
    """

    generation: int
    definition_hash: str
    watermark: datetime
    stragglers: int
    left_at: int
    alike: bool
    kept_at: datetime


class KeptGenerations:
    """Notes which generations are kept, and says which can be used again."""

    def __init__(self, store: Store, state: State) -> None:
        self._store = store
        self._state = state
        self._left: set[tuple[str, str]] = set()
        self._mixed: dict[str, set[str]] = {}

    def of(self, tenant: str, process: str) -> list[Kept]:
        """Those of a process."""
        rows = self._state.ask("left", tenant=tenant, process=process)
        return [
            Kept(
                int(row[0]),
                str(row[1]),
                utc(row[2]),
                int(row[3]),
                int(row[4]),
                bool(row[5]),
                utc(row[6]),
            )
            for row in rows
        ]

    def leave(self, tenant: str, following: Process) -> None:
        """Note, once, if a definition other than the one that made the active generation counts from now
        on. To be called before the first pass that follows it.
        """
        active = self._state.active(tenant).get(following.id)
        if active is None or (tenant, following.id) in self._left:
            return
        if active.definition_hash != following.definition_hash:
            self._note(tenant, following, active)
        self._left.add((tenant, following.id))

    def _note(self, tenant: str, following: Process, active: Active) -> None:
        progress = self._state.progress(tenant)
        noted = {one.generation: one for one in self.of(tenant, following.id)}
        kept = noted.get(active.generation)
        alike = self._alike(tenant, following, active.definition_hash)
        if kept is None:
            kept = Kept(
                active.generation,
                active.definition_hash,
                progress.watermark,
                progress.stragglers,
                progress.version,
                alike,
                self._state.clock(),
            )
        elif kept.alike <= alike:
            return
        else:
            kept = replace(kept, alike=False)
        self._write(tenant, following.id, kept)

    def mixed(self, tenant: str, active: Mapping[str, Active]) -> set[str]:
        """Processes whose active generation was left: if its definition counts again before another had a
        result, what the other has folded is still in it.
        """
        if tenant not in self._mixed:
            self._mixed[tenant] = {
                name
                for name, present in active.items()
                if any(one.generation == present.generation for one in self.of(tenant, name))
            }
        return self._mixed[tenant]

    def usable(self, tenant: str, process: Process, most: int) -> tuple[Kept | None, str]:
        """The generation that this definition made, if catching up with at most so many events costs less
        than a rebuild; else why there is none.
        """
        found = [one for one in self.of(tenant, process.id) if one.definition_hash == process.definition_hash]
        if not found:
            return None, "no former result of this definition is kept"
        kept = found[-1]
        if self._state.clock() - kept.kept_at > KEPT_FOR:
            return None, "the former result is too old to catch up"
        if self._state.progress(tenant).stragglers != kept.stragglers:
            return None, "events came out of turn since the former result was left"
        given = {"tenant": tenant, "process": process.id, "generation": kept.generation, "left": kept.left_at}
        if not kept.alike and self._state.ask("changed_since", **given)[0][0]:
            return None, "a definition that links otherwise has changed the former result"
        total = int(self._state.ask("count_events", tenant=tenant)[0][0])
        missed = int(self._state.ask("count_recent", tenant=tenant, since=kept.watermark)[0][0])
        if missed > min(most, max(FEW, total // SHARE)):
            return None, f"{missed} events came since the former result was left: deriving all is quicker"
        return kept, ""

    def settle(self, tenant: str, process: str, former: Active | None, active: int) -> None:
        """After a swap: of the generations noted only the former one is still there to go back to."""
        there = {former.generation} - {active} if former else set()
        self._forget(
            tenant, process, (one for one in self.of(tenant, process) if one.generation not in there)
        )
        self._mixed.pop(tenant, None)
        self._left.discard((tenant, process))

    def forget_all(self, tenant: str) -> None:
        """Go back to none, but keep in mind which active one has to be mended."""
        for process, active in self._state.active(tenant).items():
            self._forget(
                tenant,
                process,
                (one for one in self.of(tenant, process) if one.generation != active.generation),
            )

    def drop_stale(self, tenant: str) -> None:
        """Drop what is too old to be used."""
        now = self._state.clock()
        for process, active in self._state.active(tenant).items():
            old = (one for one in self.of(tenant, process) if now - one.kept_at > KEPT_FOR)
            stale = {one.generation: one for one in old if one.generation != active.generation}
            if stale:
                self._forget(tenant, process, stale.values())
                self._state.drop_generations(process, stale.__contains__)

    def _alike(self, tenant: str, following: Process, made_by: str) -> bool:
        """Whether the definition that made a generation links like another that reads all that it reads."""
        query = load_queries("throughline.correlator", "closing")["definition_of"]
        given = {"tenant": tenant, "process": following.id, "hash": made_by}
        rows = self._store.query(query, given, role=Role.CORRELATOR).result_rows
        try:
            before = Process.model_validate_json(rows[0][0]) if rows else None
        except ValidationError:
            return False  # written by a version that knew other fields
        if before is None:
            return False
        same = Linker.of([before]).links_like(Linker.of([following]))
        return same and before.attributes_used <= following.attributes_used

    def _forget(self, tenant: str, process: str, several: Iterable[Kept]) -> None:
        for one in several:
            self._write(tenant, process, one, deleted=True)

    def _write(self, tenant: str, process: str, kept: Kept, *, deleted: bool = False) -> None:
        version = (self._state.clock() - EPOCH) // timedelta(microseconds=1)
        row = (tenant, process, *astuple(kept), version, deleted)
        columns = ("Tenant", "Process", *_COLUMNS, "Version", "Deleted")
        self._store.insert_rows("kept_generations", [row], columns, role=Role.CORRELATOR)
