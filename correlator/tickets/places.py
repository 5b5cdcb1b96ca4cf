"""Where tickets are opened: `tickets.yaml`, checked on construction."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from throughline.collector.egress import Egress
from throughline.correlator.parts import InconsistentError, Part, distinct
from throughline.correlator.problems import InvalidFile, fields, file_of, validated
from throughline.correlator.replay import templates
from throughline.correlator.replay.authentication import Auth, parts_of_auth
from throughline.correlator.replay.targets import Several, Span
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

TICKETS_FILE = "tickets.yaml"
TITLE = (
    "{{ cause.code or cause.class }}: {{ cause.event or 'a check' }} fails on {{ cause.journeys }} journeys"
)
TEXT = """{{ cause.message }}

Since {{ cause.since }}: {{ cause.exceptions }} exceptions on {{ cause.journeys }} journeys.
Process: {{ cause.processes | join(', ') }}. Owner: {{ cause.owners | join(', ') or 'nobody' }}.
Runbook: {{ cause.runbook or 'none' }}.
Fingerprint {{ cause.fingerprint }}. Throughline says here how it stands, and closes it when all works."""


class InvalidTickets(InvalidFile):
    """The places for tickets can't be used; correct the lines that the message names."""


class When(Part):
    """Which causes get a ticket by themselves; what is left out matches any."""

    process: Several = ()
    class_: Several = Field(default=(), alias="class")
    code: Several = ()
    severity: Several = ()
    exceptions_at_least: int = Field(default=1, ge=1)
    journeys_at_least: int = Field(default=0, ge=0)


class Place(Part):
    """One Jira project or ServiceNow table. `title`, `text` and texts in `fields` are templates."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    system: Literal["jira", "servicenow"]
    hosts: tuple[str, ...] = Field(min_length=1)
    url: str
    auth: Auth = Auth()
    tenants: Several = ()
    project: str = ""
    issue_type: str = "Task"
    table: str = Field(default="incident", pattern=r"^[a-z0-9_]+$")
    title: str = TITLE
    text: str = TEXT
    fields: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, str] = Field(default_factory=dict)
    close: dict[str, Any] = Field(default_factory=dict)
    """Fields that ServiceNow wants when a ticket is closed; for Jira `transition`, by name."""
    automatic: tuple[When, ...] = ()
    poll_every: Span = timedelta(minutes=5)
    timeout: Span = timedelta(seconds=20)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        findings: list[tuple[tuple[str | int, ...], str]] = []
        try:
            Egress.of(self.hosts)
        except ConfigurationError as error:
            findings.append((("hosts",), str(error)))
        if self.system == "jira" and not self.project:
            findings.append((("system",), "jira needs a `project`, by its key"))
        for place, text in (("title", self.title), ("text", self.text), *_texts("fields", self.fields)):
            try:
                templates.parse("body", text)
            except ValueError as error:
                findings.append(((place,), str(error)))
        if findings:
            raise InconsistentError(findings)
        return self

    def serves(self, tenant: str) -> bool:
        """Whether tickets of a tenant go there."""
        return not self.tenants or tenant in self.tenants


class Places(Part):
    """All places."""

    tickets: tuple[Place, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        distinct("tickets", [one.id for one in self.tickets], "another place is called so")
        return self

    def by_id(self, name: str) -> Place | None:
        """One place, or None."""
        return next((one for one in self.tickets if one.id == name), None)


_PARTS: dict[tuple[str, ...], list[str]] = {
    (): fields(Places),
    ("tickets",): fields(Place),
    ("tickets", "automatic"): fields(When),
    **parts_of_auth("tickets", "auth"),
}


def parse_places(source: Path | str) -> Places:
    """Read places from a file (`Path`) or from YAML text (`str`). Raises: InvalidTickets."""
    wanted = "tickets are a mapping that begins with `tickets:`"
    return validated(source, Places, _PARTS, invalid=InvalidTickets, wanted=wanted).content


def load_places(config_dir: Path | None) -> Places:
    """Read `<config_dir>/tickets.yaml`; without one there are none. Raises: InvalidTickets."""
    path = file_of(config_dir, TICKETS_FILE)
    return parse_places(path) if path else Places()


def filled(value: Any, known: dict[str, Any]) -> Any:
    """Fill every text of a field, however deep. Raises: TemplateFailed."""
    if isinstance(value, str):
        return templates.fill("body", value, known)
    if isinstance(value, dict):
        return {name: filled(one, known) for name, one in value.items()}
    return [filled(one, known) for one in value] if isinstance(value, list | tuple) else value


def _texts(place: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(place, value)]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [found for one in members for found in _texts(place, one)]
