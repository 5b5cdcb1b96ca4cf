"""How a mapping says a value: where it comes from and what is done to it, as SQL that no input can make fail.

A value is a text in every row, '' where there is nothing; one that is split, or a JSON path with `[*]`, is an
array of texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool, StrictStr, model_validator

from throughline.correlator.expression_parts import quoted
from throughline.correlator.parts import InconsistentError, Part, several

RESOURCE = "resource:"
SPAN_FIELDS = {
    "@name": "toString(SpanName)",
    "@kind": "lower(toString(SpanKind))",
    "@status": "lower(toString(StatusCode))",
    "@status_message": "StatusMessage",
    "@parent_span_id": "ParentSpanId",
}
LOG_FIELDS = {
    "@event_name": "EventName",
    "@body": "Body",
    "@severity": "toString(SeverityText)",
}
BOTH_FIELDS = {
    "@trace_id": "TraceId",
    "@span_id": "SpanId",
    "@service": "toString(ServiceName)",
    "@scope": "toString(ScopeName)",
}
FIELDS = {"spans": {**BOTH_FIELDS, **SPAN_FIELDS}, "logs": {**BOTH_FIELDS, **LOG_FIELDS}}
"""What of a span or log record has a name beside its attributes."""

_LONGEST_PATTERN = 1000
_MOST_REPEATS = 1000
_FOREIGN = re.compile(r"\(\?(?:=|!|<=|<!|>|P=|\()|\\[1-9]|[*+?}]\+")
_REPEATS = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[^{}]+")
_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+|\*)\]|\."([^"]+)"')


def pattern(given: str) -> str:
    """A regular expression as the engine knows them (RE2). Raises: ValueError."""
    if len(given) > _LONGEST_PATTERN:
        raise ValueError(f"a regular expression has at most {_LONGEST_PATTERN} characters")
    if found := _FOREIGN.search(given):
        raise ValueError(
            f"the engine's regular expressions (RE2) know no '{found[0]}': no look-around, no back references"
        )
    if any(int(number or 0) > _MOST_REPEATS for found in _REPEATS.findall(given) for number in found):
        raise ValueError(f"a regular expression repeats a part at most {_MOST_REPEATS} times")
    try:
        re.compile(given)
    except re.error as error:
        raise ValueError(f"'{given}' is no regular expression: {error}") from error
    return given


def template(given: str) -> str:
    """A text with `{names}` in it. Raises: ValueError."""
    pieces(given)
    return given


def pieces(text: str) -> list[tuple[bool, str]]:
    """A template's parts: whether each is a name, and the name or text. Raises: ValueError."""
    found: list[tuple[bool, str]] = []
    position = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise ValueError(
                f"'{text}' has a brace without a partner; a name stands in {{braces}}, a brace itself is {{{{"
            )
        if match[1] is not None:
            found.append((True, match[1].strip()))
        else:
            found.append((False, match[0][0] if match[0] in ("{{", "}}") else match[0]))
        position = match.end()
    return found


def json_path(given: str) -> str:
    """A path as `items[0].id`. Raises: ValueError."""
    steps(given)
    return given


def steps(path: str) -> list[str | int]:
    """The steps of a JSON path: member names, positions from 0, '*' once. Raises: ValueError."""
    text = path.removeprefix("$")
    found: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(f"'{path}' is no path; write it like order.id, items[0].id or items[*].id")
        if match[2]:
            found.append("*" if match[2] == "*" else int(match[2]))
        else:
            found.append(match[1] or match[3])
        position = match.end()
    if not found or found.count("*") > 1:
        raise ValueError(f"'{path}' is no path with at most one [*]")
    return found


Pattern = Annotated[StrictStr, AfterValidator(pattern)]
Template = Annotated[StrictStr, AfterValidator(template)]
JsonPath = Annotated[StrictStr, AfterValidator(json_path)]
SOURCES = ("value", "pick", "join", "of")


