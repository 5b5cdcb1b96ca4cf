"""The emulators speak so that the adapters understand: every fact once, whatever goes wrong on the way."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest

from tests.listening import Quiet, listening
from throughline.dashboards.demo.emulators.certinia import Certinia
from throughline.dashboards.demo.emulators.dynamics365 import EVENT_GRID_RETRIES, Dynamics365
from throughline.dashboards.demo.emulators.emulator import Emulator, Fact, Faults, number
from throughline.dashboards.demo.emulators.http import deliver
from throughline.dashboards.demo.emulators.hubspot import HubSpot, signature
from throughline.dashboards.demo.emulators.kantata import Kantata
from throughline.dashboards.demo.emulators.netsuite import NetSuite
from throughline.dashboards.demo.emulators.oracle import Oracle
from throughline.dashboards.demo.emulators.salesforce import Salesforce
from throughline.dashboards.demo.emulators.sap import Sap
from throughline.dashboards.demo.systems import EMULATED
from throughline.probes import vocabulary as v
from throughline.probes.errors import DemoError
from throughline.probes.platforms import dynamics365, kantata, sap
from throughline.probes.platforms.adapter import BadSignature
from throughline.probes.vocabulary import BusinessEvent

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROLES = (
    "opportunity", "project", "timecard", "timesheet", "expense", "report", "billing", "invoice", "payment",
    "credit",
)  # fmt: skip
TROUBLE = Faults(unreachable=0.2, unanswered=0.3, delayed=0.3, dropped=0.1)
SPEAKERS: tuple[Emulator, ...] = (
    Salesforce(seed=1, faults=TROUBLE),
    Salesforce(seed=2, faults=TROUBLE, channel="outbound_messages"),
    Certinia(seed=3, faults=TROUBLE),
    Kantata(seed=4, faults=TROUBLE),
    Dynamics365(seed=5, faults=TROUBLE),
    Dynamics365(seed=6, faults=TROUBLE, channel="event_grid"),
    Dynamics365(seed=7, faults=TROUBLE, channel="cloud_events"),
    NetSuite(seed=8, faults=TROUBLE),
    Oracle(seed=9, faults=TROUBLE),
    Sap(seed=10, faults=TROUBLE),
)
EMULATORS = {emulator.platform: type(emulator) for emulator in EMULATED.values()}
"""Those of the demo's firm, by platform."""
SUBJECTS = {
    v.OPPORTUNITY_CLOSED_WON: "opportunity", v.OPPORTUNITY_LOST: "opportunity",
    v.OPPORTUNITY_REOPENED: "opportunity", v.PROJECT_CREATED: "project", v.PROJECT_CANCELLED: "project",
    v.PROJECT_UPDATED: "project",
    v.TIME_APPROVED: "timecard", v.TIME_UNAPPROVED: "timecard", v.EXPENSE_APPROVED: "expense",
    v.BILLING_RELEASED: "billing", v.INVOICE_POSTED: "invoice", v.INVOICE_CREDITED: "invoice",
    v.PAYMENT_APPLIED: "payment",
}  # fmt: skip
"""What each fact is about."""
OWN_SUBJECTS = {"certinia": {v.INVOICE_POSTED: "billing"}, "oracle": {v.PAYMENT_APPLIED: "invoice"}}
"""Certinia invoices billing events; Oracle says which invoice is paid, not by what."""
AMOUNTS = {v.INVOICE_POSTED, v.INVOICE_CREDITED, v.OPPORTUNITY_CLOSED_WON}
"""Milestones whose amounts processes add up."""


def facts_of(emulator: Emulator, rounds: int = 12) -> list[Fact]:
    """So many facts of each kind that the platform can tell, a few minutes apart."""
    events = sorted(emulator.speaks()) * rounds
    return [
        Fact(
            event=event,
            time=MONDAY + timedelta(minutes=7 * place),
            ids={role: f"{role[:3]}{place}" for role in ROLES},
            amount=Decimal(1000 + place) + Decimal("0.25"),
            customer=f"Customer{place}",
        )
        for place, event in enumerate(events)
    ]


