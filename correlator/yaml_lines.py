"""YAML as plain dicts and lists that remember the line of every entry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

_DEEPEST = 20
_MOST_ENTRIES = 50_000

Place = tuple[str, int]


class Mapping(dict[str, Any]):
    """A mapping with the place (file, line) of each entry."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.places: dict[str | int, Place] = {}


class Sequence(list[Any]):
    """A list with the place (file, line) of each entry."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.places: dict[str | int, Place] = {}


class BadYamlError(ValueError):
    """The text is not YAML, or no YAML that a definition could be."""

    def __init__(self, line: int, sentence: str) -> None:
        """Say what is wrong in which line, counted from 1."""
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


def parse(text: str, file: str) -> Any:
    """Parse one document.

    Raises:
        BadYamlError: with the line.
    """
    try:
        loaded = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or "unreadable").split("\n")[0]
        raise BadYamlError(mark.line + 1 if mark else 1, f"this is no valid YAML: {problem}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise BadYamlError(1, f"this is no valid YAML: {str(error).splitlines()[0]}") from error
    return _plain(loaded, file, iter(range(_MOST_ENTRIES)), 0)


def place_of(tree: Any, path: tuple[str | int, ...], default: Place) -> Place:
    """Where the entry at `path` stands, or its nearest ancestor that has a place."""
    place = default
    for step in path:
        if not isinstance(tree, (Mapping, Sequence)) or step not in tree.places:
            break
        place = tree.places[step]
        tree = tree[str(step)] if isinstance(tree, Mapping) else list(tree)[int(step)]
    return place


def text_of(path: Path) -> str:
    """Read a file that must be UTF-8.

    Raises:
        BadYamlError: it is not.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadYamlError(1, "the file is not UTF-8 text") from error


def _plain(node: Any, file: str, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None or depth > _DEEPEST:
        raise BadYamlError(1, "this is nested too deeply or too long for a definition")
    if isinstance(node, CommentedMap):
        mapping = Mapping()
        for key, value in node.items():
            line = node.lc.data[key][0] + 1 if key in (node.lc.data or {}) else node.lc.line + 1
            mapping[str(key)] = _plain(value, file, budget, depth + 1)
            mapping.places[str(key)] = (file, line)
        return mapping
    if isinstance(node, CommentedSeq):
        sequence = Sequence()
        for index, value in enumerate(node):
            line = node.lc.data[index][0] + 1 if index in (node.lc.data or {}) else node.lc.line + 1
            sequence.append(_plain(value, file, budget, depth + 1))
            sequence.places[index] = (file, line)
        return sequence
    return _scalar(node)


def _scalar(node: Any) -> Any:
    for kind in (str, bool, int, float):
        if isinstance(node, kind) and type(node) is not kind and type(node) is not bool:
            return kind(node)
    return node
