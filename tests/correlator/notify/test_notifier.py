"""Delivery: each alert once per policy, whatever the channel and the process do in between."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from tests.correlator.notify.alarms import KEYS, START, Alarms
from tests.correlator.notify.pager import Pager, serving
from tests.dashboards.seed import seed
from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.correlator.alerts.behind import behind, journeys
from throughline.correlator.notify.channels import InvalidChannels
from throughline.correlator.notify.ledger import KEPT, TRANSITIONS_KEPT, Ledger
from throughline.correlator.notify.matching import Matcher, read_matcher
from throughline.correlator.notify.silences import Silences
from throughline.probes.errors import LeaseLost

CHANNELS = """
channels:
  - {{id: on-call, kind: pagerduty, routing_key: {{env: PD}}, url: "{pager}", networks: 127.0.0.0/8}}
  - {{id: hook, kind: webhook, url: "{hook}/alerts", secret: {{env: HOOK}}, networks: 127.0.0.0/8}}
routes:
  - {{matchers: severity="page", channels: on-call, resend: 0s, continue: true}}
  - {{matchers: ['region=~"EM.*"'], owner: billing, channels: hook, resend: 1h}}
  - {{matchers: alertname="Night", channels: hook, outside: de}}
maintenance:
  - {{name: upgrade, matchers: region="APAC", begins: 2026-03-02T09:00:00Z, ends: 2026-03-02T11:00:00Z}}
"""


@pytest.fixture
def pager() -> Iterator[Pager]:
    """A PagerDuty."""
    with serving(Pager()) as served:
        yield served


@pytest.fixture
def hook() -> Iterator[Pager]:
    """Somebody's webhook: whatever arrives is kept."""
    with serving(Pager()) as served:
        yield served


@pytest.fixture
def alarms(embedded_store: Store, control: ControlStore, pager: Pager, hook: Pager) -> Alarms:
    """Alerts and three routes."""
    return Alarms(control, embedded_store, CHANNELS.format(pager=pager.address, hook=hook.address))


def actions(pager: Pager) -> list[str]:
    """What a pager was told, in order."""
    return [action or path for path, action in pager.said()]


def test_it_is_told_acknowledged_and_called_off(alarms: Alarms, pager: Pager, hook: Pager) -> None:
    """One incident per alert, with what is needed to act; routes by matcher, owner and hours; a webhook is
    signed; an acknowledgement stops repetitions; the end is told to whoever was told the beginning.
    """
    notifier = alarms.notifier()
    stuck = alarms.fire("Stuck", region="EMEA", severity="page", owner="billing")
    alarms.fire("Night", region="APJ")
    alarms.fire("Fresh", region="EMEA", owner="billing", severity="page")  # a new rule, on trial
    notifier.turn()
    notifier.turn()
    assert (actions(pager), actions(hook)) == (["trigger"], ["/alerts"])
    ((_, event),) = pager.events
    assert event["payload"]["severity"] == "critical"
    assert event["links"][1]["href"] == "https://tl.example.com/docs/how-to.md#x"
    assert event["links"][0]["href"].startswith("https://tl.example.com/alerts?rule=own%2FStuck&fingerprint=")
    assert "value 6" in event["payload"]["custom_details"]["text"]
    (headers,) = hook.headers
    signed = ".".join((headers["webhook-id"], headers["webhook-timestamp"])).encode()
    assert headers["webhook-signature"] == f"v1,{_signature(signed, hook.events[0][1])}"
    alarms.later(hours=1)
    notifier.turn()
    assert (actions(pager), len(hook.events)) == (["trigger"], 2)  # told again where the route says so
    ledger = Ledger(alarms.control)
    episode = ledger.episode("default", "own/Stuck", stuck)
    assert episode is not None
    ledger.change("default", episode.id, acknowledged_at=alarms.now, acknowledged_by="ann")
    for _ in range(3):
        alarms.later(hours=2)
        notifier.turn()
    assert actions(pager) == ["trigger", "acknowledge"]
    assert [event["state"] for _, event in hook.events[:3]] == ["firing", "firing", "acknowledged"]
    alarms.later(hours=3)  # 19:00 in Berlin: the route for nights holds now
    notifier.turn()
    assert hook.events[-1][1]["alert"] == "Night"
    alarms.end("Stuck", stuck)
    notifier.turn()
    notifier.turn()
    assert actions(pager) == ["trigger", "acknowledge", "resolve"]
    assert pager.opened == {episode.id: 1}
    assert hook.events[-1][1]["state"] == "resolved"
    log = ledger.log("default", "on-call", 10)
    assert [(one["act"], one["outcome"]) for one in reversed(log)] == [
        (one, "delivered") for one in ("trigger", "acknowledge", "resolve")
    ]
    (silent,) = [one for one in ledger.of_rule("default", START) if one.silent]
    assert silent.alert == "Fresh"
    alarms.later(days=(KEPT + TRANSITIONS_KEPT).days)
    ledger.forget("default", alarms.now)
    assert ledger.episode("default", "own/Stuck", stuck) is None
    assert len(alarms.alerts.transitions("default")) == 4  # not copied to the store yet: kept
    alarms.alerts.mark_copied(alarms.alerts.waiting())
    ledger.forget("default", alarms.now)
    assert alarms.alerts.transitions("default") == []


