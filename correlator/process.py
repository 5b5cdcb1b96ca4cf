"""Process definitions: reading them from files, with file, line and suggestion for whatever is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from throughline.correlator import yaml_lines
from throughline.correlator.calendar_files import AnyCalendar, load_calendars
from throughline.correlator.changes import PLACE, BadChangeError, change
from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import (
    Calendar,
    Check,
    Cycle,
    Level,
    Milestone,
    Pause,
    Was,
    Within,
)
from throughline.correlator.definition_tables import Known, TableFiles
from throughline.correlator.entitlements import Entitlement, Grant, Use
from throughline.correlator.parts import Path as Path_
from throughline.correlator.parts import unknown
from throughline.correlator.problems import InvalidFile, Problem, fields, file_of, files_of, following, read
from throughline.correlator.reference_files import ReferenceTable

__all__ = [
    "Calendar",
    "Check",
    "InvalidProcess",
    "Level",
    "LoadedProcesses",
    "Milestone",
    "Problem",
    "Process",
    "Within",
    "load_process",
    "load_processes",
    "places",
]

SHIPPED = Path(__file__).parent / "processes"
CHOICE = "shipped.yaml"
"""In `<config>/processes`: which of the shipped definitions to use."""
_MERGED_BY_NAME = ("milestones", "checks", "entitlements")
_PARTS = {
    (): [*fields(Process), "extends"],
    ("keys",): fields(Level),
    ("milestones",): fields(Milestone),
    ("milestones", "within"): fields(Within),
    ("milestones", "within", "paused"): fields(Pause),
    ("milestones", "within", "was"): fields(Was),
    ("checks",): fields(Check),
    ("entitlements",): fields(Entitlement),
    ("entitlements", "granted"): fields(Grant),
    ("entitlements", "used"): fields(Use),
    ("calendar",): fields(Calendar),
    ("cycle",): fields(Cycle),
}


class InvalidProcess(InvalidFile):
    """A process definition can't be used; correct the lines that the message names."""


@dataclass(frozen=True, slots=True)
class LoadedProcesses:
    """The definitions that can be used, what was wrong with the others, from which file each is, and the
    reference tables that were read for them.
    """

    processes: tuple[Process, ...] = ()
    errors: tuple[InvalidFile, ...] = field(default=())
    files: Mapping[str, Path] = field(default_factory=dict)
    tables: Mapping[str, ReferenceTable] = field(default_factory=dict)


def load_process(
    source: Path | str,
    *,
    shipped: Path = SHIPPED,
    calendars: Mapping[str, AnyCalendar] | None = None,
    tables: Known | None = None,
    changes: Sequence[str] = (),
) -> Process:
    """Read one definition from a file (`Path`) or from YAML text (`str`) and make `changes` to it
    (`changes.py`); without `calendars` those that are shipped exist, without `tables` none do.

    Raises:
        InvalidProcess: with every problem found.
    """
    tree, file = _tree(source, shipped)
    try:
        change(tree, changes)
    except BadChangeError as error:
        raise InvalidProcess([Problem(PLACE, error.number, str(error))]) from error
    known = load_calendars(None).calendars if calendars is None else calendars
    context = {"calendars": known, "tables": tables or {}}
    return following(Process, tree, file, _PARTS, invalid=InvalidProcess, context=context)


def load_processes(config_dir: Path | None, *, shipped: Path = SHIPPED) -> LoadedProcesses:
    """Read the shipped library and `<config_dir>/processes/*.yaml`; there a file of the same name replaces
    the shipped one, and `shipped.yaml` may say which of the shipped ones to `use`.
    """
    processes: dict[str, Process] = {}
    origin: dict[str, Path] = {}
    calendars, tables = load_calendars(config_dir), TableFiles(config_dir)
    errors: list[InvalidFile] = [*calendars.errors]
    files = [path for path in files_of("processes", shipped, config_dir) if path.name != CHOICE]
    try:
        chosen = _chosen(config_dir, shipped)
    except InvalidProcess as error:
        errors.append(error)
        chosen = None
    if chosen is not None:
        files = [path for path in files if path.parent != shipped or path.stem in chosen]
    own_first = sorted(files, key=lambda path: (path.parent == shipped, path.name))
    for path in own_first:
        try:
            process = load_process(path, shipped=shipped, calendars=calendars.calendars, tables=tables)
        except InvalidProcess as error:
            errors.append(error)
            continue
        if process.id in processes:
            sentence = f"the process '{process.id}' is already defined by {origin[process.id]}"
            if path.parent == shipped:
                sentence += f"; to replace the shipped one, name your file {path.name}"
            errors.append(InvalidProcess([Problem(str(path), 1, sentence)]))
            continue
        processes[process.id], origin[process.id] = process, path
    found = tuple(processes[one] for one in sorted(processes))
    return LoadedProcesses(found, tuple(errors), origin, tables.read)