def heard(emulator: Emulator, facts: list[Fact]) -> tuple[list[BusinessEvent], tuple[Fact, ...]]:
    """What the adapter makes of all that arrives, in this order and with repeats; and what is lost."""
    adapter = import_module(f"throughline.probes.platforms.{emulator.platform}")
    connection = emulator.connection()
    plan = emulator.plan(facts)
    found: list[BusinessEvent] = []
    for delivery in plan.deliveries:
        request = emulator.request(delivery)
        adapter.verify(request, connection, request.received_at)
        found += adapter.parse(request, connection)
    return found, plan.lost


def about(emulator: Emulator, fact: Fact) -> str:
    """The key of the object that the platform's milestone is about."""
    if fact.event == v.CUSTOMER_CREATED:
        return f"DEMOCLNT100/{number(fact.customer)}"
    roles = SUBJECTS | OWN_SUBJECTS.get(emulator.platform, {})
    return emulator.key(fact, roles[fact.event])


@pytest.mark.parametrize("emulator", SPEAKERS, ids=lambda emulator: f"{emulator.platform}-{emulator.seed}")
def test_every_fact_comes_out_once(emulator: Emulator) -> None:
    """In spite of repeats and disorder each fact that is not lost is one event, exact in time and money."""
    facts = facts_of(emulator, rounds=40)
    events, lost = heard(emulator, facts)
    distinct = {event.id: event for event in events}
    milestones = [event for event in distinct.values() if event.event in v.EVENTS]
    told = [fact for fact in facts if fact not in lost]
    assert Counter(event.event for event in milestones) == Counter(fact.event for fact in told)
    assert {(event.event, event.time) for event in milestones} == {
        (fact.event, fact.time.replace(microsecond=0)) for fact in told
    }
    money = {(event.event, Decimal(str(event.amount))) for event in milestones if event.event in AMOUNTS}
    assert money == {(fact.event, fact.amount) for fact in told if fact.event in AMOUNTS}
    assert {(event.event, event.keys.get(event.subject or "")) for event in milestones} == {
        (fact.event, about(emulator, fact)) for fact in told
    }
    times = [event.time for event in events if event.time]
    assert len(events) > len(distinct) or emulator.platform in {"netsuite", "kantata"}
    assert any(later < earlier for earlier, later in pairwise(times)) or emulator.platform == "kantata"


def test_the_table_is_complete() -> None:
    """Eight platforms; each emulator names what it is."""
    assert sorted(EMULATORS) == [
        "certinia", "dynamics365", "hubspot", "kantata", "netsuite", "oracle", "salesforce", "sap",
    ]  # fmt: skip
    assert {type(emulator) for emulator in SPEAKERS} | {HubSpot} == set(EMULATORS.values())


def test_the_same_seed_is_the_same_plan() -> None:
    """To the last byte; another seed is another plan; facts that a platform has no words for are refused."""
    facts = facts_of(NetSuite())
    one, same, other = (
        [emulator.request(delivery) for delivery in emulator.plan(facts).deliveries]
        for emulator in (NetSuite(seed=seed, faults=TROUBLE) for seed in (1, 1, 2))
    )
    assert one == same
    assert one != other
    with pytest.raises(DemoError, match="cannot say wip"):
        NetSuite().plan([Fact(event=v.WIP_MEASURED, time=MONDAY, ids={})])


def test_certinia_merges_equal_changes() -> None:
    """A batch release of one second is one change event with many records, and as many facts."""
    released = [
        Fact(event=v.BILLING_RELEASED, time=MONDAY, ids={"billing": f"b{place}", "project": "p1"})
        for place in range(5)
    ]
    plan = Certinia().plan(released)
    (delivery,) = plan.deliveries
    assert [len(item["payload"]["ChangeEventHeader"]["recordIds"]) for item in delivery.message.items] == [5]
    events, _ = heard(Certinia(), released)
    assert [event.event for event in events] == [v.BILLING_RELEASED] * 5
    assert len({event.id for event in events}) == 5


