"""What if: two definitions of one process and a period, as people say them and as a job carries them."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from throughline.correlator.calendar_files import load_calendars
from throughline.correlator.compare import Period
from throughline.correlator.definition import Process
from throughline.correlator.definition_tables import TableFiles
from throughline.correlator.durations import parse_duration
from throughline.correlator.process import load_process
from throughline.dashboards.payload import Payload
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMPARE = "compare"
"""The kind of job that answers a question."""


class Question(Payload):
    """Two definitions of one process, and a `Period`."""

    before: Process
    after: Process
    since: datetime | None
    until: datetime | None
    now: datetime

    @property
    def period(self) -> Period:
        """Which journeys and events count."""
        return Period(self.since, self.until, self.now)


def ask(
    before: Process,
    after: Process,
    now: datetime,
    *,
    since: str | None = None,
    until: str | None = None,
) -> Question:
    """Put a question together; times are `moment`s.

    Raises:
        ConfigurationError: two processes, or a period that ends before it begins.
    """
    if before.id != after.id:
        raise ConfigurationError(
            f"{before.id} and {after.id} are two processes: compare two definitions of one process."
        )
    end = moment(until, now) if until else None
    start = moment(since, end or now) if since else None
    if start is not None and start >= (end or now):
        raise ConfigurationError(f"Nothing lies between {since} and {until or 'now'}: begin earlier.")
    return Question(before=before, after=after, since=start, until=end, now=now)


def moment(text: str, end: datetime) -> datetime:
    """Read `90d` (so long before `end`), a date (its midnight) or a time; UTC where no zone is given.

    Raises:
        ConfigurationError: it is neither.
    """
    with contextlib.suppress(ValueError):
        length = parse_duration(text)
        if not length.business:
            return end - timedelta(seconds=length.seconds)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"'{text}' is no time: write it like 90d, 2026-07-01 or 2026-07-01T12:00:00Z."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def changed(process: Process, changes: Sequence[str], config: Path | None) -> Process:
    """A definition with some fields changed (`correlator/changes.py`); its own calendars count first.

    Raises:
        InvalidProcess: with every problem found.
    """
    tree = json.loads(process.model_dump_json(by_alias=True, exclude={"calendars", "tables"}))
    known = {**load_calendars(config).calendars, **process.calendars}
    tables = TableFiles(config, process.tables)
    return load_process(json.dumps(tree), calendars=known, tables=tables, changes=changes)


def from_text(text: str, process: Process) -> Process:
    """A definition from YAML text; the shipped calendars count, and those of the process in use.

    Raises:
        InvalidProcess: with every problem found.
    """
    calendars = {**load_calendars(None).calendars, **process.calendars}
    return load_process(text, calendars=calendars, tables=process.tables)


def from_file(path: Path, changes: Sequence[str], config: Path | None) -> Process:
    """A definition from a file, with some fields changed; the calendars of `config` count.

    Raises:
        InvalidFile: with every problem found, in the file or in a calendar.
    """
    calendars = load_calendars(config)
    for error in calendars.errors:
        raise error
    tables = TableFiles(config)
    return load_process(path, calendars=calendars.calendars, tables=tables, changes=changes)
