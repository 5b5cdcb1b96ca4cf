"""Process definitions: reading them from files, with file, line and suggestion for whatever is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from throughline.correlator import yaml_lines
from throughline.correlator.definition import (
    Calendar,
    Check,
    InconsistentError,
    Level,
    Milestone,
    Part,
    Process,
    Within,
)
from throughline.probes.errors import DefinitionError

__all__ = [
    "Calendar",
    "Check",
    "DefinitionError",
    "InvalidProcess",
    "Level",
    "LoadedProcesses",
    "Milestone",
    "Problem",
    "Process",
    "Within",
    "load_process",
    "load_processes",
]

SHIPPED = Path(__file__).parent / "processes"
_MERGED_BY_NAME = ("milestones", "checks")
_WANTED = {
    "int_type": "a whole number of 1 or more",
    "greater_than_equal": "a whole number of 1 or more",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "too_short": "a list of at least one",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
    "dict_type": "a mapping of fields",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a definition: where, and a sentence."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        """Give `file:line: sentence`, as editors understand it."""
        return f"{self.file}:{self.line}: {self.sentence}"


class InvalidProcess(DefinitionError):
    """A process definition can't be used; correct the lines that the message names."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Hold everything found wrong in one definition, in the order of lines."""
        self.problems = tuple(sorted(set(problems), key=lambda one: (one.file, one.line, one.sentence)))
        super().__init__("\n".join(str(one) for one in self.problems))


@dataclass(frozen=True, slots=True)
class LoadedProcesses:
    """The definitions that can be used, by id, and what was wrong with the others."""

    processes: tuple[Process, ...] = ()
    errors: tuple[InvalidProcess, ...] = field(default=())


def load_process(source: Path | str, *, shipped: Path = SHIPPED) -> Process:
    """Read one definition from a file (`Path`) or from YAML text (`str`).

    Raises:
        InvalidProcess: with every problem found.
    """
    file = str(source) if isinstance(source, Path) else "<text>"
    tree = _tree(source, file, shipped)
    try:
        return Process.model_validate(tree)
    except ValidationError as error:
        problems = [one for details in error.errors() for one in _problems(details, tree, file)]
        raise InvalidProcess(problems) from error


def load_processes(config_dir: Path | None, *, shipped: Path = SHIPPED) -> LoadedProcesses:
    """Read the shipped library and `<config_dir>/processes/*.yaml`; there a file of the same name replaces
    the shipped one.
    """
    files = {path.name: path for path in sorted(shipped.glob("*.yaml"))}
    if config_dir is not None:
        files |= {path.name: path for path in sorted((config_dir / "processes").glob("*.yaml"))}
    processes: dict[str, Process] = {}
    origin: dict[str, Path] = {}
    errors: list[InvalidProcess] = []
    own_first = sorted(files.values(), key=lambda path: (path.parent == shipped, path.name))
    for path in own_first:
        try:
            process = load_process(path, shipped=shipped)
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
    return LoadedProcesses(tuple(processes[one] for one in sorted(processes)), tuple(errors))


def _tree(source: Path | str, file: str, shipped: Path) -> Any:
    try:
        tree = yaml_lines.parse(yaml_lines.text_of(source) if isinstance(source, Path) else source, file)
    except yaml_lines.BadYamlError as error:
        raise InvalidProcess([Problem(file, error.line, error.sentence)]) from error
    except OSError as error:
        raise InvalidProcess([Problem(file, 1, f"the file can't be read: {error.strerror}")]) from error
    if not isinstance(tree, yaml_lines.Mapping):
        raise InvalidProcess([Problem(file, 1, "a definition is a mapping that begins with `process: <id>`")])
    if "extends" not in tree:
        return tree
    return _extended(tree, file, shipped)


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
    base = _tree(library[name], str(library[name]), shipped)
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


def _problems(details: ErrorDetails, tree: Any, file: str) -> list[Problem]:
    path, cause = details["loc"], details.get("ctx", {}).get("error")
    if isinstance(cause, InconsistentError):
        return [
            Problem(
                *yaml_lines.place_of(tree, (*path, *inner), (file, 1)), f"{_spelled(inner, tree)}: {sentence}"
            )
            for inner, sentence in cause.findings
        ]
    place = yaml_lines.place_of(tree, path, (file, 1))
    return [Problem(*place, _sentence(details, path, tree))]


def _sentence(details: ErrorDetails, path: tuple[str | int, ...], tree: Any) -> str:
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    where, around = _spelled(path, tree), _spelled(path[:-1], tree)
    shown = _shown(given)
    match kind:
        case "extra_forbidden":
            known = _fields_at(path)
            close = get_close_matches(str(path[-1]), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            sentence = f"unknown field '{path[-1]}' in {around}; {hint}"
        case "missing":
            sentence = f"{around} needs the field '{path[-1]}'"
        case "literal_error":
            choices = str(context["expected"]).replace("'", "").replace(",", "").split(" ")
            close = get_close_matches(str(given), choices, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            sentence = f"{where} must be {context['expected']}, not {shown}{hint}"
        case "string_type":
            sentence = f"{where} must be text, not {shown}; put quotes around it if it is meant as text"
        case "value_error":
            sentence = f"{where}: {context['error']}"
        case _ if kind in _WANTED:
            sentence = f"{where} must be {_WANTED[kind]}, not {shown}"
        case _:
            sentence = f"{where}: {details['msg']}"
    return sentence


def _shown(given: object) -> str:
    return (
        "empty"
        if given is None
        else "a list"
        if isinstance(given, list)
        else ("a mapping" if isinstance(given, dict) else f"'{given}'")
    )


def _spelled(path: tuple[str | int, ...], tree: Any) -> str:
    """Name a place as people do: a milestone by its name, not by its number."""
    if not path:
        return "the definition"
    words: list[str] = []
    for step in path:
        tree = _child(tree, step)
        named = isinstance(step, int) and isinstance(tree, dict) and isinstance(tree.get("name"), str)
        words.append(
            f"[{tree['name']}]" if named else f"[{step + 1}]" if isinstance(step, int) else f".{step}"
        )
    return f"`{''.join(words).lstrip('.')}`"


def _child(tree: Any, step: str | int) -> Any:
    """What stands at this step, or None."""
    if isinstance(tree, dict):
        return tree.get(step)
    if isinstance(tree, list) and isinstance(step, int) and step < len(tree):
        return tree[step]
    return None


def _fields_at(path: tuple[str | int, ...]) -> list[str]:
    """The fields allowed where `path` found an unknown one."""
    parts: dict[tuple[str, ...], type[Part]] = {
        (): Process,
        ("keys",): Level,
        ("milestones",): Milestone,
        ("milestones", "within"): Within,
        ("checks",): Check,
        ("calendar",): Calendar,
    }
    part = parts[tuple(step for step in path[:-1] if isinstance(step, str))]
    own = [field.alias or name for name, field in part.model_fields.items()]
    return [*own, "extends"] if part is Process else own
