"""`throughline export-ocel` and `import-ocel`: a store into a file, a file into an intake."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.collector.store import Store
from throughline.dashboards.ocel.export import Export
from throughline.dashboards.ocel.facts import Facts, Tally
from throughline.dashboards.ocel.model import InvalidLog
from throughline.dashboards.ocel.read_json import read_json
from throughline.dashboards.ocel.read_lines import read_lines
from throughline.dashboards.ocel.read_sqlite import read_sqlite
from throughline.dashboards.ocel.sending import Intake, Sent, send
from throughline.dashboards.ocel.staging import staging
from throughline.dashboards.ocel.write_json import write_json
from throughline.dashboards.ocel.write_sqlite import write_sqlite
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import TypeVar

    from throughline.dashboards.engine_settings import EngineSettings

    One = TypeVar("One")
    Format = TypeVar("Format")

WRITERS = {".json": write_json, ".jsonocel": write_json, ".sqlite": write_sqlite}
READERS = {
    ".json": read_json,
    ".jsonocel": read_json,
    ".sqlite": read_sqlite,
    ".jsonl": read_lines,
    ".jsonl.gz": read_lines,
}


@dataclass(frozen=True)
class Exported:
    """What was written; events are with evidence."""

    events: int
    objects: int


@dataclass(frozen=True)
class Imported:
    """What was sent, what was not and why, and the key namespace of each object type."""

    sent: Sent
    tally: Tally
    namespaces: Mapping[str, str]


def export_log(
    settings: EngineSettings, tenant: str, process: str, path: Path, report: Callable[[str], None]
) -> Exported:
    """Write one process to a file, which appears, or is replaced, once it is whole.

    Raises: ConfigurationError, StoreError.
    """
    write = _by_suffix(path, WRITERS)
    if settings.store is None and not settings.data.joinpath("store").exists():
        raise ConfigurationError(f"{settings.data} holds no events yet: name the right folder with --data.")
    part = path.with_name(f"{path.name}.part")
    done: dict[str, int] = {"events": 0, "objects": 0}

    def counted(members: Iterable[One], what: str, most: int) -> Iterator[One]:
        for number, one in enumerate(members, 1):
            done[what] = number
            if number % 1_000 == 0:
                report(f"{number} {what} written, of {most} at most")
            yield one

    try:
        part.unlink(missing_ok=True)
        with closing(Store.open(settings.store_url)) as store:
            export = Export(store, tenant, process)
            events = counted(export.events(), "events", export.events_at_most)
            write(part, events, counted(export.objects(), "objects", export.objects_at_most))
        part.replace(path)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): choose another file."
        raise ConfigurationError(message) from error
    finally:
        part.unlink(missing_ok=True)
    return Exported(**done)


def import_log(
    path: Path, intake: Intake, now: datetime, report: Callable[[str], None], *, name: str | None = None
) -> Imported:
    """Send a log to an intake. All of it is read before anything is sent: a bad file sends nothing.

    `name` makes the ids of its events its own; default: the file's name without suffix.

    Raises: InvalidLog, IntakeError, ConfigurationError.
    """
    read = _by_suffix(path, READERS)
    if not path.is_file():
        raise ConfigurationError(f"{path} is no file: name an OCEL 2.0 log.")
    with staging() as log:
        report(f"reading {path}")
        read(path, log)
        facts = Facts(log, name or _stem(path), now)
        sent = send(facts.all(), intake, lambda sent: report(f"{sent.events} events sent"))
        return Imported(sent, facts.tally, facts.namespaces)


def _by_suffix(path: Path, formats: Mapping[str, Format]) -> Format:
    """The format of a file. Raises: InvalidLog."""
    for suffix, found in formats.items():
        if path.name.endswith(suffix):
            return found
    raise InvalidLog(f"{path}: the name must end with one of {', '.join(formats)}.")


def _stem(path: Path) -> str:
    """A file's name without what says its format: the same log in another format has the same identities."""
    return next(path.name.removesuffix(suffix) for suffix in READERS if path.name.endswith(suffix))
