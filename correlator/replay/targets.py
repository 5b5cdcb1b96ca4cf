"""Where replays may go: `targets.yaml`, checked on construction; presets fill in what a platform asks for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import jsonschema
from pydantic import BeforeValidator, Field, model_validator

from throughline.collector.egress import Egress
from throughline.collector.secrets import SecretSource
from throughline.correlator.durations import parse_duration
from throughline.correlator.parts import InconsistentError, Part, distinct, several
from throughline.correlator.problems import InvalidFile, Problem, fields, file_of, following, read
from throughline.correlator.replay import templates
from throughline.correlator.replay.authentication import Auth, parts_of_auth
from throughline.correlator.yaml_lines import Mapping, Sequence
from throughline.probes.errors import ConfigurationError

TARGETS_FILE = "targets.yaml"

Kind = Literal["resubmit", "repair", "redrive", "rerun", "compensate"]
"""What is done by a call; fixing at source and dismissing need none."""
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class InvalidTargets(InvalidFile):
    """The replay targets can't be used; correct the lines that the message names."""


def span(given: Any) -> Any:
    """A plain time span, as files spell it. Raises: ValueError."""
    if not isinstance(given, str):
        return given
    found = parse_duration(given)
    if found.business:
        raise ValueError(f"'{given}' must be plain time, such as 15m, 4h or 3d")
    return timedelta(seconds=found.seconds)


Span = Annotated[timedelta, BeforeValidator(span), Field(gt=timedelta(0))]
Several = Annotated[tuple[str, ...], BeforeValidator(several)]


class Tls(Part):
    """Files for mutual TLS, and an authority of one's own."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Call(Part):
    """One HTTP call as templates. `accepted` are the statuses that mean it was taken."""

    method: Method = "POST"
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""
    accepted: tuple[int, ...] = (200, 201, 202, 204)

    @model_validator(mode="after")
    def _templates(self) -> Self:
        findings: list[tuple[tuple[str | int, ...], str]] = []
        texts: dict[tuple[str | int, ...], tuple[str, str]] = {
            ("url",): ("url", self.url),
            ("body",): ("body", self.body),
        }
        texts |= {("headers", name): ("header", text) for name, text in self.headers.items()}
        for place, (kind, text) in texts.items():
            try:
                templates.parse(kind, text)
            except ValueError as error:
                findings.append((place, str(error)))
        if findings:
            raise InconsistentError(findings)
        return self


class Lookup(Call):
    """A call that says whether the target has it already: `found` are the statuses that mean so."""

    method: Method = "GET"
    found: tuple[int, ...] = (200,)


class Retry(Part):
    """Calls after a failure that may pass: how many in all, the first pause and the longest."""

    attempts: int = Field(default=5, ge=1, le=50)
    first: Span = timedelta(seconds=2)
    longest: Span = timedelta(minutes=5)


class Batches(Part):
    """A few at first, then `factor` times as many; stop if more than this share of a batch did not work."""

    canary: int = Field(default=1, ge=1)
    factor: int = Field(default=5, ge=1)
    stop_above: float = Field(default=0.1, ge=0, lt=1)


class Match(Part):
    """Which exceptions the target is for; what is left out matches any."""

    process: Several = ()
    milestone: Several = ()
    event: Several = ()
    system: Several = ()
    class_: Several = Field(default=(), alias="class")
    code: Several = ()


class Target(Call):
    """One place where failed work is done again. `idempotent`: it drops repeats of an idempotency key."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = ""
    hosts: tuple[str, ...] = Field(min_length=1)
    kinds: Annotated[tuple[Kind, ...], BeforeValidator(several)] = ("resubmit", "repair")
    match: Match = Match()
    params: dict[str, str] = Field(default_factory=dict)
    secret: SecretSource | None = None
    auth: Auth = Auth()
    tls: Tls = Tls()
    idempotent: bool = False
    idempotency_header: str = "Idempotency-Key"
    once: bool = False
    """One call does it for the whole batch: a queue is moved, not a message."""
    steps: tuple[Call, ...] = ()
    """Further calls in order; `answer` is what the one before said."""
    lookup: Lookup | None = None
    compensate: Call | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    """JSON schema that an edited payload must follow."""
    finance: bool = False
    """Whether its effects stand in the books."""
    window: Span | None = None
    """How long after the failure the platform can do it."""
    timeout: Span = timedelta(seconds=30)
    per_second: Decimal = Field(default=Decimal(5), gt=0, le=1000)
    retry: Retry = Retry()
    batches: Batches = Batches()
    verify_within: Span = timedelta(minutes=15)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        findings: list[tuple[tuple[str | int, ...], str]] = []
        try:
            Egress.of(self.hosts)
        except ConfigurationError as error:
            findings.append((("hosts",), str(error)))
        if "compensate" in self.kinds and self.compensate is None:
            findings.append((("kinds",), "compensate needs a call of its own: the field `compensate`"))
        if self.schema_ is not None:
            try:
                jsonschema.Draft202012Validator.check_schema(self.schema_)
            except jsonschema.SchemaError as error:
                findings.append((("schema",), f"this is no JSON schema: {error.message}"))
        if findings:
            raise InconsistentError(findings)
        return self

    @property
    def egress(self) -> Egress:
        """Where its calls may go."""
        return Egress.of(self.hosts)

    def calls(self, kind: str) -> tuple[Call, ...]:
        """The calls that do it, in order."""
        if kind == "compensate" and self.compensate is not None:
            return (self.compensate,)
        return (self, *self.steps)


