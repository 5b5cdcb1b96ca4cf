"""What definition files are made of: names, texts, models that are immutable and refuse unknown fields."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr

Path = tuple[str | int, ...]


class InconsistentError(ValueError):
    """Parts of a definition contradict each other; each finding is where and what."""

    def __init__(self, findings: list[tuple[Path, str]]) -> None:
        """Keep the findings for the reader that knows the line numbers."""
        super().__init__("; ".join(sentence for _, sentence in findings))
        self.findings = findings


def _made_of(characters: str, named: str) -> AfterValidator:
    """Texts of these characters (a regular expression's class) only."""
    shape = re.compile(f"[{characters}]+")

    def check(value: str) -> str:
        if not shape.fullmatch(value):
            message = f"'{value}' must consist of {named}"
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds characters that are not Unicode") from error
    return value


def several(value: Any) -> Any:
    """One text may stand where a list is meant."""
    return [value] if isinstance(value, str) else value


def _placeholder(value: str) -> str:
    return value.strip().lower()


Text = Annotated[StrictStr, AfterValidator(_filled)]
Id = Annotated[StrictStr, _made_of(r"a-z0-9-", "small letters, digits and hyphens")]
Name = Annotated[StrictStr, _made_of(r"A-Za-z0-9_-", "letters, digits, hyphens and underscores")]
Namespace = Annotated[StrictStr, _made_of(r"A-Za-z0-9_.\-", "letters, digits, dots, hyphens and underscores")]
Placeholder = Annotated[StrictStr, AfterValidator(_placeholder)]
Names = Annotated[tuple[Name, ...], BeforeValidator(several)]
Events = Annotated[tuple[Text, ...], BeforeValidator(several)]
Positive = Annotated[StrictInt, Field(ge=1)]


class Part(BaseModel):
    """A piece of a definition: immutable, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """A sentence about a name that nothing has, with what was perhaps meant."""
    close = get_close_matches(name, list(known), n=1)
    return f"there is no {what} '{name}'" + (f"; did you mean '{close[0]}'?" if close else "")


def distinct(part: str, ids: Sequence[str], sentence: str) -> None:
    """Refuse a list of parts in which an id stands again. Raises: InconsistentError."""
    again = [number for number, one in enumerate(ids) if one in ids[:number]]
    if again:
        raise InconsistentError([((part, number, "id"), sentence) for number in again])


@cache
def _zones() -> set[str]:
    """Looking through the folders of all zones takes as long as reading twenty definitions."""
    return available_timezones()


def iana_zone(value: str) -> str:
    """A time zone that exists. Raises: ValueError."""
    if value not in _zones():
        raise ValueError(unknown(value, _zones(), "time zone"))
    return value
