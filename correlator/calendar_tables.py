"""Business calendars in the store: written once for each content, read by folding."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from throughline.collector.store import Role, Store
from throughline.correlator.business_calendar import around_the_clock
from throughline.correlator.business_clock import calendars_of, times
from throughline.correlator.business_time import deadlines
from throughline.correlator.durations import Deadline
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.business_calendar import BusinessCalendar
    from throughline.correlator.definition import Process
    from throughline.correlator.period_calendar import PeriodCalendar

_INTERVALS = "SELECT count() FROM calendar_intervals WHERE Calendar = {calendar:String}"
_DEADLINES = (
    "SELECT count() FROM calendar_deadlines"
    " WHERE Calendar = {calendar:String} AND Deadline = {deadline:String}"
)

_ROWS = "SELECT uniqExact(Key, ValidFrom) FROM reference_rows WHERE Content = {content:String}"
_PERIODS = "SELECT count() FROM calendar_periods WHERE Calendar = {calendar:String}"


class CalendarTables:
    """Keeps the working time of calendars where folding finds it. Each insert is whole or not at all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._provided: set[str] = set()

    def provide(self, process: Process) -> None:
        """Write what folding this process needs and the store does not hold yet.

        Raises: StoreError; ConfigurationError where a reference table is not in the store.
        """
        if process.definition_hash in self._provided:
            return
        for name, table in process.tables.items():
            if self._count(_ROWS, content=table.content) < table.rows:
                raise ConfigurationError(
                    f"The store does not hold the reference table {name} as {process.id} names it: put "
                    f"tables/{name}.csv into the configuration of the platform, then ask again."
                )
        wanted = times(process)
        always = around_the_clock().content_hash
        # The waiting-on ledger counts by every calendar that rests, even if no promise does.
        for calendar in calendars_of(process):
            if not wanted and calendar.content_hash == always:
                continue
            if not self._count(_INTERVALS, calendar=calendar.content_hash):
                self._write_axis(calendar)
            for due in wanted:
                if isinstance(due, Deadline) and not self._count(
                    _DEADLINES, calendar=calendar.content_hash, deadline=due.text
                ):
                    self._write_deadline(calendar, due)
        if process.periods and not self._count(_PERIODS, calendar=process.periods.content_hash):
            names = ["Variant", "Start", "First", "Last", "CutOff"]
            self._write("calendar_periods", process.periods, list(process.periods.rows()), names)
        self._provided.add(process.definition_hash)

    def _write_axis(self, calendar: BusinessCalendar) -> None:
        laid = calendar.axis
        days = zip(laid.day_works, laid.day_lengths, strict=True)
        self._write("calendar_days", calendar, list(days), ["Work", "Length"])
        intervals = zip(laid.starts, laid.lengths, laid.works, strict=True)
        self._write("calendar_intervals", calendar, list(intervals), ["Start", "Length", "Work"])

    def _write_deadline(self, calendar: BusinessCalendar, due: Deadline) -> None:
        found = deadlines(due, calendar.axis, ZoneInfo(calendar.time_zone))
        rows = [(due.text, since, instant) for since, instant in found]
        self._write("calendar_deadlines", calendar, rows, ["Deadline", "Since", "Due"])

    def _write(
        self,
        table: str,
        calendar: BusinessCalendar | PeriodCalendar,
        rows: Sequence[tuple[object, ...]],
        columns: list[str],
    ) -> None:
        hashed = [(calendar.content_hash, *row) for row in rows]
        self._store.insert_rows(table, hashed, ["Calendar", *columns], role=Role.CORRELATOR)

    def _count(self, sql: str, **parameters: str) -> int:
        return int(self._store.query(sql, parameters, role=Role.CORRELATOR).result_rows[0][0])
