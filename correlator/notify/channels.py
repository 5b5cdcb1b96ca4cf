"""Who is told of alerts, and how: `channels.yaml`.

channels:
  - {id: on-call, kind: pagerduty, routing_key: {env: PAGERDUTY_KEY}}
  - {id: chat, kind: apprise, address: {env: CHAT_ADDRESS}}
  - {id: automation, kind: webhook, url: https://automation.example.com/alerts, secret: {env: HOOK_SECRET}}
routes:
  - {matchers: severity="page", channels: on-call, resend: 4h}
  - {channels: chat, during: de}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator

from throughline.collector.auth import DEFAULT_TENANT
from throughline.collector.egress import PORTS, Egress
from throughline.correlator.alerts.rule_files import calendars_of
from throughline.correlator.alerts.spans import Some, Span
from throughline.correlator.business_calendar import BusinessCalendar
from throughline.correlator.notify.matching import Matchers
from throughline.correlator.outbound.subscriptions import Secret
from throughline.correlator.parts import Id, InconsistentError, Part, several, unknown
from throughline.correlator.problems import InvalidFile, fields, file_of, validated
from throughline.probes.errors import ConfigurationError

CHANNELS_FILE = "channels.yaml"
PAGERDUTY = "https://events.pagerduty.com"


class InvalidChannels(InvalidFile):
    """The channels can't be used; correct the lines that the message names."""


def _address(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in PORTS or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"'{given}' is no address: https:// and a host, with neither user nor fragment")
    return given


