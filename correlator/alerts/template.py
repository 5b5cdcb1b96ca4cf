"""Templates of labels and annotations: `{{ $value | humanize }}`, `{{ $labels.region }}`.

The common functions of Prometheus' templates, without conditions, loops and queries: a text is split into
words, and every word is one of the few below. There are no attributes, so nothing can be reached. This is
lighter than a template engine in a sandbox, and what Prometheus users write for a message works unchanged.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from throughline.correlator.parts import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LONGEST = 4_096
"""Characters of a rendered text; the rest is cut."""

_ACTION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_WORD = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|(\$labels\.[A-Za-z_]\w*)|(\$value)\b|([A-Za-z]\w*)|(-?\d+(?:\.\d+)?)|(\|)|(\S))'
)
_VERB = re.compile(r"%(?:%|[-+ 0]?\d{0,2}(?:\.\d{1,2})?[dfgesvq])")
_KILO, _KIBI = 1000.0, 1024.0
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

Value = str | float


class BadTemplate(ValueError):
    """The template cannot be read; its message says why."""


@dataclass(frozen=True, slots=True)
class _Label:
    name: str


@dataclass(frozen=True, slots=True)
class _Call:
    """A function with what stands behind it; a pipe adds what comes before as the last."""

    name: str
    arguments: tuple[Value | _Label | None, ...]
    """None is `$value`."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read; `labels` are those that it names."""

    parts: tuple[str | tuple[_Call, ...], ...]
    labels: frozenset[str]

    def render(self, labels: Mapping[str, str], value: float | None) -> str:
        """Fill in; a label that is missing is empty, a value that is unknown is NaN."""
        number = math.nan if value is None else value
        texts = (part if isinstance(part, str) else _run(part, labels, number) for part in self.parts)
        return "".join(texts)[:LONGEST]


def read(text: str) -> Template:
    """Read a template. Raises: BadTemplate."""
    parts: list[str | tuple[_Call, ...]] = []
    at = 0
    for action in _ACTION.finditer(text):
        parts += [text[at : action.start()], tuple(_pipeline(action[1]))]
        at = action.end()
    parts.append(text[at:])
    if any("{{" in part or "}}" in part for part in parts if isinstance(part, str)):
        raise BadTemplate("a '{{' or '}}' has no counterpart")
    calls = [call for part in parts if not isinstance(part, str) for call in part]
    labels = {one.name for call in calls for one in call.arguments if isinstance(one, _Label)}
    return Template(tuple(part for part in parts if part != ""), frozenset(labels))


def _pipeline(text: str) -> Iterator[_Call]:
    stages = [[]]  # type: list[list[tuple[str, Value | _Label | None]]]
    for word in _WORD.finditer(text):
        quoted, label, value, name, number, pipe, other = word.groups()
        if other is not None:
            raise BadTemplate(
                f"'{other}' cannot be read in '{{{{{text}}}}}'; allowed are $value, $labels.name"
            )
        if pipe:
            stages.append([])
        elif label:
            stages[-1].append(("is", _Label(label.removeprefix("$labels."))))
        elif value:
            stages[-1].append(("is", None))
        elif name:
            stages[-1].append(("call", name))
        else:
            stages[-1].append(("is", float(number) if number else re.sub(r"\\(.)", r"\1", quoted)))
    for place, stage in enumerate(stages):
        yield _stage(stage, piped=place > 0, text=text)


def _stage(stage: list[tuple[str, Value | _Label | None]], *, piped: bool, text: str) -> _Call:
    if not stage:
        raise BadTemplate(f"'{{{{{text}}}}}' says nothing: write $value or $labels.name")
    kind, first = stage[0]
    if kind == "is":
        if piped or len(stage) > 1:
            raise BadTemplate(f"'{{{{{text}}}}}': put a '|' between a value and a function")
        return _Call("", (first,))
    name = str(first)
    if name not in FUNCTIONS:
        raise BadTemplate(unknown(name, FUNCTIONS, "function"))
    if any(kind == "call" for kind, _ in stage[1:]):
        raise BadTemplate(f"'{{{{{text}}}}}': put a '|' between two functions")
    arguments = tuple(value for _, value in stage[1:])
    wanted = FUNCTIONS[name][0] - piped
    if len(arguments) != wanted:
        raise BadTemplate(f"'{{{{{text}}}}}': {name} takes {FUNCTIONS[name][0]}, what is piped included")
    if name == "printf":
        _check_format(arguments[0])
    return _Call(name, arguments)