class Targets(Part):
    """All targets."""

    targets: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        distinct("targets", [one.id for one in self.targets], "another target is called so")
        return self

    def by_id(self, name: str) -> Target | None:
        """One target, or None."""
        return next((one for one in self.targets if one.id == name), None)


_PARTS: dict[tuple[str, ...], list[str]] = {
    (): fields(Targets),
    ("targets",): [*fields(Target), "preset"],
    ("targets", "match"): fields(Match),
    ("targets", "tls"): fields(Tls),
    ("targets", "lookup"): fields(Lookup),
    ("targets", "compensate"): fields(Call),
    ("targets", "steps"): fields(Call),
    ("targets", "retry"): fields(Retry),
    ("targets", "batches"): fields(Batches),
    ("targets", "secret"): fields(SecretSource),
    **parts_of_auth("targets", "auth"),
}


def presets() -> dict[str, Mapping]:
    """The shipped presets by name: fields of a target."""
    text = (files("throughline.correlator.replay") / "presets.yaml").read_text(encoding="utf-8")
    return read(text, InvalidTargets, "presets are a mapping")[0]


def load_targets(config_dir: Path | None) -> Targets:
    """Read `<config_dir>/targets.yaml`; without one there are none.

    Raises:
        InvalidTargets: with every problem found.
    """
    path = file_of(config_dir, TARGETS_FILE)
    return parse_targets(path) if path else Targets()


def parse_targets(source: Path | str) -> Targets:
    """Read targets from a file (`Path`) or from YAML text (`str`).

    Raises:
        InvalidTargets: with every problem found.
    """
    tree, file = read(source, InvalidTargets, "targets are a mapping that begins with `targets:`")
    _apply_presets(tree, file)
    return following(Targets, tree, file, _PARTS, invalid=InvalidTargets)


def _apply_presets(tree: Mapping, file: str) -> None:
    """Fill in the fields of presets that a target names and does not replace. Raises: InvalidTargets."""
    known = presets()
    entries = tree.get("targets")
    for entry in entries if isinstance(entries, Sequence) else ():
        if not isinstance(entry, Mapping) or "preset" not in entry:
            continue
        place = entry.places["preset"]
        name = entry.pop("preset")
        if name not in known:
            sentence = f"there is no preset '{name}'; known are {', '.join(sorted(known))}"
            raise InvalidTargets([Problem(file, place[1], sentence)])
        for field, value in known[name].items():
            entry.setdefault(field, value)
