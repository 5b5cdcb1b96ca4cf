"""From process definitions to the SQL that links: pure text, no I/O.

The statements stand in ``sql/link.sql``, ``alias.sql``, ``roots.sql`` and ``write.sql`` as named blocks. What
depends on the definitions is written there as ``${place(ns)}`` and the like, other blocks are included as
``${block}``, and working tables are ``@name``. Values travel as parameters; only numbers become text.

Several processes are linked by one run of the statements: P is the number of a process in the run's list.
Their keys, objects and roots are hashes that contain the process, so only rows about events carry P.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from throughline.collector.store import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from throughline.correlator.definition import Process

AT_ONCE = 64
"""Processes that one run can link: each has a bit of a number."""

NOWHERE = "toUInt16(65535)"
"""The place of a namespace that a process does not know."""

PLACEHOLDERS = (
    "", "0", "null", "none", "nil", "undefined", "unknown", "n/a", "na", "nan", "tbd", "-", "--", "?",
)  # fmt: skip
"""Values that name nothing, in small letters (rule 1)."""

_HOLLOW_END = "/(null|none|nil|undefined|unknown|n/a)?$"
"""An organisation's prefix with nothing behind it names nothing either."""

_PAIR = r"'(?s)^\\s*([^:>]*?)\\s*:\\s*([^>]*?)\\s*>\\s*([^:]*?)\\s*:\\s*(.*?)\\s*$'"
"""``parent_ns:value>child_ns:value``."""

_MACRO = re.compile(r"\$\{(\w+)")

MAX_LINE = 64
"""So many objects of one level may stand above an object of that level."""

ENDLESS = 255
"""The depth of an object above which there are more, or a loop."""

FILES = ("ancestry", "link", "alias", "lines", "roots", "write", "worker")


def link_statements(processes: Sequence[Process], *, fresh: bool) -> dict[str, str]:
    """Return every statement of linking by name, for some processes; `fresh` ones link everything anew."""
    blocks: dict[str, str] = {}
    for name in FILES:
        blocks |= load_queries("throughline.correlator", name)
    macros = _macros(processes, fresh=fresh)
    return {name: expand(text, blocks, macros) for name, text in blocks.items() if "$1" not in text}


def ancestry_statements(**counting: str) -> dict[str, str]:
    """Return the statements that no process changes: which events are at hand, and what stands above them.

    `counting` may give other conditions for `counting_facts` and `counting_spans`.
    """
    blocks = load_queries("throughline.correlator", "ancestry") | counting
    own = {name: expand(text, blocks, {}) for name, text in blocks.items() if "$1" not in text}
    return own | worker_statements()


def worker_statements() -> dict[str, str]:
    """Return the statements around linking."""
    blocks = load_queries("throughline.correlator", "worker")
    return {name: expand(text, blocks, {}) for name, text in blocks.items()}


def link_parameters(processes: Sequence[Process], attributes: Sequence[Collection[str]]) -> dict[str, Any]:
    """Return the parameters that those statements share.

    ``attributes`` are those that the expressions of each process read: its journeys keep no others.
    """
    namespaces = sorted({name for process in processes for name in process.namespaces})
    known = [
        (number, name, *process.namespaces[name])
        for number, process in enumerate(processes)
        for name in process.namespaces
    ]
    levels = [
        (number * 256 + place, level)
        for number, process in enumerate(processes)
        for place, level in enumerate(process.levels)
    ]
    return {
        "processes": [process.id for process in processes],
        "engaged": 2 ** len(processes) - 1,
        "namespaces": namespaces,
        "numbers": list(range(len(namespaces))),
        "known_to": [
            sum(1 << number for number, process in enumerate(processes) if name in process.namespaces)
            for name in namespaces
        ],
        "slots": [namespaces.index(name) * AT_ONCE + number for number, name, _level, _rank in known],
        "places": [level * 256 + rank for _number, _name, level, rank in known],
        "spots": [number * 65536 + level * 256 + rank for number, _name, level, rank in known],
        "names": [name for _number, name, _level, _rank in known],
        "all_levels": [spot for spot, _level in levels],
        "max_roots": [level.max_roots for _spot, level in levels],
        "max_children": [level.max_children for _spot, level in levels],
        "shared_levels": [spot for spot, level in levels if len(level.namespaces) > 1],
        "placeholders": [
            f"{number} {name}={value}"
            for number, process in enumerate(processes)
            for name, own in process.placeholders.items()
            for value in own
        ],
        "attributes": [sorted(kept) for kept in attributes],
        "line": MAX_LINE,
        "endless": ENDLESS,
    }


