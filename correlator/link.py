"""From a process definition to the SQL that links: pure text, no I/O.

The statements stand in ``sql/link.sql``, ``alias.sql``, ``roots.sql`` and ``write.sql`` as named blocks. What
depends on the definition is written there as ``${level(ns)}`` and the like, other blocks are included as
``${block}``, and working tables are ``@name``. Values travel as parameters; only numbers become text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from throughline.collector.store import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from throughline.correlator.definition import Process

NO_LEVEL = 255
"""Stands for a namespace that the process does not know."""

PLACEHOLDERS = (
    "", "0", "null", "none", "nil", "undefined", "unknown", "n/a", "na", "nan", "tbd", "-", "--", "?",
)  # fmt: skip
"""Values that name nothing, in small letters (rule 1)."""

_HOLLOW_END = "/(null|none|nil|undefined|unknown|n/a)?$"
"""An organisation's prefix with nothing behind it names nothing either."""

_PAIR = r"'(?s)^\\s*([^:>]*?)\\s*:\\s*([^>]*?)\\s*>\\s*([^:]*?)\\s*:\\s*(.*?)\\s*$'"
"""``parent_ns:value>child_ns:value``."""

_MACRO = re.compile(r"\$\{(\w+)")

FILES = ("ancestry", "link", "alias", "roots", "write")


def link_statements(process: Process, *, fresh: bool) -> dict[str, str]:
    """Return every statement of linking by name, for one process; `fresh` ones link everything anew."""
    blocks: dict[str, str] = {}
    for name in FILES:
        blocks |= load_queries("throughline.correlator", name)
    macros = _macros(process, fresh=fresh)
    return {name: expand(text, blocks, macros) for name, text in blocks.items() if "$1" not in text}


def ancestry_statements(**counting: str) -> dict[str, str]:
    """Return the statements that no process changes: which events are at hand, and what stands above them.

    `counting` may give other conditions for `counting_facts` and `counting_spans`.
    """
    blocks = load_queries("throughline.correlator", "ancestry") | counting
    return {name: expand(text, blocks, {}) for name, text in blocks.items() if "$1" not in text}


def link_parameters(process: Process, attributes: Collection[str]) -> dict[str, Any]:
    """Return the parameters that those statements share.

    ``attributes`` are those the process's expressions read: journeys keep no others.
    """
    names = list(process.namespaces)
    return {
        "process": process.id,
        "namespaces": names,
        "levels": [process.namespaces[name][0] for name in names],
        "ranks": [process.namespaces[name][1] for name in names],
        "places": [process.namespaces[name][0] * 256 + process.namespaces[name][1] for name in names],
        "shared_levels": [place for place, level in enumerate(process.levels) if len(level.namespaces) > 1],
        "placeholders": [f"{name}={value}" for name, own in process.placeholders.items() for value in own],
        "attributes": sorted(attributes),
    }


def shares_levels(process: Process) -> bool:
    """Whether objects of some level are known under several namespaces, so that aliases can exist."""
    return any(len(level.namespaces) > 1 for level in process.levels)


def expand(text: str, blocks: Mapping[str, str], macros: Mapping[str, Callable[..., str]]) -> str:
    """Replace each ``${name}`` by a block or macro, and each ``${name(arguments)}`` by what it makes of them.

    A block takes one argument, as ``$1``.
    """
    found = _MACRO.search(text)
    if not found:
        return text
    name, at = found[1], found.end()
    if text[at] == "}":
        inner, rest = blocks[name] if name in blocks else macros[name](), text[at + 1 :]
    else:
        end = _closing(text, at)
        argument = expand(text[at + 1 : end], blocks, macros)
        inner = blocks[name].replace("$1", argument) if name in blocks else macros[name](*_split(argument))
        rest = text[end + 2 :]
    return text[: found.start()] + expand(inner, blocks, macros) + expand(rest, blocks, macros)


def _closing(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    message = f"a parenthesis is never closed: {text[opening : opening + 40]}"
    raise ValueError(message)


def _split(arguments: str) -> list[str]:
    parts, depth = [""], 0
    for character in arguments:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _macros(process: Process, *, fresh: bool) -> dict[str, Callable[..., str]]:
    hollow = ", ".join(f"'{value}'" for value in PLACEHOLDERS)

    def placeholder(namespace: str, value: str) -> str:
        text = f"lower({value}) IN ({hollow}) OR match(lower({value}), '{_HOLLOW_END}')"
        if process.placeholders:
            text += f" OR has({{placeholders:Array(String)}}, concat({namespace}, '=', lower({value})))"
        return f"({text})"

    def canonical(key: str) -> str:
        if not shares_levels(process):
            return key
        stored = f"joinGet('@same_object', 'Object', {key})"
        return f"if({stored} = 0, {key}, {stored})"

    def looked_up(namespace: str, values: str) -> str:
        return f"transform({namespace}, {{namespaces:Array(String)}}, {values}, toUInt8({NO_LEVEL}))"

    def namespace(place: str) -> str:
        return f"transform({place}, {{places:Array(UInt16)}}, {{namespaces:Array(String)}}, '')"

    return {
        "pair": lambda: _PAIR,
        "level": lambda ns: looked_up(ns, "{levels:Array(UInt8)}"),
        "rank": lambda ns: looked_up(ns, "{ranks:Array(UInt8)}"),
        "key": lambda ns, value: f"sipHash64({{tenant:String}}, {{process:String}}, {ns}, {value})",
        "namespace": namespace,
        "placeholder": placeholder,
        "object": canonical,
        "is_relinked": lambda: "1" if fresh else "EventId IN (SELECT EventId FROM @relinked)",
        "union_limit": lambda: str(max(level.max_roots for level in process.levels) + 1),
    }