def _check_format(given: Value | _Label | None) -> None:
    text = given if isinstance(given, str) else ""
    verbs = [verb for verb in _VERB.findall(text) if verb != "%%"]
    if len(verbs) != 1 or "%" in _VERB.sub("", text):
        raise BadTemplate('printf takes a text with one verb, such as "%.2f", "%d" or "%s"')


def _run(calls: tuple[_Call, ...], labels: Mapping[str, str], value: float) -> str:
    result: Value | None = None
    for call in calls:
        arguments = [
            value if one is None else labels.get(one.name, "") if isinstance(one, _Label) else one
            for one in call.arguments
        ]
        if result is not None:
            arguments.append(result)
        result = FUNCTIONS[call.name][1](*arguments) if call.name else arguments[0]
    return plain(result) if isinstance(result, float) else str(result)


def plain(number: float) -> str:
    """A number without what it does not need."""
    if math.isnan(number) or math.isinf(number):
        return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    return f"{int(number)}" if number == int(number) and abs(number) < 1e15 else f"{number:g}"  # noqa: PLR2004


def _number(given: Value) -> float:
    try:
        return float(given)
    except ValueError:
        return math.nan


def humanize(given: Value) -> str:
    """With SI prefixes: 1234 is 1.234k."""
    return _scaled(_number(given), _KILO, ("", "k", "M", "G", "T", "P", "E", "Z", "Y"), "munpfazy")


def _humanize1024(given: Value) -> str:
    return _scaled(_number(given), _KIBI, ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"), "")


def _scaled(number: float, step: float, greater: tuple[str, ...], smaller: str) -> str:
    if number == 0 or math.isnan(number) or math.isinf(number):
        return plain(number)
    place = 0
    while abs(number) >= step and place < len(greater) - 1:
        number, place = number / step, place + 1
    if place or abs(number) >= 1 or not smaller:
        return f"{number:.4g}{greater[place]}"
    while abs(number) < 1 and place < len(smaller):
        number, place = number * step, place + 1
    return f"{number:.4g}{smaller[place - 1]}"


def humanize_duration(given: Value) -> str:
    """Seconds as days, hours, minutes and seconds: 5400 is 1h 30m 0s."""
    number = _number(given)
    if math.isnan(number) or math.isinf(number):
        return plain(number)
    sign, number = "-" if number < 0 else "", abs(number)
    if number and number < 1:
        return f"{sign}{_scaled(number, _KILO, ('',), 'munpfazy')}s"
    if number < _MINUTE:
        return f"{sign}{number:.4g}s"
    whole = int(number)
    days, hours = whole // _DAY, whole // _HOUR % 24
    minutes, seconds = whole // _MINUTE % 60, whole % _MINUTE
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    return f"{sign}{hours}h {minutes}m {seconds}s" if hours else f"{sign}{minutes}m {seconds}s"


def _timestamp(given: Value) -> str:
    number = _number(given)
    if math.isnan(number) or abs(number) > 1e11:  # noqa: PLR2004 - beyond the calendar
        return plain(number)
    return f"{datetime.fromtimestamp(number, UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"


def _printf(text: Value, given: Value) -> str:
    shape = str(text)
    verb = next(one for one in _VERB.findall(shape) if one != "%%")
    if verb[-1] in "dfge":
        number = _number(given)
        if math.isnan(number) or math.isinf(number):
            filled = plain(number)
        else:
            filled = verb % (int(number) if verb[-1] == "d" else number)
    else:
        shown = plain(given) if isinstance(given, float) else given
        filled = f'"{shown}"' if verb[-1] == "q" else f"{verb[:-1]}s" % shown
    before, _, after = shape.partition(verb)
    return before.replace("%%", "%") + filled + after.replace("%%", "%")


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Value]]] = {
    "humanize": (1, humanize),
    "humanize1024": (1, _humanize1024),
    "humanizeDuration": (1, humanize_duration),
    "humanizePercentage": (1, lambda given: f"{_number(given) * 100:.4g}%"),
    "humanizeTimestamp": (1, _timestamp),
    "title": (1, lambda given: str(given).title()),
    "toUpper": (1, lambda given: str(given).upper()),
    "toLower": (1, lambda given: str(given).lower()),
    "printf": (2, _printf),
}
"""What each takes, what is piped included."""
