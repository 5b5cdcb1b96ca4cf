"""How platforms sign, written by hand from what they document, apart from the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime


def hubspot_headers(body: bytes, url: str, secret: str, now: datetime) -> dict[str, str]:
    """Sign as HubSpot does in version 3; `url` as HubSpot signs it."""
    timestamp = str(int(now.timestamp() * 1000))
    source = b"POST" + url.encode() + body + timestamp.encode()
    digest = hmac.new(secret.encode(), source, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "x-hubspot-request-timestamp": timestamp,
        "x-hubspot-signature-v3": base64.b64encode(digest).decode(),
    }


def standard_headers(body: bytes, secret: str, message: str, now: datetime) -> dict[str, str]:
    """Sign as Standard Webhooks say; the secret begins with `whsec_`."""
    timestamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    source = f"{message}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, source, hashlib.sha256).digest()).decode()
    return {"webhook-id": message, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{digest}"}
