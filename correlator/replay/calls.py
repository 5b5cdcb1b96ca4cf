"""One call to a target: filled, sent, and judged by whether it may be made again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import httpx
from httpx_auth import AWS4Auth, HttpxAuthException, OAuth2ClientCredentials

from throughline.collector.egress import Answer, NotAllowed, send
from throughline.collector.secrets import MissingSecret
from throughline.correlator.replay.templates import TemplateFailed, fill
from throughline.probes import vocabulary
from throughline.probes.errors import ConfigurationError, ThroughlineError

if TYPE_CHECKING:
    from throughline.collector.secrets import SecretSource
    from throughline.correlator.replay.authentication import Auth
    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.records import Item
    from throughline.correlator.replay.targets import Call, Lookup, Target

Judgement = Literal["accepted", "again", "failed", "uncertain"]

NOT_YET = frozenset({429, 503})
"""The target says itself that it has done nothing."""
MAY_PASS = frozenset({408, 425, 500, 502, 504})
"""Another try may work; whether this one had an effect, nobody knows."""
LONGEST_NOTE = 2_000
SHOWN = (
    "id", "process", "event", "milestone", "code", "message", "fingerprint", "customer", "entity", "region",
    "currency",
)  # fmt: skip
"""What templates may use of an exception, besides its class and amount."""
Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call. Again: nothing has happened, or a repeat does no harm."""

    judgement: Judgement
    reason: str
    status: int = 0
    answer: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """What a call needs besides its target: what is known of the exception, of the item, and its trace."""

    facts: Facts
    item: Item
    kind: str
    trace_id: str
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def traceparent(self) -> str:
        """W3C: everything that the call causes stands in this trace."""
        return f"00-{self.trace_id}-{self.span_id}-01"


