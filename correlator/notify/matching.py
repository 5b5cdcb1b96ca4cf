"""Which alerts are meant: matchers as Alertmanager writes them, over labels. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHAPE = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^"]*?)\s*')
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that is not there is the empty text.

    Source: https://prometheus.io/docs/alerting/latest/configuration/#matcher
    """

    name: str
    value: str
    is_equal: bool = True
    is_regex: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the condition."""
        given = labels.get(self.name, "")
        found = bool(re.fullmatch(self.value, given)) if self.is_regex else given == self.value
        return found == self.is_equal

    def __str__(self) -> str:
        """As files spell it."""
        sign = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{sign[self.is_equal, self.is_regex]}"{quoted}"'


def read_matcher(text: str) -> Matcher:
    """Read `severity="page"`, `region=~"EM.*"`, `owner!=billing`. Raises: ValueError, with a sentence."""
    found = _SHAPE.fullmatch(text)
    if found is None or len(text) > _LONGEST:
        raise ValueError(
            f"""'{text[:100]}' is no matcher; write it like severity="page" or region=~"EM.*\""""
        )
    name, sign, value = found.groups()
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if "~" in sign:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"'{value}' is no regular expression: {error}") from error
    return Matcher(name, value, is_equal=not sign.startswith("!"), is_regex="~" in sign)


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every condition is met; none at all is met by anything."""
    return all(one.matches(labels) for one in matchers)


def _read(given: Any) -> Any:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple):
        return listed
    return tuple(read_matcher(one) if isinstance(one, str) else one for one in listed)


Matchers = Annotated[tuple[Matcher, ...], BeforeValidator(_read)]
"""A list of matchers, or one."""