def _signature(signed: bytes, body: dict[str, Any]) -> str:
    import json

    key = base64.b64decode(KEYS["HOOK"].removeprefix("whsec_"))
    text = signed + b"." + json.dumps(body).encode()
    return base64.b64encode(hmac.digest(key, text, "sha256")).decode()


def test_a_channel_that_was_down_gets_what_still_matters(alarms: Alarms, pager: Pager) -> None:
    """After an hour down: what fires on is told, what was told and ended is called off, what came and went is
    one summary, nothing twice; meanwhile it is asked seldom. What cannot be taken is given up by itself.
    """
    notifier = alarms.notifier()
    before = alarms.fire("Before", region="a", severity="page")
    notifier.turn()
    pager.down = True
    gone = [alarms.fire("Gone", region=name, severity="page") for name in "bc"]
    on = alarms.fire("On", region="d", severity="page")
    for minute in range(60):
        notifier.turn()
        if minute == 30:
            alarms.end("Before", before)
            for key in gone:
                alarms.end("Gone", key)
        alarms.later(minutes=1)
    ledger = Ledger(alarms.control)
    state = ledger.channel("default", "on-call")
    assert 8 <= state.failures <= 15
    assert state.error.startswith("503")
    pager.down = False
    alarms.later(minutes=10)
    for _ in range(3):
        notifier.turn()
    assert sorted(actions(pager)[1:3]) == ["resolve", "trigger"]
    assert actions(pager)[3:] == ["/v2/change/enqueue"]
    summary = pager.events[-1][1]["payload"]
    assert summary["summary"].startswith("[summary] 2 alerts fired and ended")
    assert {one["labels"]["region"] for one in summary["custom_details"]["alerts"]} == {"b", "c"}
    assert set(pager.opened.values()) == {1}
    assert ledger.channel("default", "on-call").failures == 0
    pager.down, pager.status = True, 422
    alarms.fire("Refused", region="e", severity="page")
    notifier.turn()
    pager.down = False
    alarms.end("On", on)
    notifier.turn()
    assert actions(pager)[-1] == "resolve"
    assert [one["outcome"] for one in ledger.log("default", "on-call", 2)] == ["delivered", "dead"]


def test_who_is_silenced_is_not_told(alarms: Alarms, pager: Pager) -> None:
    """Silences and maintenance hold back what begins, and nothing of what was told; what came and went in a
    silence is no news; what fires on is told after it.
    """
    notifier = alarms.notifier()
    silences = Silences(alarms.control)
    told = alarms.fire("Stuck", region="EMEA", severity="page")
    notifier.turn()
    one = silences.add(
        "default", (read_matcher('region=~"EM.+"'),), alarms.now, alarms.now + timedelta(hours=4),
        author="ann", comment="known", now=alarms.now,
    )  # fmt: skip
    quiet = alarms.fire("Quiet", region="EMEA", severity="page")
    alarms.fire("Stays", region="EMEA", severity="page")
    alarms.fire("Upgraded", region="APAC", severity="page")
    notifier.turn()
    assert {one.why for one in Ledger(alarms.control).notices("default") if not one.told} == {
        "silenced by ann: known", "maintenance: upgrade",
    }  # fmt: skip
    alarms.end("Quiet", quiet)
    alarms.end("Stuck", told)
    notifier.turn()
    assert actions(pager) == ["trigger", "resolve"]
    assert silences.expire("default", one.id, alarms.now)
    assert not silences.expire("default", one.id, alarms.now)
    notifier.turn()
    assert [event["payload"]["class"] for _, event in pager.events if "payload" in event] == [
        "Stuck",
        "Stays",
    ]
    alarms.later(hours=2)
    notifier.turn()
    assert pager.events[-1][1]["payload"]["class"] == "Upgraded"


