"""One attempt to tell one channel something. Never raises for what the network or the other side do."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx

from throughline.collector.egress import NotAllowed, send
from throughline.collector.secrets import MissingSecret
from throughline.correlator.notify.channels import AnyChannel, Apprise, PagerDuty, Webhook
from throughline.correlator.notify.ledger import Outcome
from throughline.correlator.outbound.messages import signature
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from throughline.correlator.notify.words import Told

_SEVERITIES = {"page": "critical", "ticket": "warning", "info": "info"}
_NEVER = frozenset({400, 413, 422})
"""Answers after which the same message is not sent again; a wrong key or address concerns all of them."""
_SHOWN = 300
ACKNOWLEDGED = (PagerDuty, Webhook)
"""Kinds that are told of an acknowledgement; to people in a chat it would be noise."""
_APPRISE = threading.Lock()


def attempt(channel: AnyChannel, told: Told, now: datetime, environ: Mapping[str, str]) -> Outcome:
    """Tell one channel one thing, once."""
    try:
        if isinstance(channel, PagerDuty):
            path, body = pagerduty(channel, told, environ)
            return post(channel, urljoin(channel.url, path), json.dumps(body).encode(), {})
        if isinstance(channel, Webhook):
            body_bytes = json.dumps({"type": f"alert.{told.data['state']}", "title": told.title, **told.data})
            keys = [one.key(environ) for one in channel.secret]
            headers = signature(f"msg_{told.id}", body_bytes.encode(), keys, now)
            return post(channel, channel.url, body_bytes.encode(), headers)
        if isinstance(channel, Apprise):
            return _apprise(channel.address.text(environ), told)
    except (MissingSecret, ConfigurationError) as error:
        return Outcome(accepted=False, text=str(error))
    return Outcome(accepted=False, text="an Alertmanager is told of all alerts at once", permanent=True)


def pagerduty(channel: PagerDuty, told: Told, environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Path and body of an event; a summary is a change event, which calls nobody. Raises: MissingSecret.

    Source: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/,
    https://developer.pagerduty.com/docs/events-api-v2/send-change-events/
    """
    body: dict[str, Any] = {"routing_key": channel.routing_key.text(environ)}
    links = [{"href": told.link, "text": "Throughline"}] if told.link else []
    links += [{"href": told.runbook, "text": "Runbook"}] if told.runbook.startswith("http") else []
    details = {"text": told.text, **told.data}
    if told.act == "summary":
        payload = {"summary": told.title[:1024], "source": "throughline", "custom_details": details}
        return "/v2/change/enqueue", {**body, "payload": payload, "links": links}
    body |= {"event_action": told.act, "dedup_key": told.key}
    if told.act == "trigger":
        body["payload"] = {
            "summary": told.title[:1024],
            "source": "throughline",
            "severity": _SEVERITIES.get(told.severity, "warning"),
            "timestamp": told.data.get("starts_at"),
            "component": told.data.get("labels", {}).get("process", ""),
            "group": told.data.get("rule", ""),
            "class": told.data.get("alert", ""),
            "custom_details": details,
        }
        body |= {"links": links, "client": "Throughline", **({"client_url": told.link} if told.link else {})}
    return "/v2/enqueue", body


def post(
    channel: AnyChannel, url: str, body: bytes, headers: Mapping[str, str], verb: str = "POST"
) -> Outcome:
    """Send JSON to the channel's own host."""
    told = {"content-type": "application/json", "user-agent": "throughline", **headers}
    try:
        with channel.egress(url).client(timeout_seconds=channel.timeout_seconds) as client:
            answer = send(client, client.build_request(verb, url, content=body, headers=told))
    except (httpx.HTTPError, NotAllowed, OSError) as error:
        return Outcome(accepted=False, text=f"{type(error).__name__}: {error}"[:_SHOWN])
    said = f"{answer.status} {' '.join(answer.body.decode('utf-8', 'replace').split())}"[:_SHOWN].strip()
    given = answer.headers.get("retry-after", "")
    retry = float(given) if given.isascii() and given.isdigit() else None
    accepted = 200 <= answer.status < 300  # noqa: PLR2004 - all of 2xx
    return Outcome(accepted, said, answer.status in _NEVER, retry)


def _apprise(address: str, told: Told) -> Outcome:
    """Send by Apprise, which makes its own connections: whoever may read the secret says where they go."""
    import apprise

    kinds = {"resolve": apprise.NotifyType.SUCCESS, "trigger": apprise.NotifyType.WARNING}
    said: list[str] = []

    class _Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    heard = _Heard(logging.WARNING)
    with _APPRISE:  # its log is one for all
        known = apprise.Apprise()
        if not known.add(address):
            return Outcome(accepted=False, text="Apprise does not know this address")
        log = logging.getLogger("apprise")
        log.addHandler(heard)
        try:
            kind = kinds.get(told.act, apprise.NotifyType.INFO)
            accepted = bool(known.notify(title=told.title, body=told.text or told.title, notify_type=kind))
        finally:
            log.removeHandler(heard)
    return Outcome(
        accepted, "taken" if accepted else " ".join(said)[:_SHOWN] or "Apprise could not deliver it"
    )