def _networks(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        Egress.of([one if "/" in one else f"{one}/" for one in given])
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    return given


Url = Annotated[str, AfterValidator(_address)]
Names = Annotated[tuple[str, ...], BeforeValidator(several)]
Networks = Annotated[Names, AfterValidator(_networks)]


class _Called(Part):
    """What all ways have: `networks` that are not public but meant, such as 10.1.0.0/16."""

    id: Id
    tenant: str = DEFAULT_TENANT
    networks: Networks = ()
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 10

    def egress(self, url: str) -> Egress:
        """Where this channel may go: to the host of its address alone."""
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
        return Egress.of([host, *self.networks])


class PagerDuty(_Called):
    """A service of PagerDuty: Events API v2, one incident per alert; it knows acknowledgement.

    Source: https://developer.pagerduty.com/docs/events-api-v2/overview/
    """

    kind: Literal["pagerduty"]
    routing_key: Secret
    url: Url = PAGERDUTY


class Webhook(_Called):
    """JSON, signed after Standard Webhooks; during a rotation of the secret several, the new one first."""

    kind: Literal["webhook"]
    url: Url
    secret: Annotated[
        tuple[Secret, ...], BeforeValidator(lambda one: one if isinstance(one, list) else [one])
    ]


class Apprise(_Called):
    """Whatever Apprise speaks: mail, Slack, Teams, Telegram, ...; the address holds secrets, so it is one."""

    kind: Literal["apprise"]
    address: Secret


class Alertmanager(_Called):
    """A Prometheus Alertmanager: it is told of everything, again and again; grouping, inhibition, routes and
    silences are its own.

    Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
    """

    kind: Literal["alertmanager"]
    url: Url
    headers: Mapping[str, Secret] = Field(default_factory=dict)
    send_every: Some = timedelta(minutes=1)


Channel = Annotated[PagerDuty | Webhook | Apprise | Alertmanager, Field(discriminator="kind")]
AnyChannel = PagerDuty | Webhook | Apprise | Alertmanager


class Route(Part):
    """Alerts with these labels go to these channels; the first route that matches counts, and the next ones
    too while `continue` is set. `during` a calendar's working time only, or `outside` it. While an alert
    fires it is told again each `resend` (0s: never) until somebody acknowledges it.
    """

    matchers: Matchers = ()
    owner: Names = ()
    channels: Annotated[Names, Field(min_length=1)]
    during: Id | None = None
    outside: Id | None = None
    resend: Span = timedelta(hours=4)
    continue_: Annotated[StrictBool, Field(alias="continue")] = False

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.during and self.outside:
            raise InconsistentError([(("outside",), "a route is `during` or `outside` a calendar, not both")])
        return self


class Maintenance(Part):
    """Alerts that are not told while it lasts: from `begins` until `ends`, or during a calendar's hours."""

    name: str
    matchers: Matchers = ()
    begins: datetime | None = None
    ends: datetime | None = None
    during: Id | None = None

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        spanned = self.begins is not None and self.ends is not None and self.begins < self.ends
        aware = all(one is None or one.tzinfo is not None for one in (self.begins, self.ends))
        if not (spanned and aware) if self.during is None else bool(self.begins or self.ends):
            sentence = "give `begins` and a later `ends` with their zones (...Z), or `during` a calendar"
            raise InconsistentError([(("name",), sentence)])
        return self


class _File(Part):
    channels: tuple[Channel, ...] = ()
    routes: tuple[Route, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()


class Channels(Part):
    """A valid file, with the calendars that it names."""

    channels: tuple[AnyChannel, ...] = ()
    routes: tuple[Route, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    calendars: Mapping[str, BusinessCalendar] = Field(default_factory=dict)

    def of(self, tenant: str) -> tuple[AnyChannel, ...]:
        """The channels of a tenant."""
        return tuple(one for one in self.channels if one.tenant == tenant)

    def alertmanagers(self, tenant: str) -> tuple[Alertmanager, ...]:
        """The Alertmanagers of a tenant, all of which are told the same."""
        return tuple(one for one in self.of(tenant) if isinstance(one, Alertmanager))


def load_channels(config_dir: Path | None) -> Channels:
    """Read `<config_dir>/channels.yaml`; without one nobody is told of alerts. Raises: InvalidChannels."""
    path = file_of(config_dir, CHANNELS_FILE)
    return parse_channels(path, calendars=calendars_of(config_dir)) if path else Channels()


def parse_channels(source: Path | str, *, calendars: Mapping[str, BusinessCalendar]) -> Channels:
    """Read a file (`Path`) or YAML text (`str`). Raises: InvalidChannels, with every problem found."""
    wanted = "channels are a mapping that begins with `channels:`"
    file = validated(source, _File, _parts(), invalid=InvalidChannels, wanted=wanted)
    parsed = file.content
    file.refuse(_wrong(parsed, calendars))
    named = {name for one in parsed.routes for name in (one.during, one.outside)}
    named |= {one.during for one in parsed.maintenance}
    return Channels(
        channels=parsed.channels,
        routes=parsed.routes,
        maintenance=parsed.maintenance,
        calendars={name: one for name, one in calendars.items() if name in named},
    )


def _parts() -> dict[tuple[str, ...], list[str]]:
    """The fields at each place; those of a channel depend on its kind."""
    parts: dict[tuple[str, ...], list[str]] = {
        (): fields(_File), ("routes",): fields(Route), ("maintenance",): fields(Maintenance),
    }  # fmt: skip
    for kind in (PagerDuty, Webhook, Apprise, Alertmanager):
        name = str(kind.model_fields["kind"].annotation).split("'")[1]
        parts["channels", name] = fields(kind)
        for secret in ("routing_key", "secret", "address", "headers"):
            parts["channels", name, secret] = fields(Secret)
    return parts


def _wrong(file: _File, calendars: Mapping[str, BusinessCalendar]) -> list[tuple[tuple[str | int, ...], str]]:
    """What no field shows by itself: where, and a sentence."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    ids = [one.id for one in file.channels]
    managed = {one.tenant for one in file.channels if isinstance(one, Alertmanager)}
    for at, one in enumerate(file.channels):
        if one.id in ids[:at]:
            found.append((("channels", at, "id"), f"a channel '{one.id}' is there already"))
        if one.tenant in managed and not isinstance(one, Alertmanager):
            sentence = "with an Alertmanager, telling others is its job: configure this receiver there"
            found.append((("channels", at, "id"), sentence))
        url: Any = getattr(one, "url", None)
        if url and urlsplit(url).scheme == "http" and not one.networks:
            found.append((("channels", at, "url"), "http needs `networks:` that it may lead to; or https"))
    known = {one.id for one in file.channels if not isinstance(one, Alertmanager)}
    for at, route in enumerate(file.routes):
        found += [
            (("routes", at, "channels"), unknown(name, known, "channel for routes"))
            for name in route.channels
            if name not in known
        ]
    timed = [("routes", at, one.during or one.outside) for at, one in enumerate(file.routes)]
    timed += [("maintenance", at, one.during) for at, one in enumerate(file.maintenance)]
    for part, at, name in timed:
        if name is not None and name not in calendars:
            found.append(((part, at), unknown(name, calendars, "calendar of working time")))
    if known and not file.routes:
        found.append(((), "no route leads to these channels: add `routes: [{channels: [...]}]`"))
    return found
