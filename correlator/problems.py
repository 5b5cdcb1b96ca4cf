"""What is wrong in a configuration file, as sentences with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from throughline.correlator import yaml_lines
from throughline.correlator.parts import InconsistentError
from throughline.probes.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic_core import ErrorDetails

    Parts = Mapping[tuple[str, ...], Sequence[str]]
    """The fields allowed at each place of a file, places named by their fields."""

Model = TypeVar("Model", bound=BaseModel)

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


class InvalidFile(DefinitionError):
    """A file can't be used; correct the lines that the message names."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Hold everything found wrong in one file, in the order of lines."""
        self.problems = tuple(sorted(set(problems), key=lambda one: (one.file, one.line, one.sentence)))
        super().__init__("\n".join(str(one) for one in self.problems))


@dataclass(frozen=True, slots=True)
class Checked(Generic[Model]):
    """What a file says, following its model, and where its parts stand."""

    content: Model
    file: str
    tree: yaml_lines.Mapping
    invalid: type[InvalidFile]

    def place(self, *path: str | int) -> yaml_lines.Place:
        """File and line of a part, or of the nearest one around it."""
        return yaml_lines.place_of(self.tree, path, (self.file, 1))

    def refuse(self, findings: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        """Refuse the file if anything was found that no field shows by itself: where, and a sentence.

        Raises: `invalid`.
        """
        if wrong := [Problem(*self.place(*path), sentence) for path, sentence in findings]:
            raise self.invalid(wrong)


def fields(model: type[BaseModel]) -> list[str]:
    """The fields of a model, as files spell them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def files_of(folder: str, shipped: Path, config_dir: Path | None) -> list[Path]:
    """The shipped YAML files of a kind and those of `<config_dir>/<folder>`; there a file of the same name
    replaces the shipped one.
    """
    places = [shipped] if config_dir is None else [shipped, config_dir / folder]
    return list({path.name: path for place in places for path in sorted(place.glob("*.yaml"))}.values())


def file_of(config_dir: Path | None, name: str) -> Path | None:
    """A file of the configuration directory; None if it is not there."""
    path = config_dir / name if config_dir else None
    return path if path and path.exists() else None


def validated(
    source: Path | str, model: type[Model], parts: Parts, *, invalid: type[InvalidFile], wanted: str
) -> Checked[Model]:
    """Read a file (`Path`) or YAML text (`str`) that must follow a model; `parts` and `wanted` are for the
    sentences about what is wrong.

    Raises: `invalid`, with every problem found.
    """
    tree, file = read(source, invalid, wanted)
    return Checked(following(model, tree, file, parts, invalid=invalid), file, tree, invalid)


def following(
    model: type[Model],
    tree: yaml_lines.Mapping,
    file: str,
    parts: Parts,
    *,
    invalid: type[InvalidFile],
    context: Mapping[str, Any] | None = None,
) -> Model:
    """What was read, as a model. Raises: `invalid`, with every problem found."""
    try:
        return model.model_validate(tree, context=context)
    except ValidationError as error:
        raise invalid(problems(error, tree, file, parts)) from error


def read(source: Path | str, invalid: type[InvalidFile], wanted: str) -> tuple[yaml_lines.Mapping, str]:
    """Read a file (`Path`) or YAML text (`str`) that must be a mapping; returns it with the file's name.

    Raises: `invalid`, with the line; `wanted` is the sentence for one that is no mapping.
    """
    file = str(source) if isinstance(source, Path) else "<text>"
    try:
        tree = yaml_lines.parse(yaml_lines.text_of(source) if isinstance(source, Path) else source, file)
    except yaml_lines.BadYamlError as error:
        raise invalid([Problem(file, error.line, error.sentence)]) from error
    except OSError as error:
        raise invalid([Problem(file, 1, f"the file can't be read: {error.strerror}")]) from error
    if not isinstance(tree, yaml_lines.Mapping):
        raise invalid([Problem(file, 1, wanted)])
    return tree, file


def problems(error: ValidationError, tree: Any, file: str, parts: Parts) -> list[Problem]:
    """What pydantic found, as sentences with their places."""
    return [one for details in error.errors() for one in _problems(details, tree, file, parts)]


def _problems(details: ErrorDetails, tree: Any, file: str, parts: Parts) -> list[Problem]:
    path, cause = details["loc"], details.get("ctx", {}).get("error")
    if isinstance(cause, InconsistentError):
        return [
            Problem(
                *yaml_lines.place_of(tree, (*path, *inner), (file, 1)), f"{_spelled(inner, tree)}: {sentence}"
            )
            for inner, sentence in cause.findings
        ]
    place = yaml_lines.place_of(tree, path, (file, 1))
    return [Problem(*place, _sentence(details, path, tree, parts))]


def _sentence(details: ErrorDetails, path: tuple[str | int, ...], tree: Any, parts: Parts) -> str:
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    where, around = _spelled(path, tree), _spelled(path[:-1], tree)
    shown = _shown(given)
    match kind:
        case "extra_forbidden":
            known = parts[tuple(step for step in path[:-1] if isinstance(step, str))]
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