def shares_levels(processes: Sequence[Process]) -> bool:
    """Whether objects of some level are known under several namespaces, so that aliases can exist."""
    return any(len(level.namespaces) > 1 for process in processes for level in process.levels)


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


def _macros(processes: Sequence[Process], *, fresh: bool) -> dict[str, Callable[..., str]]:
    hollow = ", ".join(f"'{value}'" for value in PLACEHOLDERS)

    def placeholder(namespace: str, value: str) -> str:
        text = f"lower({value}) IN ({hollow}) OR match(lower({value}), '{_HOLLOW_END}')"
        if any(process.placeholders for process in processes):
            # As they are, and behind an organisation's prefix.
            for own in (f"lower({value})", f"substringIndex(lower({value}), '/', -1)"):
                named = f"concat(toString(P), ' ', {namespace}, '=', {own})"
                text += f" OR has({{placeholders:Array(String)}}, {named})"
        return f"({text})"

    def canonical(key: str) -> str:
        if not shares_levels(processes):
            return key
        stored = f"joinGet('@same_object', 'Object', {key})"
        return f"if({stored} = 0, {key}, {stored})"

    def place(namespace: str) -> str:
        number = f"transform({namespace}, {{namespaces:Array(String)}}, {{numbers:Array(UInt16)}}, {NOWHERE})"
        slot = f"toUInt32({number}) * {AT_ONCE} + P"
        return f"transform({slot}, {{slots:Array(UInt32)}}, {{places:Array(UInt16)}}, {NOWHERE})"

    def namespace(level: str, rank: str) -> str:
        spot = f"toUInt32(P) * 65536 + toUInt32({level}) * 256 + {rank}"
        return f"transform({spot}, {{spots:Array(UInt32)}}, {{names:Array(String)}}, '')"

    def known_to(namespace: str) -> str:
        known = "{namespaces:Array(String)}, {known_to:Array(UInt64)}"
        return f"transform({namespace}, {known}, toUInt64(0))"

    def limit(name: str) -> str:
        spot = "toUInt16(P) * 256 + {level:UInt8}"
        return f"transform({spot}, {{all_levels:Array(UInt16)}}, {{{name}:Array(UInt64)}}, toUInt64(0))"

    own_alone = "(SELECT * FROM @keyed WHERE EventId NOT IN (SELECT EventId FROM @inherited))"
    most = max(level.max_roots for process in processes for level in process.levels)
    return {
        "pair": lambda: _PAIR,
        "place": place,
        "level": lambda ns: f"toUInt8(intDiv({place(ns)}, 256))",
        "key": lambda ns, value: (
            f"sipHash64({{tenant:String}}, {{processes:Array(String)}}[P + 1], {ns}, {value})"
        ),
        "known_to": known_to,
        "namespace": namespace,
        "placeholder": placeholder,
        "object": canonical,
        "max_roots": lambda: limit("max_roots"),
        "max_children": lambda: limit("max_children"),
        "union_limit": lambda: str(most + 1),
        "is_relinked": lambda: "1" if fresh else "(P, EventId) IN (SELECT P, EventId FROM @relinked)",
        "own_alone": lambda: "@effective" if fresh else own_alone,
        "lowest_first": lambda: "" if fresh else "ORDER BY r.Level DESC, r.Depth DESC",
    }
