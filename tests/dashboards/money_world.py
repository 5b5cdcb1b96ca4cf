"""A few journeys that share objects, in several currencies, with reference tables: small enough to add up by
hand.

    journey  customer       entity  late at             objects
    1        Halden         DE01    posted              A 100.00 EUR (10 Jan), B 50.00 USD (Sat 17 Jan)
    2        Halden Robots  FR02    created and posted  B 50.00 USD (shared), C 30.00 GBP (20 Jan)
    3        Halden         DE01    nothing             D 999.00 EUR
    4        Our France     DE01    blocked             E 10.00 EUR (12 Jan)
    5        Everglade      US01    posted              F 7.00 XAF (12 Jan), for which there is no rate
    6        Everglade      US01    posted              nothing
    7        Our France     FR02    completed           G 20.00 EUR (12 Jan)
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.reference_files import LoadedTables, read_table
from throughline.correlator.reference_store import ReferenceStore
from throughline.dashboards.definitions import publish_definitions

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOADED = NOW - timedelta(hours=1)
DAY = timedelta(days=1)
PROCESS = load_process("""
process: deals
owner: sales
keys: [crm.deal]
milestones:
  - {name: won, event: won}
  - {name: created, event: created, within: {time: 4h, of: won}, on_late: stuck, owner: delivery}
  - {name: posted, event: posted, within: {time: 5d, of: won}, owner: finance}
