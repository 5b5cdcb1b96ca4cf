"""How calls to other systems prove who they are, as `targets.yaml` and `tickets.yaml` say it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from throughline.collector.secrets import SecretSource
from throughline.correlator.parts import Part
from throughline.correlator.problems import fields


class OAuth2(Part):
    """Client credentials: a token is fetched and kept until shortly before it expires."""

    token_url: str
    client_id: str
    client_secret: SecretSource
    scope: str = ""


class Hmac(Part):
    """A signature of the body in a header."""

    secret: SecretSource
    header: str
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""


class Aws(Part):
    """Signature version 4."""

    region: str
    service: str
    access_key_id: SecretSource
    secret_access_key: SecretSource


class Basic(Part):
    """A user and a password."""

    user: str
    password: SecretSource


class Auth(Part):
    """How calls prove who they are; one of these, or none."""

    bearer: SecretSource | None = None
    oauth2: OAuth2 | None = None
    hmac: Hmac | None = None
    aws: Aws | None = None
    basic: Basic | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for _, value in self) > 1:
            raise ValueError("give one way, not several")
        return self


def parts_of_auth(*at: str) -> dict[tuple[str, ...], list[str]]:
    """The fields allowed from a field `auth` on that stands at a place: of each way and its secrets."""
    ways: dict[str, type[Part]] = {"oauth2": OAuth2, "hmac": Hmac, "aws": Aws, "basic": Basic}
    found = {at: fields(Auth), (*at, "bearer"): fields(SecretSource)}
    for way, model in ways.items():
        found[*at, way] = fields(model)
        for name in model.model_fields:
            found[*at, way, name] = fields(SecretSource)
    return found