def test_kantata_is_read_from_a_file() -> None:
    """Nothing is pushed: pages of the feed with repeats and disorder are read in order, each event once."""
    emulator = Kantata(seed=3, faults=TROUBLE)
    facts = facts_of(emulator)
    events = kantata.feed(emulator.feed(facts), emulator.connection())
    lost = emulator.plan(facts).lost
    milestones = [event for event in events if event.event in v.EVENTS]
    assert Counter(event.event for event in milestones) == Counter(
        fact.event for fact in facts if fact not in lost
    )
    times = [event.time for event in events if event.time]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "emulator",
    [kind(refers=("sap.forecast", "kantata.client")) for kind in EMULATORS.values() if kind is not HubSpot],
    ids=lambda emulator: emulator.platform,
)
def test_records_refer_to_other_systems(emulator: Emulator) -> None:
    """Custom fields hold keys of other systems; the connection's `objects` make them keys again."""
    references = {"sap.forecast": "PRD/W-7", "kantata.client": "771/5"}
    facts = [replace(fact, references=references) for fact in facts_of(emulator, rounds=1)]
    events, _ = heard(emulator, facts)
    milestones = [event for event in events if event.event in v.EVENTS]
    assert len(milestones) == len(facts)
    assert all(event.keys.items() >= references.items() for event in milestones)


def test_handshakes_are_answered() -> None:
    """Event Grid in both schemas and Event Mesh ask before they deliver."""
    grid, events, mesh = Dynamics365(channel="event_grid"), Dynamics365(channel="cloud_events"), Sap()
    asked = grid.handshake(MONDAY)
    assert asked is not None
    answer = dynamics365.greet(asked, grid.connection())
    assert answer is not None
    assert json.loads(answer.body) == {"validationResponse": "512d38b6-demo"}
    for emulator, adapter in ((events, dynamics365), (mesh, sap)):
        asked = emulator.handshake(MONDAY)
        assert asked is not None
        answer = adapter.greet(asked, emulator.connection())
        assert answer is not None
        assert answer.headers["WebHook-Allowed-Origin"] == asked.headers["webhook-request-origin"]
    assert Dynamics365().handshake(MONDAY) is None


def test_failures_are_told_as_failures() -> None:
    """A record that NetSuite could not store is a failed event with its code."""
    (event,), _ = heard(
        NetSuite(),
        [Fact(event=v.INVOICE_POSTED, time=MONDAY, ids={"invoice": "9"}, error="INVALID_KEY_OR_REF")],
    )
    assert (event.failed, event.exception_class, event.exception_code) == (
        True,
        "business",
        "INVALID_KEY_OR_REF",
    )


def test_attempts_follow_each_platforms_schedule() -> None:
    """How often, and for how long, is what the vendor documents."""
    assert len(HubSpot.retries) == 10
    assert sum(HubSpot.retries, timedelta()) <= timedelta(hours=24)
    assert Dynamics365().schedule() == (timedelta(seconds=1),) * 2
    assert len(EVENT_GRID_RETRIES) + 1 <= 30
    assert sum(EVENT_GRID_RETRIES, timedelta()) <= timedelta(hours=24)
    outbound = Salesforce(channel="outbound_messages").schedule()
    assert max(outbound) == timedelta(hours=2)
    assert timedelta(hours=22) < sum(outbound, timedelta()) <= timedelta(hours=24)
    assert sum(Salesforce().schedule(), timedelta()) <= timedelta(hours=72)
    assert NetSuite().schedule() == ()
    never = Faults(unreachable=1.0)
    for kind in EMULATORS.values():
        facts = facts_of(kind(), rounds=1)
        plan = kind(faults=never).plan(facts)
        assert plan.deliveries == ()
        assert Counter(fact.event for fact in plan.lost) == Counter(fact.event for fact in facts)