class Value(Part):
    """One source, then these steps in this order: `json`, `regex`, `split`, `lower` or `upper`, `map`,
    `default`. A plain text stands for `{value: text}`.
    """

    value: Template | None = None
    pick: tuple[StrictStr, ...] = ()
    join: tuple[Value, ...] = ()
    by: StrictStr = "/"
    of: Value | None = None
    json_: JsonPath | None = Field(default=None, alias="json")
    regex: Pattern | None = None
    split: Annotated[StrictStr, Field(min_length=1)] | None = None
    lower: StrictBool = False
    upper: StrictBool = False
    map: dict[str, StrictStr] = Field(default_factory=dict)
    default: StrictStr = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """A text stands for `{value: text}`, one name for a list of it."""
        if isinstance(given, str):
            return {"value": given}
        if isinstance(given, dict) and isinstance(given.get("pick"), str):
            return {**given, "pick": several(given["pick"])}
        return given

    @model_validator(mode="after")
    def _one_source(self) -> Value:
        given = [name for name in SOURCES if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            sentence = f"a value has one source ({', '.join(SOURCES)}), not {len(given)}"
            raise InconsistentError([((), sentence)])
        if self.lower and self.upper:
            raise InconsistentError([(("upper",), "a value can't be in small and in capital letters")])
        return self

    def names(self) -> set[str]:
        """What it reads: attributes, `resource:` attributes, `@` fields."""
        found = set(self.pick)
        found |= {text for is_name, text in pieces(self.value or "") if is_name}
        for one in (*self.join, *([self.of] if self.of else [])):
            found |= one.names()
        return found


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL of a value: of a text, or of an array of texts."""

    sql: str
    several: bool

    def text(self) -> str:
        """As one attribute's text; several become a JSON array, as OTLP's arrays do."""
        if not self.several:
            return self.sql
        kept = f"arrayDistinct(arrayFilter(x -> x != '', {self.sql}))"
        return f"if(empty({kept}), '', toJSONString({kept}))"

    def texts(self) -> str:
        """As an array."""
        return self.sql if self.several else f"[{self.sql}]"

    def each(self, expression: str) -> Compiled:
        """The same with `expression` over it, which calls it x."""
        if self.several:
            return Compiled(f"arrayMap(x -> {expression}, {self.sql})", several=True)
        return Compiled(re.sub(r"\bx\b", lambda _: self.sql, expression, count=1), several=False)


def compiled(value: Value, signal: str, attributes: str) -> Compiled:
    """SQL of a value; `attributes` is the column that holds those of the span or log record."""
    found = _source(value, signal, attributes)
    if value.json_ is not None:
        found = _at_path(found, steps(value.json_))
    if value.regex is not None:
        found = found.each(f"extract(x, {quoted(value.regex)})")
    if value.split is not None:
        parts = f"splitByString({quoted(value.split)}, {found.sql})"
        if found.several:
            parts = f"arrayFlatten(arrayMap(x -> splitByString({quoted(value.split)}, x), {found.sql}))"
        found = Compiled(f"arrayMap(x -> trimBoth(x), {parts})", several=True)
    if value.lower or value.upper:
        found = found.each(f"{'lower' if value.lower else 'upper'}UTF8(x)")
    if value.map:
        known, meant = (", ".join(map(quoted, texts)) for texts in (value.map, value.map.values()))
        found = found.each(f"transform(x, [{known}], [{meant}], '')")
    if value.default:
        default = quoted(value.default)
        if found.several:
            found = Compiled(f"if(empty({found.sql}), [{default}], {found.sql})", several=True)
        else:
            found = found.each(f"coalesce(nullIf(x, ''), {default})")
    return found


def read(name: str, signal: str, attributes: str) -> str:
    """SQL of what a name stands for."""
    if name.startswith("@"):
        return FIELDS[signal][name]
    if name.startswith(RESOURCE):
        return f"ResourceAttributes[{quoted(name.removeprefix(RESOURCE))}]"
    return f"{attributes}[{quoted(name)}]"


def _source(value: Value, signal: str, attributes: str) -> Compiled:
    if value.of is not None:
        return compiled(value.of, signal, attributes)
    if value.pick:
        read_each = ", ".join(f"nullIf({read(name, signal, attributes)}, '')" for name in value.pick)
        return Compiled(f"coalesce({read_each}, '')", several=False)
    if value.join:
        return _all_or_nothing(
            [compiled(one, signal, attributes).text() for one in value.join], between=value.by
        )
    parts = pieces(value.value or "")
    if not any(is_name for is_name, _ in parts):
        return Compiled(quoted("".join(text for _, text in parts)), several=False)
    if len(parts) == 1:
        return Compiled(read(parts[0][1], signal, attributes), several=False)
    texts = [read(text, signal, attributes) if is_name else quoted(text) for is_name, text in parts]
    needed = [text for text, (is_name, _) in zip(texts, parts, strict=True) if is_name]
    return _with_all(needed, f"concat({', '.join(texts)})")


def _all_or_nothing(texts: list[str], *, between: str) -> Compiled:
    """Half a key would name something else: without one of its parts there is none."""
    listed = ", ".join(texts)
    return _with_all(texts, f"arrayStringConcat([{listed}], {quoted(between)})")


def _with_all(needed: list[str], text: str) -> Compiled:
    lacking = " OR ".join(f"{one} = ''" for one in needed)
    return Compiled(f"if({lacking}, '', {text})", several=False)


def _at_path(found: Compiled, path: list[str | int]) -> Compiled:
    """What stands at a path of a JSON text; '' where there is nothing, or no JSON."""
    if "*" not in path:
        return found.each(f"JSONExtract(x, {_arguments(path)}'String')")
    at = path.index("*")
    above, below = _arguments(path[:at]), _arguments(path[at + 1 :])
    elements = f"JSONExtractArrayRaw({{}}{', ' + above.removesuffix(', ') if above else ''})"
    inner = f"JSONExtract(e, {below}'String')"
    if found.several:
        text = f"arrayFlatten(arrayMap(x -> arrayMap(e -> {inner}, {elements.format('x')}), {found.sql}))"
    else:
        text = f"arrayMap(e -> {inner}, {elements.format(found.sql)})"
    return Compiled(text, several=True)


def _arguments(path: list[str | int]) -> str:
    return "".join(f"{step + 1}, " if isinstance(step, int) else f"{quoted(step)}, " for step in path)
