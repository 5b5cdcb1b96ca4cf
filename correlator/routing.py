"""Routing of exceptions: `routing.yaml`, an ordered list of rules. The first that matches says whose an
exception is.

Rules are looked up when exceptions are read, so that a changed file counts at once, for old ones too.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from throughline.correlator.problems import InvalidFile, fields, file_of, validated

ROUTING_FILE = "routing.yaml"


class InvalidRouting(InvalidFile):
    """The routing of exceptions can't be used; correct the lines that the message names."""


def _several(given: Any) -> Any:
    """One value stands for a list of it."""
    return given if isinstance(given, (list, tuple)) or given is None else [given]


def _some(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given or "" in given:
        raise ValueError("name at least one value, and none that is empty; leave the field out to match any")
    return given


def _print(given: str) -> str:
    if not re.fullmatch("[0-9a-f]{16}", given):
        raise ValueError(f"a fingerprint is 16 small hexadecimal digits, not '{given}'")
    return given


Class = Literal["technical", "remote", "business"]
Severity = Literal["low", "medium", "high", "critical"]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several), AfterValidator(_some)]
Classes = Annotated[tuple[Class, ...], BeforeValidator(_several), AfterValidator(_some)]
Severities = Annotated[tuple[Severity, ...], BeforeValidator(_several), AfterValidator(_some)]
Prints = Annotated[
    tuple[Annotated[str, AfterValidator(_print)], ...], BeforeValidator(_several), AfterValidator(_some)
]


class Match(BaseModel):
    """What an exception must be: of several values any one. A field that is left out matches anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    process: Texts = ()
    milestone: Texts = ()
    class_: Classes = Field(default=(), alias="class")
    code: Texts = ()
    fingerprint: Prints = ()
    entity: Texts = ()
    region: Texts = ()
    service_line: Texts = ()
    severity: Severities = ()
    customer: Texts = ()
    currency: Texts = ()
    amount_at_least: Annotated[Decimal, Field(max_digits=30, decimal_places=6)] | None = None


class Rule(BaseModel):
    """Whose an exception is that matches; severity and runbook, where given, replace its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Match = Match()
    owner: str = Field(min_length=1)
    severity: Severity | None = None
    runbook: str | None = None

    def row(self) -> tuple[dict[str, list[str]], Decimal | None, str, str, str]:
        """The rule as the table `exception_routing` holds it."""
        wanted = {
            name.rstrip("_"): list(values)
            for name, values in self.match
            if name != "amount_at_least" and values
        }
        return wanted, self.match.amount_at_least, self.owner, self.severity or "", self.runbook or ""


class Routing(BaseModel):
    """The rules in order; none unless somebody writes some."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    routes: tuple[Rule, ...] = ()


_PARTS = {(): fields(Routing), ("routes",): fields(Rule), ("routes", "match"): fields(Match)}


def load_routing(config_dir: Path | None) -> Routing:
    """Read `<config_dir>/routing.yaml`; without one there are no rules.

    Raises:
        InvalidRouting: with every problem found.
    """
    path = file_of(config_dir, ROUTING_FILE)
    return parse_routing(path) if path else Routing()


def parse_routing(source: Path | str) -> Routing:
    """Read rules from a file (`Path`) or from YAML text (`str`).

    Raises:
        InvalidRouting: with every problem found.
    """
    wanted = "routing is a mapping that begins with `routes:`"
    found = validated(source, Routing, _PARTS, invalid=InvalidRouting, wanted=wanted)
    sentence = "no exception reaches this rule: the one before it matches everything"
    found.refuse((("routes", number), sentence) for number in _unreachable(found.content))
    return found.content


def _unreachable(routing: Routing) -> range:
    """The rules that stand behind one that matches everything, by number."""
    every = next((n for n, rule in enumerate(routing.routes) if rule.match == Match()), len(routing.routes))
    return range(every + 1, len(routing.routes))
