"""Messages in the outbox: signed, tried again with the same id and content, held back, given up, resumed."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.correlator.webhook_receiver import Forged, Received, Subscriber, subscriber, verify
from throughline.collector.control import ControlStore
from throughline.correlator.outbound.messages import message, signature
from throughline.correlator.outbound.outbound import Outbound
from throughline.correlator.outbound.outbox import Outbox
from throughline.correlator.outbound.sending import post
from throughline.correlator.outbound.subscriptions import Subscription, load_subscriptions

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1zdWJzY3JpYmVyLTAx"
SENDER = """
import sys, datetime
from pathlib import Path
from throughline.collector.control import ControlStore
from throughline.correlator.outbound.outbound import Outbound
folder = Path(sys.argv[1])
clock = lambda: datetime.datetime.now(datetime.UTC)
one = Outbound(None, ControlStore.open(folder / "control.db"), folder, holder="x", clock=clock)
sys.stdin.read(1)
one.reload()
one.deliver()
"""


class Posting:
    """A subscriber, and a sender without a store: what is due is there already."""

    def __init__(self, folder: Path, hearing: Subscriber) -> None:
        self.control = ControlStore.open(folder / "control.db")
        self.control.migrate()
        self.outbox, self.hearing, self.config = Outbox(self.control), hearing, folder
        self.ahead = timedelta(0)
        (folder / "subscriptions.yaml").write_text(
            f"subscriptions:\n  - {{id: hook, url: '{hearing.url}', hosts: ['{hearing.place}'], attempts: 7, "
            "secret: {env: HOOK}}\n"
        )
        self.outbound = Outbound(
            None,  # type: ignore[arg-type]
            self.control,
            folder,
            holder="one",
            clock=self.now,
            environ={"HOOK": SECRET},
        )
        self.outbound.reload()

    def now(self) -> datetime:
        """The time, as far ahead as a test says."""
        return datetime.now(UTC) + self.ahead

    @property
    def subscription(self) -> Subscription:
        """The only one."""
        return load_subscriptions(self.config)[0]

    def put(self, *names: str) -> None:
        """Put messages into the outbox."""
        some = [
            message(name, "milestone.met", "0", tenant="t", process="p", at="", trace="", data={})
            for name in names
        ]
        self.outbox.begin(self.subscription, self.now())
        self.outbox.add(self.subscription, some, self.now())

    def heard(self) -> list[str]:
        """Which messages the next turn sends."""
        self.outbound.deliver()
        found = [one.id for one in self.hearing.heard]
        self.hearing.heard.clear()
        return found


@pytest.fixture
def hearing() -> Iterator[Subscriber]:
    """A subscriber."""
    with subscriber(SECRET) as listening:
        yield listening


@pytest.fixture
def posting(tmp_path: Path, hearing: Subscriber) -> Iterator[Posting]:
    """A sender and its subscriber."""
    made = Posting(tmp_path, hearing)
    yield made
    made.control.close()


def _keep(heard: list[Received], one: Received, status: int) -> tuple[int, dict[str, str]]:
    heard.append(one)
    return status, {}


def test_the_vector_of_the_specification() -> None:
    """Our signature is the specification's; one changed byte is found, and an old key during a rotation."""
    key, moment = "whsec_plJ3nmyCDGBKInavdOK15jsl", datetime.fromtimestamp(1_731_705_121, UTC)
    body = b'{"event_type":"ping","data":{"success":true}}'
    old, new = b64decode(key[6:]), b"n" * 32
    made = dict(signature("msg_loFOjxBNrRLzqYUf", body, [old], moment))
    assert made["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    verify(key, signature("msg_loFOjxBNrRLzqYUf", body, [new, old], moment), body)
    for name, value in (("webhook-id", "msg_x"), ("webhook-timestamp", "1731705122")):
        with pytest.raises(Forged):
            verify(key, {**made, name: value}, body)
    with pytest.raises(Forged):
        verify(key, made, body.replace(b"p", b"q", 1))


def test_failures_are_tried_again_then_given_up(posting: Posting) -> None:
    """Each attempt has the same id and content; pauses grow; what is given up is kept and can be resumed."""
    heard: list[Received] = []
    posting.hearing.answer = lambda one: _keep(heard, one, 503)
    posting.put("msg_one")
    outbox, subscription = posting.outbox, posting.subscription
    posting.heard()
    posting.heard()
    assert len(heard) == 1  # not before its time
    for _ in range(9):
        posting.ahead += timedelta(hours=13)
        posting.heard()
    assert [one.id for one in heard] == ["msg_one"] * 7
    assert len({one.body for one in heard}) == 1
    assert len({one.headers["webhook-timestamp"] for one in heard}) == 7
    standing = outbox.standing(subscription)
    assert (standing.dead, standing.waiting, standing.failures) == (1, 0, 7)
    assert standing.paused_until is not None
    (dead,) = outbox.log(subscription, state="dead")
    assert dead.answer == "503 said"
    posting.hearing.answer = lambda one: _keep(heard, one, 200)
    assert outbox.resume(subscription, posting.now()) == 1
    posting.heard()
    assert (len(heard), heard[-1].id) == (8, heard[0].id)
    assert outbox.standing(subscription).delivered_at is not None


def test_pauses_and_times_that_subscribers_name(posting: Posting) -> None:
    """After failures in a row nothing is sent until the pause ends; then one is tried, then the rest."""
    posting.hearing.answer = lambda _: (429, {"retry-after": "90"})
    posting.put(*(f"msg_{number}" for number in range(8)))
    outbox, subscription = posting.outbox, posting.subscription
    assert len(posting.heard()) == 5
    standing = outbox.standing(subscription)
    assert (standing.failures, standing.waiting) == (5, 8)  # three were spared
    posting.hearing.answer = lambda _: (204, {})
    posting.ahead += timedelta(seconds=55)
    assert posting.heard() == []
    posting.ahead += timedelta(seconds=10)
    assert len(posting.heard()) == 1
    assert len(posting.heard()) == 2  # five are asked to wait for longer
    posting.ahead += timedelta(seconds=60)
    assert len(posting.heard()) == 5
    assert outbox.standing(subscription).failures == 0


def test_a_death_between_sending_and_noting_repeats_the_same(posting: Posting) -> None:
    """`kill -9` while the subscriber has the message: it gets it again, with the same id and content."""
    posting.put("msg_three")
    sender: list[subprocess.Popen[bytes]] = []
    heard: list[Received] = []

    def kill(one: Received) -> tuple[int, dict[str, str]]:
        if not heard:
            sender[0].kill()
            sender[0].wait()
        return _keep(heard, one, 204)

    posting.hearing.answer = kill
    environment = {**os.environ, "HOOK": SECRET}
    begun = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(posting.config)], stdin=subprocess.PIPE, env=environment
    )
    sender.append(begun)
    begun.communicate(b"x", timeout=60)
    assert (begun.returncode, len(heard)) == (-9, 1)
    posting.outbound.deliver()
    assert [(one.id, one.body) for one in heard] == [("msg_three", heard[0].body)] * 2
    assert posting.outbox.standing(posting.subscription).waiting == 0


