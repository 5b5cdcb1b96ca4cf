"""From emulators over adapters to journeys: two firms and two subsidiaries, counted exactly."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from throughline.collector.store import Role, Store
from throughline.correlator.process import SHIPPED, load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.demo.emulators.certinia import Certinia
from throughline.dashboards.demo.emulators.dynamics365 import Dynamics365
from throughline.dashboards.demo.emulators.emulator import Emulator, Fact, Faults
from throughline.dashboards.demo.emulators.hubspot import HubSpot
from throughline.dashboards.demo.emulators.kantata import Kantata
from throughline.dashboards.demo.emulators.netsuite import NetSuite
from throughline.dashboards.demo.emulators.oracle import Oracle
from throughline.dashboards.demo.emulators.salesforce import Salesforce
from throughline.dashboards.demo.emulators.sap import Sap
from throughline.dashboards.reader import JourneyFilter, Reader
from throughline.probes import vocabulary as v
from throughline.probes.vocabulary import BusinessEvent

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = MONDAY + timedelta(days=30)
TENANT = "emulated"
TROUBLE = Faults(unanswered=0.4, delayed=0.3)
BILLING = (v.CERTINIA_BILLING_EVENT,)
SALESFORCE, CERTINIA = Salesforce(seed=1, faults=TROUBLE), Certinia(seed=2, faults=TROUBLE)
KANTATA = Kantata(seed=3, faults=TROUBLE, refers=(v.HUBSPOT_DEAL,))
HUBSPOT = HubSpot(seed=8, faults=TROUBLE)
DYNAMICS = Dynamics365(seed=4, faults=TROUBLE, refers=(v.KANTATA_INVOICE,))
ERPS: tuple[Emulator, ...] = (
    NetSuite(seed=5, faults=TROUBLE, refers=BILLING),
    Oracle(seed=6, faults=TROUBLE, refers=BILLING),
    Sap(seed=7, faults=TROUBLE, refers=BILLING),
)
DEALS = 6
"""Of each firm."""


def deal(label: str, hours: int) -> dict[str, Fact]:
    """What happens to a deal that goes well."""

    def fact(event: str, after: int, amount: int, **ids: str) -> Fact:
        time = MONDAY + timedelta(hours=hours + after)
        return Fact(event=event, time=time, ids=ids, amount=Decimal(amount), customer=f"C{label}")

    project = {"opportunity": f"o{label}", "project": f"p{label}"}
    return {
        "won": fact(v.OPPORTUNITY_CLOSED_WON, 0, 5000, **project),
        "project": fact(v.PROJECT_CREATED, 2, 5000, **project),
        "first week": fact(
            v.TIME_APPROVED, 30, 0, project=f"p{label}", timecard=f"t{label}", timesheet=f"t{label}"
        ),
        "second week": fact(
            v.TIME_APPROVED, 31, 0, project=f"p{label}", timecard=f"u{label}", timesheet=f"u{label}"
        ),
        "released": fact(v.BILLING_RELEASED, 40, 4000, project=f"p{label}", billing=f"b{label}"),
        "invoice": fact(v.INVOICE_POSTED, 60, 4000, invoice=f"i{label}"),
        "payment": fact(v.PAYMENT_APPLIED, 90, 4000, invoice=f"i{label}", payment=f"y{label}"),
    }


def said() -> Iterator[tuple[Emulator, list[Fact]]]:
    """What each platform is told: the first firm bills with three ERPs in turn, the second with one."""
    told: dict[int, tuple[Emulator, list[Fact]]] = {
        id(one): (one, []) for one in (SALESFORCE, CERTINIA, HUBSPOT, KANTATA, DYNAMICS, *ERPS)
    }

    def tell(emulator: Emulator, *facts: Fact) -> None:
        told[id(emulator)][1].extend(facts)

    for place in range(DEALS):
        first, second = deal(f"a{place}", place), deal(f"b{place}", place)
        tell(SALESFORCE, first["won"])
        tell(CERTINIA, *(first[one] for one in ("project", "first week", "second week", "released")))
        erp = ERPS[place % len(ERPS)]
        billing = {v.CERTINIA_BILLING_EVENT: CERTINIA.key(first["released"], "billing")}
        tell(erp, replace(first["invoice"], references=billing))
        if erp.platform != "sap":
            tell(erp, first["payment"])
        tell(HUBSPOT, second["won"])
        references = {v.HUBSPOT_DEAL: HUBSPOT.key(second["won"], "opportunity")}
        tell(KANTATA, *(replace(second[one], references=references) for one in ("project", "first week")))
        invoice = replace(
            second["released"], event=v.INVOICE_POSTED, ids={"project": f"pb{place}", "invoice": f"k{place}"}
        )
        tell(KANTATA, second["second week"], invoice)
        released = {v.KANTATA_INVOICE: KANTATA.key(invoice, "invoice")}
        tell(DYNAMICS, replace(second["invoice"], references=released), second["payment"])
    yield from told.values()


def arrivals() -> list[tuple[datetime, BusinessEvent]]:
    """All that is heard, in the order of arrival, repeats included."""
    found = []
    for emulator, facts in said():
        adapter, connection = (
            import_module(f"throughline.probes.platforms.{emulator.platform}"),
            emulator.connection(),
        )
        if emulator is KANTATA:
            connection = replace(connection, options={**connection.options, "invoiced_by": "erp"})
        plan = emulator.plan(facts)
        assert plan.lost == ()
        for delivery in plan.deliveries:
            request = emulator.request(delivery)
            adapter.verify(request, connection, delivery.at)
            found += [(delivery.at, event) for event in adapter.parse(request, connection)]
    return sorted(found, key=lambda one: one[0])


def row(at: datetime, event: BusinessEvent) -> dict[str, Any]:
    """The event as business_events holds it."""
    identity, content = (hashlib.sha256(text.encode()).digest() for text in (str(event.id), repr(event)))
    keys = [
        (namespace, value)
        for namespace, values in event.keys.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return {
        "Tenant": TENANT, "EventId": int.from_bytes(identity[:16]),
        "ContentHash": int.from_bytes(content[:8]),
        "Time": event.time, "ReceivedAt": at, "IngestedAt": datetime.now(UTC), "Source": "log",
        "Event": event.event, "Keys": sorted(keys), "Subject": event.subject or "",
        "System": str(event.system), "Platform": event.platform or "", "Connection": event.connection or "",
        "Amount": None if event.amount is None else Decimal(str(event.amount)),
        "Currency": event.currency or "", "Entity": event.entity or "", "Customer": event.customer or "",
        "Failed": int(event.failed), "TimePrecision": str(event.precision or ""),
        "Attributes": {name: str(value) for name, value in event.attributes.items()},
    }  # fmt: skip


def test_milestones_are_counted_exactly(embedded_store: Store) -> None:
    """Repeats and disorder change nothing: each journey has each milestone as often as it happened."""
    heard = [row(*one) for one in arrivals()]
    assert len(heard) > len({one["EventId"] for one in heard})
    correlator = Correlator(embedded_store, [load_process(SHIPPED / "opportunity-to-invoice.yaml")])
    for half in (heard[: len(heard) // 2], heard[len(heard) // 2 :]):
        columns = list(half[0])
        embedded_store.insert_rows(
            "business_events", [list(one.values()) for one in half], columns, role=Role.LOADER
        )
        correlator.tick(TENANT, NOW)
    reader = Reader(embedded_store, TENANT, NOW)
    rows = reader.journeys(JourneyFilter(), limit=50)
    roots = reader.keys([one["Root"] for one in rows])
    counted = {
        roots[one["Root"]][0]: [one["milestones"][name]["count"] for name in one["milestones"]]
        for one in rows
    }
    won = [deal(f"a{place}", 0)["won"] for place in range(DEALS)]
    paid = [0 if ERPS[place % len(ERPS)].platform == "sap" else 1 for place in range(DEALS)]
    first = {
        f"salesforce.opportunity:{SALESFORCE.key(fact, 'opportunity')}": [1, 1, 2, 1, 1, once]
        for fact, once in zip(won, paid, strict=True)
    }
    second = {
        f"hubspot.deal:{HUBSPOT.key(deal(f'b{place}', 0)['won'], 'opportunity')}": [1, 1, 2, 1, 1, 1]
        for place in range(DEALS)
    }
    assert counted == first | second
    amounts = {one["Amount"] for one in rows if roots[one["Root"]][0] in first}
    assert amounts == {Decimal(5000)}