amount_of: won
completed_by: posted
""")
# Fridays and Mondays: what lies between is converted by Friday's rate. The ERP quotes one pair, to the end of
# January.
RATES = """from,to,rate,valid_from,valid_to,source
EUR,USD,1.25,2026-01-09,,ecb
EUR,USD,1.28,2026-01-16,,ecb
EUR,USD,1.60,2026-01-19,,ecb
EUR,GBP,0.80,2026-01-09,,ecb
EUR,GBP,0.75,2026-01-19,,ecb
USD,EUR,0.79,2026-01-16,2026-01-31,erp
"""
CUSTOMERS = """customer,canonical,group,intercompany,valid_from,valid_to
Halden,Halden Robotics,Robots,,,2026-01-15
Halden,Halden Robotics,Nordic,no,2026-01-16,
Halden Robots,Halden Robotics,Nordic,,,
"""
ENTITIES = """entity,name,currency,parent,valid_from,valid_to
DE01,Our Germany,EUR,Holding,,
FR02,Our France,EUR,Holding,,2026-02-28
FR02,Our France,EUR,France Group,2026-03-01,
"""
OWNERS = """owner,team,person,channel,valid_from,valid_to
delivery,Delivery,Ann,ann@example.com,,2026-01-31
delivery,Operations,Bob,bob@example.com,2026-02-01,
finance,Finance,Eve,eve@example.com,,
"""
TEXTS = {"exchange_rates": RATES, "customers": CUSTOMERS, "entities": ENTITIES, "owners": OWNERS}
A, B, C, D, E, F, G = range(101, 108)
OTHER = "others"


def tables(**changed: str) -> LoadedTables:
    """The reference tables, some with another text."""
    texts = {**TEXTS, **changed}
    return LoadedTables({name: read_table(name, text, name) for name, text in texts.items()})


def write(store: Store, tenant: str = "default") -> None:
    """Write the journeys and the tables."""
    publish_definitions(store, [PROCESS], NOW)
    _insert(store, "generations", {"Tenant": tenant, "Generation": 1, "ActivatedAt": NOW, "Version": 1})
    far, past = NOW + DAY, NOW - DAY
    money: dict[str, tuple[int, str, str, date]] = {
        "A": (A, "100", "EUR", date(2026, 1, 10)),
        "B": (B, "50", "USD", date(2026, 1, 17)),
        "C": (C, "30", "GBP", date(2026, 1, 20)),
        "D": (D, "999", "EUR", date(2026, 1, 10)),
        "E": (E, "10", "EUR", date(2026, 1, 12)),
        "F": (F, "7", "XAF", date(2026, 1, 12)),
        "G": (G, "20", "EUR", date(2026, 1, 12)),
    }
    for root, customer, entity, objects, created, posted in (
        (1, "Halden", "DE01", "AB", far, past),
        (2, "Halden Robots", "FR02", "BC", past, past),
        (3, "Halden", "DE01", "D", far, far),
        (4, "Our France", "DE01", "E", far, far),
        (5, "Everglade", "US01", "F", far, past),
        (6, "Everglade", "US01", "", far, past),
        (7, "Our France", "FR02", "G", far, far),
    ):
        found = [money[one] for one in objects]
        row: dict[str, Any] = {
            "Root": root,
            "OpenedAt": datetime(2026, 1, root, tzinfo=UTC),
            "LastEventAt": NOW,
            "CompletedAt": NOW if root == 7 else None,
            "StuckAt": created,
            "LateAt": posted,
            "BlockedAt": NOW - 3 * DAY if root == 4 else None,
            "AmountObjects": [(one[0], Decimal(one[1]), one[2]) for one in found],
            "AmountDays": [one[3] for one in found],
            "Customer": customer,
            "Entity": entity,
            "CycleObject": f"crm.deal:{root}",
            "PeriodFirst": date(2026, 2, 1),
            "PeriodLast": date(2026, 2, 28),
            "CutOffAt": datetime(2026, 3, 1, tzinfo=UTC),
            "Milestones.Name": ["won", "created", "posted"],
            "Milestones.State": ["met", "pending", "pending"],
            "Milestones.MetAt": [datetime(2026, 1, root, tzinfo=UTC), None, None],
            "Milestones.LastAt": [datetime(2026, 1, root, tzinfo=UTC), None, None],
            "Milestones.DueAt": [None, created, posted],
            "Milestones.Count": [1, 0, 0],
            "Milestones.Amount": [None] * 3,
            "Milestones.Currency": [""] * 3,
        }
        _insert(store, "journey_state", _common(tenant, row))
    for number, root, blocking in ((71, 4, 1), (72, 1, 0)):
        blocked = {
            "Root": root,
            "ExceptionId": number,
            "Kind": "event",
            "Milestone": "created",
            "Code": "LOCKED",
            "Message": "The record is locked",
            "Fingerprint": 7,
            "Owner": "delivery",
            "Blocking": blocking,
            "OpenedAt": NOW - 3 * DAY,
            "Occurrences": 1,
        }
        _insert(store, "exception_state", _common(tenant, blocked))
    ReferenceStore(store).publish(tables(), LOADED)


def write_other(store: Store, tenant: str) -> None:
    """Another process whose only journey, late too, is worth A and B; objects have hashes of its own."""
    _insert(
        store,
        "generations",
        {"Process": OTHER, "Tenant": tenant, "Generation": 1, "ActivatedAt": NOW, "Version": 1},
    )
    for process, hashes in ((PROCESS.id, (A, B)), (OTHER, (901, 902))):
        for value, key in zip("AB", hashes, strict=True):
            named = {"Key": key, "Object": key, "Namespace": "crm.deal", "Value": value}
            _insert(store, "keys", {"Process": process, **_common(tenant, named)})
    row = {
        "Root": 91,
        "OpenedAt": datetime(2026, 1, 1, tzinfo=UTC),
        "LastEventAt": NOW,
        "LateAt": NOW - DAY,
        "AmountObjects": [(901, Decimal(100), "EUR"), (902, Decimal(50), "USD")],
        "AmountDays": [date(2026, 1, 10), date(2026, 1, 17)],
        "Customer": "Halden",
        "Entity": "DE01",
        "Milestones.Name": ["paid"],
        "Milestones.State": ["pending"],
        "Milestones.MetAt": [None],
        "Milestones.LastAt": [None],
        "Milestones.DueAt": [NOW - DAY],
        "Milestones.Count": [0],
        "Milestones.Amount": [None],
        "Milestones.Currency": [""],
    }
    _insert(store, "journey_state", {"Process": OTHER, **_common(tenant, row)})


def _common(tenant: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"Tenant": tenant, "Generation": 1, **row, "Version": 1, "Deleted": 0}


def _insert(store: Store, table: str, row: dict[str, Any]) -> None:
    values = {"Process": PROCESS.id, **row}
    store.insert_rows(table, [list(values.values())], list(values), role=Role.CORRELATOR)
