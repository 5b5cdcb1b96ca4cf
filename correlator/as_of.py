"""What was known at a time, and what is known of that time now.

Facts have two clocks: when they happened (`Time`), and when they were stored (`IngestedAt`). None is ever
changed or removed, so both sides are derived anew, beside the live journeys, and dropped afterwards:

1. Then: the facts stored by the time, each in the version that counted, linked and folded as the live path
   would have, judged by the clock at that time.
2. Now: the facts of what had happened by that time, whenever they were stored, linked, folded and judged
   alike.

What lies between them are facts that came late. What has happened since is no part of either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from throughline.collector.store import Role, load_queries
from throughline.correlator.compare import Comparer
from throughline.correlator.compare_figures import Period, Side, iso, micros
from throughline.correlator.definition import Process
from throughline.correlator.link import ancestry_statements, expand
from throughline.correlator.linker import Linker
from throughline.correlator.picture import NOW, THEN, Picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.correlator.closing import Closing

SQL = load_queries("throughline.correlator", "as_of")
_SPANS_THEN = "IngestedAt <= {at:DateTime64(6, 'UTC')}"


class Hindsight(Comparer):
    """Derives what was known. No comparison and no rebuild of the process may work at the time."""

    def look(self, tenant: str, present: Process, at: datetime, known_at: datetime) -> dict[str, Any]:
        """The figures of both sides and what differs, ready for JSON (docs/how-to-look-back.md).

        `present` is the definition in use; one that was in use at `at` counts instead if it is on record.
        `known_at` is when this is asked. Raises: StoreError.
        """
        process, source = self._definition_at(tenant, present, at)
        first = self._state.next_generation(process.id)
        self._drop(process.id, first)
        try:
            self._derive(tenant, process, first, at, "known_then")
            second = first
            if self._one("has_late", tenant, process.id, at)[0][0]:
                second = first + 1
                self._derive(tenant, process, second, at, "known_now")
            workspace = self._space(0)
            workspace.create()
            try:
                picture = Picture(self._store, workspace, tenant, process, at)
                picture.fill(THEN, first)
                picture.fill(NOW, second)
                return {
                    "process": process.id,
                    "at": iso(at),
                    "known_at": iso(known_at),
                    "definition": _definition(process, source),
                    "then": picture.figures(THEN),
                    "now": picture.figures(NOW),
                    "restated": picture.restated(at, sorted({first, second})),
                    "journeys": picture.journeys(THEN, [first]),
                }
            finally:
                workspace.clear()
        finally:
            self._drop(process.id, first)

    def restate(self, tenant: str, present: Process, closing: Closing, known_at: datetime) -> dict[str, Any]:
        """A closing beside what is known now of the time when it was made. Raises: StoreError."""
        process, source = self._definition_of(tenant, present, closing.definition_hash)
        first = self._state.next_generation(process.id)
        self._drop(process.id, first)
        try:
            self._derive(tenant, process, first, closing.closed_at, "known_now")
            workspace = self._space(0)
            workspace.create()
            try:
                picture = Picture(self._store, workspace, tenant, process, closing.closed_at)
                picture.fill_closed(closing.snapshot)
                picture.fill(NOW, first, block="fill_of_closing", **closing.scope)
                return {
                    "known_at": iso(known_at),
                    "definition": _definition(process, source),
                    "now": picture.figures(NOW),
                    "restated": picture.restated(closing.correlated_until, [first]),
                }
            finally:
                workspace.clear()
        finally:
            self._drop(process.id, first)

    def _derive(self, tenant: str, process: Process, generation: int, at: datetime, facts: str) -> None:
        """Link and fold the facts of one side into a generation of its own."""
        counting = {"counting_facts": SQL[facts]}
        if facts == "known_then":
            counting["counting_spans"] = _SPANS_THEN
        ancestry = ancestry_statements(**counting)
        if facts == "known_now":
            ancestry["straddling"] = expand(SQL["straddling"], {}, {})
        self._link(tenant, {generation: Linker.of([process])}, ancestry, at=micros(at))
        self._fold(tenant, generation, [Side(process, generation, generation)], Period(None, None, at))

    def _definition_at(self, tenant: str, present: Process, at: datetime) -> tuple[Process, str]:
        """The definition in use at a time, and where it is from: `then` or `present`."""
        return _known(self._one("definition_at", tenant, present.id, at), present)

    def _definition_of(self, tenant: str, present: Process, content: str) -> tuple[Process, str]:
        sql = load_queries("throughline.correlator", "closing")["definition_of"]
        given = {"tenant": tenant, "process": present.id, "hash": content}
        return _known(self._store.query(sql, given, role=Role.CORRELATOR).result_rows, present)

    def _one(self, name: str, tenant: str, process: str, at: datetime) -> Sequence[Sequence[Any]]:
        given = {"tenant": tenant, "process": process, "at": micros(at)}
        rows: Sequence[Sequence[Any]] = self._store.query(SQL[name], given, role=Role.CORRELATOR).result_rows
        return rows


def _known(rows: Sequence[Sequence[Any]], present: Process) -> tuple[Process, str]:
    """The definition on record; the present one if there is none, or a later version can't read it."""
    for source, *_ in rows:
        try:
            return Process.model_validate_json(source), "then"
        except ValidationError:
            break
    return present, "present"


def _definition(process: Process, source: str) -> dict[str, Any]:
    return {"version": process.version, "hash": process.definition_hash, "in_use": source}