def test_hubspot_signs_as_it_documents() -> None:
    """The worked example of version 3, with and without an encoded query."""
    body = (
        b'[{"eventId":7001,"subscriptionId":25,"portalId":33,"appId":1160452,"occurredAt":1760000000000,'
        b'"subscriptionType":"deal.propertyChange","attemptNumber":0,"objectId":9001,"propertyName":"dealstage",'
        b'"propertyValue":"closedwon","changeSource":"CRM_UI"}]'
    )
    assert len(body) == 249
    secret, url, stamp = b"hs-demo-secret-0001", "https://probe.example.com/ingest/hubspot", "1760000001000"
    assert signature(secret, "POST", url, body, stamp) == "yUV99Ezdl8HB93MfZzQ6AkofvwlxXqVE1Y56+F5rI0M="
    assert (
        signature(secret, "POST", f"{url}?tenant=acme%3Aeu", body, stamp)
        == "LwgaPmwH9SJDJT7zadhbGhBN2YUr/hK4iAxSGAqIvfc="
    )


def test_hubspot_batches_and_repeats() -> None:
    """Arrays of at most 100; a repeat says so; the documented identity tells the events apart."""
    emulator = HubSpot(seed=11, faults=TROUBLE)
    facts = facts_of(emulator, rounds=200)
    plan = emulator.plan(facts)
    batches = [json.loads(emulator.body(delivery)) for delivery in plan.deliveries]
    assert max(len(batch) for batch in batches) <= 100
    assert {event["attemptNumber"] for batch in batches for event in batch} >= {0, 1, 2}
    known = ("portalId", "subscriptionId", "eventId", "objectId", "occurredAt")
    stages = [event for batch in batches for event in batch if event["propertyName"] == "dealstage"]
    distinct = {tuple(event[name] for name in known): event["propertyValue"] for event in stages}
    assert len(stages) > len(distinct)
    told = Counter(fact.event for fact in facts) - Counter(fact.event for fact in plan.lost)
    assert Counter(distinct.values()) == {
        "closedwon": told[v.OPPORTUNITY_CLOSED_WON],
        "closedlost": told[v.OPPORTUNITY_LOST],
    }
    assert all(later.at - earlier.at >= emulator.gap for earlier, later in pairwise(plan.deliveries))


class Receiver(Quiet):
    """Verifies with the adapter; refuses every third request as overloaded, the first time."""

    emulator = NetSuite(seed=12)
    events: dict[str, BusinessEvent]
    bad: list[str]
    rng: random.Random

    def answer(self) -> None:
        """Take a request."""
        adapter = import_module("throughline.probes.platforms.netsuite")
        url = f"http://{self.headers['host']}{self.path}"
        now = datetime.now(UTC)
        request: Any = adapter.HookRequest("POST", url, self.said(), self.body(), now)
        status = 503 if self.rng.random() < 0.4 else 200
        try:
            adapter.verify(request, self.emulator.connection(), now)
        except BadSignature as error:
            self.bad.append(str(error))
        self.events |= {event.id: event for event in adapter.parse(request, self.emulator.connection())}
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture
def receiver() -> Iterator[str]:
    """The address of a receiver."""
    Receiver.events, Receiver.bad, Receiver.rng = {}, [], random.Random(1)
    with listening(Receiver) as address:
        yield address


class Patient(NetSuite):
    """NetSuite, with a script that tries again."""

    def schedule(self) -> tuple[timedelta, ...]:
        """Often."""
        return (timedelta(seconds=1),) * 20


def test_over_http(receiver: str) -> None:
    """Requests are signed when they are sent, refused ones are sent again, and each event is heard."""
    facts = facts_of(NetSuite(), rounds=4)
    waited: list[float] = []
    emulator = Patient(seed=12)
    said = deliver(emulator, emulator.plan(facts).deliveries, receiver, wait=waited.append, pace=0.5)
    assert (said.accepted, said.given_up) == (len(facts), ())
    assert said.repeated == len(waited) > 0
    assert set(waited) == {0.5}
    assert Receiver.bad == []
    assert Counter(event.event for event in Receiver.events.values()) == Counter(fact.event for fact in facts)
    hasty = deliver(NetSuite(seed=12), emulator.plan(facts).deliveries, receiver)
    assert len(hasty.given_up) > 0
    assert deliver(NetSuite(), emulator.plan(facts[:1]).deliveries, "http://127.0.0.1:1").accepted == 0
