"""What each system says of an object: the latest value of each field, however it came."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.reader import Reader

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PROCESS = load_process("""
process: probe
keys: [deal, [project, job]]
milestones:
  - {name: won, event: won}
checks:
  - {name: same, agree: [tax_code, entity], of: project}
""")
COLUMNS = [
    "Tenant", "EventId", "ContentHash", "Time", "ReceivedAt", "IngestedAt", "Source", "Event", "Keys",
    "Subject", "System", "Failed", "Amount", "Entity", "Attributes",
]  # fmt: skip


def row(number: int, event: str, keys: dict[str, str], hours: int, system: str, **facts: Any) -> list[Any]:
    """One fact as the views write it."""
    attributes = {key: value for key, value in facts.items() if key not in ("failed", "amount", "entity")}
    time = START + timedelta(hours=hours)
    content = hash(json.dumps([number, event, hours, facts], sort_keys=True)) % 2**64
    return [
        "acme", number, content, time, time, datetime.now(UTC), "log", event, sorted(keys.items()),
        min(keys) if len(keys) < 2 else "project", system,
        int(facts.get("failed", 0)), facts.get("amount"), facts.get("entity", ""), attributes,
    ]  # fmt: skip


DEAL, PROJECT, BOTH = {"deal": "D1"}, {"project": "P1"}, {"project": "P1", "job": "J1"}
ROWS = [
    row(1, "won", DEAL, 0, "crm", amount=1000, stage="won"),
    row(2, "created", {**DEAL, **PROJECT}, 1, "psa", tax_code="DE19", manager="Ada", entity="DE01"),
    row(3, "booked", BOTH, 2, "erp", tax_code="DE0", entity="DE01"),
    row(4, "booked", {"job": "J1"}, 3, "erp", tax_code="DE7"),
    row(5, "changed", PROJECT, 4, "psa", manager=""),
    row(6, "changed", PROJECT, 5, "psa", manager="Bob", failed=True),
    row(7, "", PROJECT, 6, "psa", manager="an evidence's"),
]


def test_the_latest_of_each_system_counts(embedded_store: Store) -> None:
    """Under any alias; an empty value takes back, a failure says nothing, evidence neither."""
    embedded_store.insert_rows("business_events", ROWS, COLUMNS, role=Role.LOADER)
    inbox = [[one[0], one[1], one[2], one[5]] for one in ROWS]
    names = ["Tenant", "EventId", "ContentHash", "IngestedAt"]
    embedded_store.insert_rows("event_inbox", inbox, names, role=Role.LOADER)
    Correlator(embedded_store, [PROCESS]).tick("acme", START + timedelta(days=1))
    reader = Reader(embedded_store, "acme", START + timedelta(days=1))
    (found,) = reader.objects_named("job", "J1")
    assert found["process"] == "probe"
    assert found["keys"] == ["job:J1", "project:P1"]
    fields = found["fields"]
    said = {(one["name"], one["system"]): (one["value"], one["event"], one["time"]) for one in fields}
    assert said == {
        ("tax_code", "psa"): ("DE19", "created", START + timedelta(hours=1)),
        ("tax_code", "erp"): ("DE7", "booked", START + timedelta(hours=3)),
        ("entity", "psa"): ("DE01", "created", START + timedelta(hours=1)),
        ("entity", "erp"): ("DE01", "booked", START + timedelta(hours=2)),
        ("manager", "psa"): ("", "changed", START + timedelta(hours=4)),
    }
    (journey,) = (int(one, 16) for one in found["journeys"])
    shown = {(one["key"], one["name"], one["value"]) for one in reader.said(journey)}
    assert {("deal:D1", "amount", "1000"), ("deal:D1", "stage", "won")} <= shown
    assert ("project:P1", "tax_code", "DE7") in shown
    assert [one["message"] for one in reader.exceptions_of(journey) if one["code"]] == [
        "same-tax_code does not hold: differing('project', 'tax_code') = 0; tax_code: erp DE7, psa DE19"
    ]
    assert Reader(embedded_store, "other", START).objects_named("job", "J1") == []