class Caller:
    """Makes the calls of one target; keeps its connections."""

    def __init__(self, target: Target, environ: Environment = os.environ) -> None:
        """Raises: ConfigurationError, when a file of the target can't be used."""
        tls = target.tls
        self.target = target
        self._environ = environ
        self._client, self._tokens = (
            target.egress.client(
                timeout_seconds=target.timeout.total_seconds(),
                certificate=(tls.certificate, tls.key) if tls.certificate and tls.key else None,
                authority=tls.authority,
            )
            for _ in range(2)
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._tokens.close()

    def exists(self, ready: Ready) -> str:
        """Why the target has it already, or ''. Raises: ThroughlineError, when it does not say."""
        lookup: Lookup | None = self.target.lookup
        if lookup is None:
            return ""
        try:
            answer = self._send(lookup, ready, [])
        except httpx.HTTPError as error:
            raise ThroughlineError(f"The look-up got no answer: {_said(error)}.") from error
        if answer.status in lookup.found:
            return f"The target answered {answer.status} when asked for it: it is there already."
        if answer.status in NOT_YET | MAY_PASS:
            raise ThroughlineError(f"The look-up was answered {answer.status}.")
        return ""

    def call(self, ready: Ready) -> Outcome:
        """Make the call with all its steps. Never raises."""
        answers: list[dict[str, Any]] = []
        outcome = Outcome("failed", "The target has no call for this.")
        for number, call in enumerate(self.target.calls(ready.kind)):
            outcome = self._one(call, ready, answers)
            if outcome.judgement == "accepted":
                continue
            if number and not self.target.idempotent:
                reason = f"Step {number + 1} did not work after the ones before: {outcome.reason}"
                return Outcome("uncertain", reason, outcome.status, outcome.answer)
            return outcome
        return outcome

    def _one(self, call: Call, ready: Ready, answers: list[dict[str, Any]]) -> Outcome:
        try:
            answer = self._send(call, ready, answers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Outcome("again", f"The target can't be reached: {_said(error)}.")
        except HttpxAuthException as error:  # an HTTPError too, but nothing was sent
            return Outcome("again", f"No token was given: {_said(error)}.")
        except httpx.HTTPError as error:
            judgement: Judgement = "again" if self.target.idempotent else "uncertain"
            return Outcome(judgement, f"No answer came: {_said(error)}.")
        except (NotAllowed, TemplateFailed, ConfigurationError) as error:
            return Outcome("failed", str(error))
        text = answer.body.decode("utf-8", "replace")
        answers.append(
            {"status": answer.status, "headers": dict(answer.headers), "text": text, "json": _json(text)}
        )
        return self._judged(call, answer, text[:LONGEST_NOTE])

    def _judged(self, call: Call, answer: Answer, text: str) -> Outcome:
        status = answer.status
        if status in call.accepted:
            return Outcome("accepted", f"The target answered {status}.", status, text)
        after = _seconds(answer.headers.get("retry-after", ""))
        if status in NOT_YET:
            return Outcome("again", f"The target answered {status}: not now.", status, text, after)
        if status in MAY_PASS:
            judgement: Judgement = "again" if self.target.idempotent else "uncertain"
            return Outcome(judgement, f"The target answered {status}.", status, text, after)
        reason = f"The target answered {status}, which another try does not change."
        return Outcome("failed", reason, status, text)

    def _send(self, call: Call, ready: Ready, answers: list[dict[str, Any]]) -> Answer:
        known = self._known(ready, answers)
        body = fill("body", call.body, known).encode()
        headers = {name: fill("header", text, known) for name, text in call.headers.items()}
        headers |= {
            "traceparent": ready.traceparent,
            "baggage": f"{vocabulary.REPLAY_ID}={ready.item.name}",
            self.target.idempotency_header: ready.item.idempotency_key,
        }
        headers |= self._signed(body)
        url = fill("url", call.url, known)
        try:
            request = self._client.build_request(call.method, url, headers=headers, content=body)
        except httpx.InvalidURL as error:
            raise TemplateFailed(f"The URL can't be used: {error}.") from error
        except UnicodeEncodeError as error:
            raise TemplateFailed(f"A header can hold ASCII alone, not {error.object!r}.") from error
        return send(self._client, request, self._auth())

    def _known(self, ready: Ready, answers: list[dict[str, Any]]) -> dict[str, Any]:
        """What templates may use: texts, numbers and mappings of them."""
        facts, item, failure = ready.facts, ready.item, ready.facts.failure
        exception = {name: getattr(facts, name) for name in SHOWN}
        return {
            "exception": {**exception, "class": facts.class_, "amount": str(facts.amount or "")},
            "subject": {"name": facts.subject_name, "id": facts.subject_name.partition(":")[2]},
            "keys": dict(failure.keys),
            "run": {"id": failure.run_id, "url": failure.run_url},
            "payload": item.payload,
            "payload_ref": failure.payload_ref,
            "idempotency_key": item.idempotency_key,
            "original": {"idempotency_key": failure.idempotency_key, "trace_id": failure.trace_id},
            "replay": {"id": item.name, "kind": ready.kind},
            "traceparent": ready.traceparent,
            "params": dict(self.target.params),
            "secret": self._read(self.target.secret) if self.target.secret else "",
            "answers": answers,
        }

    def _signed(self, body: bytes) -> dict[str, str]:
        way = self.target.auth.hmac
        if way is None:
            return {}
        digest = hmac.new(self._read(way.secret).encode(), body, getattr(hashlib, way.algorithm)).digest()
        text = digest.hex() if way.encoding == "hex" else base64.b64encode(digest).decode()
        return {way.header: way.prefix + text}

    def _auth(self) -> httpx.Auth | None:
        return http_auth(self.target.auth, self.target.id, self._environ, self._tokens)

    def _read(self, secret: SecretSource) -> str:
        return secret_of(secret, self.target.id, self._environ)


def http_auth(auth: Auth, named: str, environ: Environment, tokens: httpx.Client) -> httpx.Auth | None:
    """How calls prove who they are; `tokens` fetches tokens. Raises: ConfigurationError."""
    if auth.bearer:
        return _Bearer(secret_of(auth.bearer, named, environ))
    if auth.basic:
        return httpx.BasicAuth(auth.basic.user, secret_of(auth.basic.password, named, environ))
    if auth.oauth2:
        way = auth.oauth2
        scope = {"scope": way.scope} if way.scope else {}
        secret = secret_of(way.client_secret, named, environ)
        return OAuth2ClientCredentials(way.token_url, way.client_id, secret, client=tokens, **scope)
    if auth.aws:
        access = secret_of(auth.aws.access_key_id, named, environ)
        secret = secret_of(auth.aws.secret_access_key, named, environ)
        return AWS4Auth(access, secret, auth.aws.region, auth.aws.service)
    return None


def secret_of(secret: SecretSource, named: str, environ: Environment) -> str:
    """Read a secret. Raises: MissingSecret, which names whose it is, and variable or file."""
    try:
        return secret.text(environ)
    except MissingSecret as error:
        raise MissingSecret(f"The secret of {named} is missing: {error}.") from error


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def idempotency_key(tenant: str, facts: Facts, kind: str, payload: str) -> str:
    """The same for the same work: subject, what was to happen to it, and what is sent for it."""
    what = [tenant, facts.process, facts.subject_name, facts.event, kind, payload_digest(payload)]
    return f"tl-{hashlib.sha256(chr(0).join(what).encode()).hexdigest()[:40]}"


def payload_digest(payload: str) -> str:
    """What an approval is bound to."""
    return hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _seconds(header: str) -> float | None:
    return float(header) if header.isdecimal() else None


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