def _chosen(config_dir: Path | None, shipped: Path) -> set[str] | None:
    """The shipped definitions to use; None: all. Raises: InvalidProcess."""
    path = file_of(config_dir, f"processes/{CHOICE}")
    if path is None:
        return None
    wanted = "it says which shipped definitions to use, such as `use: [opportunity-to-invoice]`"
    tree, file = read(path, InvalidProcess, wanted)
    names = tree.get("use")
    if set(tree) != {"use"} or not isinstance(names, list):
        raise InvalidProcess([Problem(file, 1, wanted)])
    library = {one.stem for one in shipped.glob("*.yaml")}
    if lost := [str(name) for name in names if name not in library]:
        line = yaml_lines.place_of(tree, ("use",), (file, 1))[1]
        raise InvalidProcess([Problem(file, line, unknown(lost[0], library, "shipped process"))])
    return {str(name) for name in names}


def places(source: Path, shipped: Path = SHIPPED) -> Callable[[Path_], yaml_lines.Place]:
    """Where the parts of a definition stand: file and line by path, as `("milestones", 0, "where")`; of what
    `extends` keeps, in the shipped file.
    """
    tree, file = _tree(source, shipped)
    return lambda path: yaml_lines.place_of(tree, path, (file, 1))


def _tree(source: Path | str, shipped: Path) -> tuple[yaml_lines.Mapping, str]:
    tree, file = read(source, InvalidProcess, "a definition is a mapping that begins with `process: <id>`")
    return (_extended(tree, file, shipped) if "extends" in tree else tree), file


def _extended(tree: yaml_lines.Mapping, file: str, shipped: Path) -> yaml_lines.Mapping:
    place = yaml_lines.place_of(tree, ("extends",), (file, 1))
    name = tree.pop("extends")
    library = {path.stem: path for path in shipped.glob("*.yaml")}
    if name not in library:
        close = get_close_matches(str(name), library, n=1)
        sentence = f"no shipped process is named '{name}'" + (
            f"; did you mean '{close[0]}'?" if close else ""
        )
        raise InvalidProcess([Problem(*place, sentence)])
    base, _ = _tree(library[name], shipped)
    return _merged(base, tree, by_name=True)


def _merged(
    base: yaml_lines.Mapping, change: yaml_lines.Mapping, *, by_name: bool = False
) -> yaml_lines.Mapping:
    """Lay `change` over `base`: each field replaces the base's, an empty one removes it, milestones and
    checks go by name.
    """
    result = yaml_lines.Mapping()
    result.update(base)
    result.places.update(base.places)
    for key, value in change.items():
        result.places[key] = change.places[key]
        if value is None:
            result.pop(key, None)
        elif by_name and key in _MERGED_BY_NAME and isinstance(value, yaml_lines.Sequence) and key in base:
            result[key] = _merged_by_name(base[key], value)
        else:
            result[key] = value
    return result


def _merged_by_name(base: yaml_lines.Sequence, change: yaml_lines.Sequence) -> yaml_lines.Sequence:
    result = yaml_lines.Sequence()
    result.extend(base)
    result.places.update(base.places)
    position = {one["name"]: index for index, one in enumerate(base)}
    for index, one in enumerate(change):
        name = one.get("name") if isinstance(one, yaml_lines.Mapping) else None
        at = position.get(name) if isinstance(name, str) else None
        if at is None:
            at = len(result)
            result.append(one)
        else:
            result[at] = _merged(base[at], one)
            position.pop(str(name))  # a second entry of this name is a mistake, to be reported
        result.places[at] = change.places[index]
    return result
