"""Telling an Alertmanager: all that fires, again and again, and what ended; its silences as ours.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from throughline.collector.auth import DEFAULT_TENANT
from throughline.collector.egress import NotAllowed, send
from throughline.correlator.notify.ledger import Outcome
from throughline.correlator.notify.matching import Matcher
from throughline.correlator.notify.routing import Silence
from throughline.correlator.notify.sending import post
from throughline.correlator.notify.words import links
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from throughline.correlator.notify.channels import Alertmanager
    from throughline.correlator.notify.ledger import Episode

ENDS_AFTER = 4
"""Without news for so many intervals an Alertmanager takes an alert for ended, as with Prometheus."""


class AlertmanagerFailed(ThroughlineError):
    """The Alertmanager did not answer as it should; look at its log and at the channel's networks."""

    permanent = False


def alerts(
    channel: Alertmanager, episodes: Sequence[Episode], public_url: str, now: datetime
) -> list[dict[str, Any]]:
    """Episodes as an Alertmanager takes them; `endsAt` of one that fires is when it is to be forgotten."""
    found = []
    for one in episodes:
        link, runbook = links(one, public_url)
        annotations = {**one.annotations, **({"runbook_url": runbook} if runbook else {})}
        tenant = {"tenant": one.tenant} if one.tenant != DEFAULT_TENANT else {}
        about = json.loads(one.about or "{}")
        if about.get("journeys"):
            annotations["journeys"] = str(about["journeys"])
            annotations["money"] = ", ".join(f"{sum_} {name}" for name, sum_ in about["money"].items())
        ends = one.ends_at or now + ENDS_AFTER * channel.send_every
        found.append(
            {
                "labels": {**one.labels, **tenant},
                "annotations": {name: text for name, text in annotations.items() if text},
                "startsAt": one.starts_at.isoformat(),
                "endsAt": ends.isoformat(),
                **({"generatorURL": link} if link else {}),
            }
        )
    return found


def tell(
    channel: Alertmanager, episodes: Sequence[Episode], public_url: str, now: datetime,
    environ: Mapping[str, str],
) -> Outcome:  # fmt: skip
    """Tell it of these alerts, once. Raises: MissingSecret."""
    body = json.dumps(alerts(channel, episodes, public_url, now)).encode()
    return post(channel, _url(channel, "alerts"), body, _headers(channel, environ))


def silences(channel: Alertmanager, tenant: str, environ: Mapping[str, str]) -> list[Silence]:
    """Its silences that concern a tenant and are not over. Raises: AlertmanagerFailed, MissingSecret."""
    found = _ask(channel, "GET", "silences", None, environ)
    kept = []
    for one in found:
        matchers = tuple(
            Matcher(each["name"], each["value"], is_equal=each.get("isEqual", True), is_regex=each["isRegex"])
            for each in one["matchers"]
        )
        meant = tenant if tenant != DEFAULT_TENANT else ""
        others = any(each.name == "tenant" and not each.matches({"tenant": meant}) for each in matchers)
        if one["status"]["state"] != "expired" and not others:
            begins, ends = _time(one["startsAt"]), _time(one["endsAt"])
            kept.append(Silence(one["id"], matchers, begins, ends, one["createdBy"], one["comment"]))
    return kept


def silence(channel: Alertmanager, tenant: str, wanted: Silence, environ: Mapping[str, str]) -> str:
    """Begin a silence for one tenant's alerts; returns its id. Raises: AlertmanagerFailed, MissingSecret."""
    meant = Matcher("tenant", tenant if tenant != DEFAULT_TENANT else "")
    matchers = [
        {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
        for one in (*(each for each in wanted.matchers if each.name != "tenant"), meant)
    ]
    body = {
        "matchers": matchers,
        "startsAt": wanted.starts_at.isoformat(),
        "endsAt": wanted.ends_at.isoformat(),
        "createdBy": wanted.author,
        "comment": wanted.comment or "silenced in Throughline",
    }
    return str(_ask(channel, "POST", "silences", body, environ)["silenceID"])


def expire(channel: Alertmanager, identity: str, environ: Mapping[str, str]) -> None:
    """End a silence. Raises: AlertmanagerFailed, MissingSecret."""
    _ask(channel, "DELETE", f"silence/{identity}", None, environ)


def _ask(channel: Alertmanager, verb: str, path: str, body: Any, environ: Mapping[str, str]) -> Any:
    url = _url(channel, path)
    try:
        with channel.egress(url).client(timeout_seconds=channel.timeout_seconds) as client:
            request = client.build_request(verb, url, json=body, headers=_headers(channel, environ))
            answer = send(client, request)
    except (httpx.HTTPError, NotAllowed, OSError) as error:
        raise AlertmanagerFailed(f"{channel.id} did not answer: {error}") from error
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - all of 2xx
        said = answer.body.decode("utf-8", "replace")[:300]
        raise AlertmanagerFailed(f"{channel.id} answered {answer.status}: {said}")
    return json.loads(answer.body) if answer.body else None


def due(
    channel: Alertmanager, told: Mapping[str, tuple[str, datetime | None]], episodes: Sequence[Episode],
    now: datetime,
) -> list[Episode]:  # fmt: skip
    """What it is to be told now: news at once with all that fires, else all that fires once per interval;
    `told` says by episode what it was told last, and when.
    """
    news, again = [], []
    for one in episodes:
        state, at = told.get(one.id, ("", None))
        if (one.ends_at is None) == (state == "trigger"):
            again += [one] if one.ends_at is None else []
            if one.ends_at is None and (at is None or now - at >= channel.send_every):
                news.append(one)
        elif state or one.ends_at is None:
            news.append(one)
    return [*again, *(one for one in news if one not in again)] if news else []


def _url(channel: Alertmanager, path: str) -> str:
    return f"{channel.url.rstrip('/')}/api/v2/{path}"


def _headers(channel: Alertmanager, environ: Mapping[str, str]) -> dict[str, str]:
    return {name: secret.text(environ) for name, secret in channel.headers.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