def test_it_is_told_once_wherever_the_deliverer_dies(alarms: Alarms, pager: Pager) -> None:
    """Death between any two steps, with another engine taking over: one incident per alert, each called off;
    who has lost the lease notes nothing.
    """

    class Died(BaseException):
        """SIGKILL, as far as stored things go."""

    keys: list[tuple[str, str]] = []
    died = 0
    for last in range(1, 11):
        keys.append((f"Alert{last}", alarms.fire(f"Alert{last}", region="x", severity="page")))
        steps = count(1)

        def die(_: str, *, last: int = last, steps: count[int] = steps) -> None:
            if next(steps) == last:
                raise Died

        try:
            alarms.notifier(f"engine-{last}", die).turn()
        except Died:
            died += 1
        alarms.later(minutes=3)  # its lease runs out
        if last % 2 == 0:
            alarms.end(*keys.pop(0))
    assert died >= 8
    alarms.notifier("last").turn()
    for one in keys:
        alarms.end(*one)
    alarms.later(minutes=3)
    alarms.notifier("last").turn()
    told = [event for _, event in pager.events if "payload" in event and "dedup_key" not in event]
    summarised = [one["key"] for event in told for one in event["payload"]["custom_details"]["alerts"]]
    assert sorted([*pager.opened, *summarised]) == sorted({*pager.opened, *summarised})
    assert len(pager.opened) + len(summarised) == 10
    assert set(pager.opened.values()) == {1}
    assert set(pager.state.values()) == {"resolve"}
    old = alarms.notifier("old")
    alarms.later(minutes=3)
    old.turn()

    def usurp(step: str) -> None:
        if step == "said":
            alarms.later(minutes=3)
            alarms.notifier("new").turn()

    alarms.fire("Three", region="x", severity="page")
    old.checkpoint = usurp
    with pytest.raises(LeaseLost):
        old.turn()
    assert set(pager.opened.values()) == {1}


def test_what_stands_behind_an_alert_is_counted(embedded_store: Store, alarms: Alarms) -> None:
    """The journeys that the rule's own SELECT counted, for the alert's labels, with their money."""
    from tests.dashboards.seed_firm import NOW

    seeded = seed(embedded_store, tenant="behind", count=60).journeys
    ready = alarms.rules.groups[0].rules[0]
    stuck = [one for one in seeded if one["status"] == "stuck"]
    assert stuck
    region = stuck[0]["region"]
    mine = [one for one in stuck if one["region"] == region]
    found = behind(embedded_store, "behind", ready, {"region": region}, NOW)
    assert found["journeys"] == len(mine)
    listed = journeys(embedded_store, "behind", ready, {"region": region}, NOW, most=100)
    assert listed is not None
    assert {one["journey"] for one in listed} == {one["id"] for one in mine}
    assert journeys(embedded_store, "behind", alarms.rules.groups[0].rules[1], {}, NOW, most=9) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("channels: [{id: a, kind: pagerduty, routing_key: {env: X}}]", "no route leads"),
        ("channels: [{id: a, kind: webhook, url: 'http://x/', secret: {env: X}}]", "http needs `networks:`"),
        ("routes: [{channels: nobody}]", "there is no channel for routes 'nobody'"),
        ("routes: [{channels: a, matchers: severity}]", "is no matcher"),
        ("routes: [{channels: a, matchers: 'x=~\"(\"'}]", "is no regular expression"),
        ("maintenance: [{name: a, begins: 2026-03-02T09:00:00Z}]", "give `begins` and a later `ends`"),
        (
            "channels: [{id: a, kind: alertmanager, url: 'https://x'}, {id: b, kind: apprise, address: {}}]",
            "with an Alertmanager",
        ),
        ("channels: [{id: a, kind: pager}]", "pager"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(alarms: Alarms, text: str, sentence: str) -> None:
    """Each with its line."""
    with pytest.raises(InvalidChannels) as told:
        alarms.read(text)
    assert sentence in str(told.value)
    assert str(told.value).startswith("<text>:")


def test_matchers_read_back_as_they_are_written() -> None:
    """As Alertmanager spells them, quotes and all."""
    for one in (Matcher("a", 'q"\\'), Matcher("a", "x.*", is_equal=False, is_regex=True), Matcher("b", "")):
        assert read_matcher(str(one)) == one
    assert read_matcher("a!=b").matches({"a": "c"})
    assert read_matcher("a=").matches({})
