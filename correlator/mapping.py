"""A mapping: rules that make business events of telemetry nobody can change."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictStr, model_validator

from throughline.correlator.mapping_values import FIELDS, RESOURCE, Pattern, Value
from throughline.correlator.parts import Id, InconsistentError, Name, Namespace, Part, Path, Text, several
from throughline.probes import vocabulary as v

Kind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
Status = Literal["unset", "ok", "error"]
Severity = Literal["trace", "debug", "info", "warn", "error", "fatal"]
Signal = Literal["spans", "logs"]


def _free(name: str) -> str:
    if name.startswith(("business.", "cloudevents.")):
        raise ValueError(f"'{name}' has a field of its own in `set`, or belongs to the sender")
    return name


def _pattern(given: Any) -> Any:
    """One value or a list stands for `{is: ...}`."""
    if isinstance(given, bool):
        return {"is": ["true" if given else "false"]}
    return {"is": given} if isinstance(given, (str, list, tuple)) else given


Kinds = Annotated[tuple[Kind, ...], BeforeValidator(several)]
Statuses = Annotated[tuple[Status, ...], BeforeValidator(several)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(several)]
Attribute = Annotated[StrictStr, AfterValidator(_free)]


class Wanted(Part):
    """What a text must be: one of several (`is`), like one of several (`glob`: `*` any, `?` one character),
    matched by a regular expression, or there at all (`exists`).
    """

    is_: Texts = Field(default=(), alias="is")
    glob: Texts = ()
    regex: Pattern | None = None
    exists: StrictBool | None = None

    @model_validator(mode="after")
    def _one(self) -> Wanted:
        given = [bool(self.is_), bool(self.glob), self.regex is not None, self.exists is not None]
        if sum(given) != 1:
            raise InconsistentError([((), "say one of is, glob, regex and exists")])
        return self


OneOf = Annotated[Wanted, BeforeValidator(_pattern)]


class Match(Part):
    """What a span or log record must be; a field that is left out matches anything."""

    service: OneOf | None = None
    scope: OneOf | None = None
    name: OneOf | None = None
    kind: Kinds = ()
    status: Statuses = ()
    event_name: OneOf | None = None
    body: OneOf | None = None
    severity: Severity | None = None
    attributes: dict[str, OneOf] = Field(default_factory=dict)
    resource: dict[str, OneOf] = Field(default_factory=dict)


ONLY = {"spans": ("name", "kind", "status"), "logs": ("event_name", "body", "severity")}
"""The fields of a match that one signal has alone."""


class Failure(Part):
    """What is known of a failure."""

    class_: Value | None = Field(default=None, alias="class")
    code: Value | None = None


class Run(Part):
    """The run in an integration platform."""

    id: Value | None = None
    url: Value | None = None


class Facts(Part):
    """What the event says; one of `event`, `keys` and `links` at least."""

    event: Value | None = None
    keys: dict[Namespace, Value] = Field(default_factory=dict)
    context_keys: dict[Namespace, Value] = Field(default_factory=dict)
    subject: Namespace | None = None
    links: tuple[Value, ...] = ()
    system: Value | None = None
    platform: Value | None = None
    connection: Value | None = None
    amount: Value | None = None
    currency: Value | None = None
    customer: Value | None = None
    entity: Value | None = None
    region: Value | None = None
    service_line: Value | None = None
    time_precision: Value | None = None
    accounting_date: Value | None = None
    exception: Failure = Failure()
    run: Run = Run()
    idempotency_key: Value | None = None
    payload_ref: Value | None = None
    attributes: dict[Attribute, Value] = Field(default_factory=dict)

    def values(self) -> list[tuple[Path, str, Value]]:
        """Where each value stands, and which attribute it fills; links apart."""
        plain = {
            "event": v.EVENT, "system": v.SYSTEM, "platform": v.PLATFORM, "connection": v.CONNECTION,
            "amount": v.AMOUNT, "currency": v.CURRENCY, "customer": v.CUSTOMER, "entity": v.ENTITY,
            "region": v.REGION, "service_line": v.SERVICE_LINE, "time_precision": v.TIME_PRECISION,
            "accounting_date": v.ACCOUNTING_DATE, "idempotency_key": v.IDEMPOTENCY_KEY,
            "payload_ref": v.PAYLOAD_REF,
        }  # fmt: skip
        found: list[tuple[Path, str, Value | None]] = [
            ((field,), name, getattr(self, field)) for field, name in plain.items()
        ]
        found += [(("keys", name), v.key(name), value) for name, value in self.keys.items()]
        found += [
            (("context_keys", name), v.context_key(name), value) for name, value in self.context_keys.items()
        ]
        found += [
            (("exception", "class"), v.EXCEPTION_CLASS, self.exception.class_),
            (("exception", "code"), v.EXCEPTION_CODE, self.exception.code),
            (("run", "id"), v.RUN_ID, self.run.id),
            (("run", "url"), v.RUN_URL, self.run.url),
        ]
        found += [(("attributes", name), name, value) for name, value in self.attributes.items()]
        return [(path, name, value) for path, name, value in found if value is not None]


class Rule(Part):
    """What matches, and what it means. The first rule that matches a span or log record makes its event."""

    name: Name
    signal: Signal = "spans"
    match: Match = Match()
    set: Facts

    @model_validator(mode="after")
    def _sensible(self) -> Rule:
        findings = [*_foreign_fields(self), *_foreign_names(self)]
        if self.match == Match():
            findings.append((("match",), "without any condition everything matches: name a service at least"))
        if not (self.set.event or self.set.keys or self.set.links):
            findings.append((("set",), "nothing is said: name an event, keys or links"))
        if findings:
            raise InconsistentError(findings)
        return self


def _foreign_fields(rule: Rule) -> list[tuple[Path, str]]:
    other = "logs" if rule.signal == "spans" else "spans"
    given = [field for field in ONLY[other] if getattr(rule.match, field)]
    return [
        (("match", field), f"only {other} have it; write `signal: {other}` or take it away")
        for field in given
    ]


def _foreign_names(rule: Rule) -> list[tuple[Path, str]]:
    """Names with a prefix of ours that stand for nothing."""
    known = FIELDS[rule.signal]
    values = [(path, value) for path, _, value in rule.set.values()]
    values += [(("links", number), value) for number, value in enumerate(rule.set.links)]
    return [
        (("set", *path), f"{rule.signal} have no {name}; known are {', '.join(known)} and {RESOURCE}<name>")
        for path, value in values
        for name in sorted(value.names())
        if name.startswith("@") and name not in known
    ]


class Mapping(Part):
    """A file of rules, for every tenant or some. `use` names presets whose rules follow its own."""

    mapping: Id
    title: Text | None = None
    tenants: Texts = ()
    use: Annotated[tuple[Id, ...], BeforeValidator(several)] = ()
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> Mapping:
        names = [rule.name for rule in self.rules]
        findings: list[tuple[Path, str]] = [
            (("rules", number, "name"), f"the rule '{name}' stands here twice: give each a name of its own")
            for number, name in enumerate(names)
            if name in names[:number]
        ]
        if not self.rules and not self.use:
            findings.append(((), "there is no rule: write `rules:` or `use:` a preset"))
        if findings:
            raise InconsistentError(findings)
        return self

    @property
    def content_hash(self) -> str:
        """The same for the same content."""
        return sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()
