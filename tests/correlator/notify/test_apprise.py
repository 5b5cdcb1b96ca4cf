"""Apprise is called for real: what it speaks here is its JSON over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.correlator.notify.pager import Pager, serving
from throughline.correlator.notify.channels import Apprise, parse_channels
from throughline.correlator.notify.sending import attempt
from throughline.correlator.notify.words import Told

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CHANNELS = "channels: [{id: chat, kind: apprise, address: {env: CHAT}}]\nroutes: [{channels: chat}]"
TOLD = Told("k", "1", "trigger", "3 are stuck", ("since 09:00", "USD 4,000"), "page", "", "")


def test_apprise_delivers_and_says_what_went_wrong() -> None:
    """Title and text arrive; one that is down and an address that Apprise does not know fail."""
    (channel,) = parse_channels(CHANNELS, calendars={}).channels
    assert isinstance(channel, Apprise)
    with serving(Pager()) as pager:
        address = f"json{pager.address.removeprefix('http')}/room"
        taken = attempt(channel, TOLD, NOW, {"CHAT": address})
        assert (taken.accepted, taken.text) == (True, "taken")
        ((path, event),) = pager.events
        assert (path.rstrip("/"), event["title"], event["type"]) == ("/room", "3 are stuck", "warning")
        assert event["message"] == "since 09:00\nUSD 4,000"
        pager.down = True
        down = attempt(channel, TOLD, NOW, {"CHAT": address})
        assert not down.accepted
        assert "503" in down.text
    unknown = attempt(channel, TOLD, NOW, {"CHAT": "no-such://x"})
    assert (unknown.accepted, unknown.text) == (False, "Apprise does not know this address")