def test_no_way_into_the_network_behind(hearing: Subscriber) -> None:
    """Addresses that are not public are called only if listed; redirects lead nowhere; nothing raises."""
    hearing.answer = lambda _: (302, {"location": hearing.url})
    headers = dict(signature("msg_1", b"x", [b"k" * 32], datetime.now(UTC)))
    for host in (
        "127.0.0.1",
        "localhost",
        "[::1]",
        "169.254.169.254",
        "10.0.0.1",
        "[::ffff:10.0.0.1]",
        "0.0.0.0",
    ):
        answer = post(f"http://{host}:9/", headers, b"x", anywhere=False, seconds=2)
        assert answer.status == 0
        assert "not public" in answer.text, host
    for url in ("http://nobody.invalid/", "https://127.0.0.1:9/", hearing.url.replace("http:", "https:")):
        answer = post(url, headers, b"x", anywhere=True, seconds=2)
        assert (answer.status, answer.accepted) == (0, False)
        assert answer.text
    with subscriber("whsec_" + "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=") as redirecting:
        redirecting.answer = lambda _: (302, {"location": hearing.url})
        answer = post(redirecting.url, headers, b"x", anywhere=True, seconds=2)
        assert (answer.status, answer.accepted, len(hearing.heard)) == (302, False, 0)
