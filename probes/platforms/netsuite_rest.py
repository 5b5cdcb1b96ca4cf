"""Token-based authentication of NetSuite's REST services (OAuth 1.0, HMAC-SHA256).

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1534941088.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from throughline.probes.platforms.adapter import Connection, PlatformCall

OPTIONS: Final[Mapping[str, str]] = {
    "consumer_key": "of the integration record; the test of a connection reads with it and the next three",
    "consumer_secret": "its secret, as `{env: NAME}` or `{file: PATH}`",
    "token": "of the access token whose role reads invoices and jobs",
    "token_secret": "its secret, likewise",
    "api": "address of the REST services; default: that of the account",
}
RECORDS: Final = ("invoice", "job")


def authorization(
    method: str,
    url: str,
    options: Mapping[str, str],
    *,
    nonce: str | None = None,
    timestamp: str | None = None,
) -> str:
    """The header `Authorization` of a request; without nonce and time they are made."""
    from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

    client = Client(
        options["consumer_key"],
        client_secret=options["consumer_secret"],
        resource_owner_key=options["token"],
        resource_owner_secret=options["token_secret"],
        signature_method=SIGNATURE_HMAC_SHA256,
        realm=options["account"],
        nonce=nonce,
        timestamp=timestamp,
    )
    _, headers, _ = client.sign(url, http_method=method)
    return str(headers["Authorization"])


def calls(connection: Connection) -> list[PlatformCall]:
    """Read one record of each kind that journeys need; nothing without the account and all four options."""
    options = connection.options
    if not all(options.get(name) for name in ("account", *OPTIONS) if name != "api"):
        return []
    host = options["account"].lower().replace("_", "-")
    api = options.get("api", f"https://{host}.suitetalk.api.netsuite.com").rstrip("/")
    found = []
    for record in RECORDS:
        url = f"{api}/services/rest/record/v1/{record}?limit=1"
        headers = {"authorization": authorization("GET", url, options)}
        found.append(
            PlatformCall(
                f"read {record}s", url, headers, f"Lists > {record.capitalize()}s, REST Web Services"
            )
        )
    return found
