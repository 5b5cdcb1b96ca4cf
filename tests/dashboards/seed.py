"""A small firm's journeys, written straight into the journey tables: weeks of history with every kind of
trouble in it.

`seed(store)` is deterministic: the same seed gives the same rows for the same clock.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from throughline.collector.store import Role, Store

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PROCESS = "opportunity-to-invoice"
ORG = "00D5e000001"
MILESTONES = ("closed_won", "project_created", "time_approved", "invoice_posted", "paid")
EVENTS = ("opportunity.closed_won", "project.created", "time.approved", "invoice.posted", "payment.applied")
SOURCES = (
    ("crm", "salesforce", "salesforce-emea", "opportunity-sync"),
    ("psa", "certinia", "certinia-prod", "project-provisioner"),
    ("psa", "certinia", "certinia-prod", "timecard-approvals"),
    ("erp", "netsuite", "netsuite-group", "invoice-poster"),
    ("erp", "netsuite", "netsuite-group", "cash-application"),
)
NAMESPACES = (
    "salesforce.opportunity",
    "certinia.project",
    "certinia.timecard",
    "netsuite.invoice",
    "netsuite.payment",
)
CUSTOMERS = (
    "Halden Robotics",
    "Northwind Energy",
    "Aurelia Health",
    "Bergmann Logistik",
    "Cobalt Insurance",
    "Delacroix & Fils",
    "Everglade Foods",
    "Fjord Shipping",
    "Granite Bank",
    "Helios Solar",
    "Iris Biotech",
    "Juniper Retail",
)
PLACES = (("DE01", "EMEA", "EUR"), ("FR02", "EMEA", "EUR"), ("US01", "AMER", "USD"), ("UK01", "EMEA", "GBP"))
LINES = ("Advisory", "Implementation", "Managed services")
FAILURES = (
    (
        "project.created",
        "remote",
        "UNABLE_TO_LOCK_ROW",
        "Certinia: unable to obtain exclusive access to this record",
    ),
    (
        "invoice.posted",
        "business",
        "INVALID_TAX_CODE",
        "NetSuite: tax code VAT_DE_19 is not valid for subsidiary US01",
    ),
    ("project.created", "technical", "TIMEOUT", "Gateway timed out after 30 s"),
)


FACT_ONLY = {"ReceivedAt", "Source", "ReplayId", "TraceId", "SpanId"}
"""What business_events knows of an event and journey_events does not."""


@dataclass
class Seeded:
    """What was written, for tests to aim at."""

    tenant: str
    journeys: list[dict[str, Any]] = field(default_factory=list)

    def first(self, status: str) -> dict[str, Any]:
        """The newest journey of a status."""
        return max((one for one in self.journeys if one["status"] == status), key=lambda one: one["opened"])


def seed(
    store: Store,
    *,
    tenant: str = "default",
    count: int = 220,
    now: datetime = NOW,
    process: str = PROCESS,
    generation: int = 1,
    active: bool = True,
    number: int = 7,
) -> Seeded:
    """Write `count` journeys of one tenant and return them."""
    made = _Maker(
        store,
        tenant,
        process,
        generation=generation,
        now=now,
        chance=random.Random(f"{tenant}{number}"),
    )
    for index in range(count):
        made.journey(index)
    made.write(active=active)
    return Seeded(tenant, made.journeys)


class _Maker:
    def __init__(
        self,
        store: Store,
        tenant: str,
        process: str,
        *,
        generation: int,
        now: datetime,
        chance: random.Random,
    ) -> None:
        self._store, self.tenant, self._process, self._generation = store, tenant, process, generation
        self._now, self._chance = now, chance
        self.journeys: list[dict[str, Any]] = []

    def journey(self, index: int) -> None:
        """Decide what happened to one engagement; rows are made at the end, when hashes are known."""
        chance = self._chance
        entity, region, currency = chance.choice(PLACES)
        opened = (
            self._now
            - timedelta(days=84) * (1 - (index / 220) ** 0.8)
            - timedelta(hours=chance.random() * 20)
        )
        gaps = (
            timedelta(0),
            timedelta(hours=min(chance.lognormvariate(0.7, 0.8), 30)),
            timedelta(days=6 + chance.random() * 9),
            timedelta(days=1 + chance.random() * 7),
            timedelta(days=8 + chance.random() * 28),
        )
        fate = chance.random()
        stops = 1 if fate < 0.05 else 3 if fate < 0.13 else 5
        times: list[datetime] = []
        at = opened
        for gap in gaps[:stops]:
            at += gap
            if at > self._now:
                break
            times.append(at)
        dropped = (
            opened + timedelta(days=3)
            if 0.13 <= fate < 0.16 and opened < self._now - timedelta(days=4)
            else None
        )
        if dropped:
            times = [one for one in times if one < dropped]
        failure = chance.choice(FAILURES) if fate < 0.05 or 0.2 < fate < 0.3 else None
        self.journeys.append(
            {
                "index": index,
                "opened": opened,
                "times": times,
                "dropped": dropped,
                "failure": failure,
                "entity": entity,
                "region": region,
                "currency": currency,
                "customer": chance.choice(CUSTOMERS),
                "line": chance.choice(LINES),
                "amount": Decimal(chance.randrange(18_000, 420_000, 500)),
                "keys": [
                    (namespace, _value(namespace, entity, index))
                    for namespace in NAMESPACES[: max(len(times), 1)]
                ],
            }
        )

    def write(self, *, active: bool) -> None:
        """Hash every key in the engine, then insert all tables."""
        keys = sorted({key for journey in self.journeys for key in journey["keys"]})
        hashes = self._hashes(keys)
        rows: dict[str, list[dict[str, Any]]] = {}
        for key in keys:
            level = NAMESPACES.index(key[0])
            rows.setdefault("keys", []).append(
                {
                    "Key": hashes[key],
                    "Level": level,
                    "Rank": 0,
                    "Namespace": key[0],
                    "Value": key[1],
                    "Object": hashes[key],
                    "Alias": "none",
                }
            )
        for journey in self.journeys:
            _Rows(self, journey, [hashes[key] for key in journey["keys"]], rows).make()
        for table, members in rows.items():
            self._insert(table, members)
        if active:
            self._insert(
                "generations",
                [{"DefinitionHash": "seeded", "DefinitionVersion": 1, "ActivatedAt": self._now}],
                deleted=False,
            )
            self._plain("correlation_progress", [{"Version": 1, "Watermark": self._now, "Stragglers": 0}])

    @property
    def now(self) -> datetime:
        return self._now

    def _hashes(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        result = self._store.query(
            "SELECT arrayMap((namespace, value) -> sipHash64({t:String}, {p:String}, namespace, value), "
            "{n:Array(String)}, {v:Array(String)})",
            {
                "t": self.tenant,
                "p": self._process,
                "n": [one[0] for one in keys],
                "v": [one[1] for one in keys],
            },
            role=Role.CORRELATOR,
        )
        return dict(zip(keys, result.result_rows[0][0], strict=True))

    def _insert(self, table: str, members: Sequence[dict[str, Any]], *, deleted: bool = True) -> None:
        if table in {"business_events", "otel_traces", "otel_traces_trace_id_ts"}:
            self._plain(table, members)
            return
        common = {"Process": self._process, "Generation": self._generation, "Version": self._generation}
        if deleted:
            common["Deleted"] = 0
        self._plain(table, [{**common, **one} for one in members])

    def _plain(self, table: str, members: Sequence[dict[str, Any]]) -> None:
        columns = ["Tenant", *members[0]]
        self._store.insert_rows(
            table, [[self.tenant, *one.values()] for one in members], columns, role=Role.LOADER
        )


class _Rows:
    """The rows of one journey."""

    def __init__(
        self,
        maker: _Maker,
        journey: dict[str, Any],
        objects: list[int],
        rows: dict[str, list[dict[str, Any]]],
    ) -> None:
        self.maker, self.journey, self.objects, self.rows = maker, journey, objects, rows
        self.root = objects[0]

    def make(self) -> None:
        journey, objects = self.journey, self.objects
        journey["root"], journey["id"] = self.root, f"{self.root:016x}"
        for level, one in enumerate(objects):
            state = {
                "Object": one,
                "Level": level,
                "Roots": [self.root],
                "State": "linked",
                "Children": int(level < 4),
            }
            self._add("objects", state)
        ids = [self._event(step, at) for step, at in enumerate(journey["times"])]
        for step in range(1, len(objects)):
            self._add(
                "edges",
                {
                    "Child": objects[step],
                    "Parent": objects[step - 1],
                    "EventId": ids[step],
                    "Rule": "own",
                    "Time": journey["times"][step],
                    "ParentLevel": step - 1,
                    "ChildLevel": step,
                },
            )
        self._exception(ids)
        self._state()

    def _event(self, step: int, at: datetime, failure: tuple[str, str, str, str] | None = None) -> int:
        journey = self.journey
        system, platform, connection, service = SOURCES[step]
        mark = hashlib.sha256(
            f"{self.maker.tenant}{journey['index']}{step}{bool(failure)}".encode()
        ).hexdigest()
        trace, span, identity = mark[:32], mark[32:48], int(mark[:32], 16)
        keys = sorted(key for key in journey["keys"][max(step - 1, 0) : step + 1])
        attributes = {f"business.key.{namespace}": value for namespace, value in keys}
        attributes |= {"business.event": EVENTS[step], "business.customer": journey["customer"]}
        money = journey["amount"] if step in {0, 3, 4} else None
        common = {
            "EventId": identity,
            "Time": at,
            "ReceivedAt": at + timedelta(seconds=2),
            "Source": "span",
            "Event": EVENTS[step],
            "Failed": int(bool(failure)),
            "System": system,
            "Platform": platform,
            "Connection": connection,
            "Amount": money,
            "Currency": journey["currency"] if money else "",
            "Customer": journey["customer"],
            "Entity": journey["entity"],
            "Region": journey["region"],
            "ServiceLine": journey["line"],
            "TimePrecision": "exact",
            "ExceptionClass": failure[1] if failure else "",
            "ExceptionCode": failure[2] if failure else "",
            "ExceptionMessage": failure[3] if failure else "",
            "ReplayId": "",
            "TraceId": trace,
            "SpanId": span,
            "Attributes": attributes,
        }
        self._add(
            "business_events",
            {**common, "ContentHash": identity % 2**64, "ServiceName": service, "Keys": keys},
        )
        self._add(
            "journey_events",
            {
                **{name: value for name, value in common.items() if name not in FACT_ONLY},
                "Root": self.root,
                "RootLevel": 0,
                "Subjects": [self.objects[max(step - 1, 0)]],
                "Objects": [(key[0], one) for key, one in zip(journey["keys"], self.objects, strict=True)][
                    : step + 1
                ],
            },
        )
        self._trace(trace, span, service, at, failed=bool(failure))
        return identity

    def _trace(self, trace: str, span: str, service: str, at: datetime, *, failed: bool) -> None:
        parent = ""
        steps = (
            ("middleware", "flow receive", 1850),
            ("middleware", "transform payload", 120),
            (service, "write record", 900),
        )
        start = at - timedelta(milliseconds=900)
        for position, (who, what, took) in enumerate(steps):
            identity = (
                span
                if position == len(steps) - 1
                else hashlib.sha256(f"{span}{position}".encode()).hexdigest()[:16]
            )
            began = start + timedelta(milliseconds=(0, 80, 260)[position])
            code = "Error" if failed and position != 1 else "Ok"
            self._add(
                "otel_traces",
                {
                    "Timestamp": began,
                    "TraceId": trace,
                    "SpanId": identity,
                    "ParentSpanId": parent,
                    "SpanName": what,
                    "SpanKind": "Server",
                    "ServiceName": who,
                    "Duration": took * 1_000_000,
                    "StatusCode": code,
                    "SpanAttributes": {"http.response.status_code": "504" if failed else "200"},
                },
            )
            parent = parent or identity
        self._add(
            "otel_traces_trace_id_ts", {"TraceId": trace, "Start": start, "End": start + timedelta(seconds=3)}
        )

    def _exception(self, ids: list[int]) -> None:
        journey = self.journey
        failure = journey["failure"]
        if failure is None:
            return
        step = EVENTS.index(failure[0])
        if step > len(journey["times"]):
            journey["failure"] = None
            return
        resolved = journey["times"][step] if step < len(journey["times"]) else None
        previous = journey["times"][step - 1]
        opened = previous + (resolved - previous) * 0.5 if resolved else previous + timedelta(hours=1)
        identity = self._event(step, opened, failure)
        journey["open_exceptions"] = int(resolved is None)
        number = int(hashlib.sha256(journey["id"].encode()).hexdigest()[:16], 16)
        self._add(
            "exception_state",
            {
                "Root": self.root,
                "ExceptionId": number,
                "Subject": self.objects[min(step, len(self.objects)) - 1],
                "Kind": "event",
                "Event": failure[0],
                "Milestone": MILESTONES[step],
                "Class": failure[1],
                "Code": failure[2],
                "Message": failure[3],
                "Fingerprint": int(hashlib.sha256(failure[2].encode()).hexdigest()[:16], 16),
                "Owner": "delivery-operations" if step == 1 else "finance-operations",
                "Severity": "high",
                "Blocking": 0,
                "Amount": journey["amount"],
                "Currency": journey["currency"],
                "OpenedAt": opened,
                "ResolvedAt": resolved,
                "Occurrences": 1 + len(ids) % 3,
                "FirstEventId": identity,
                "LastEventId": identity,
            },
        )

    def _state(self) -> None:
        journey, times, now = self.journey, self.journey["times"], self.maker.now
        met: list[datetime | None] = [*times, *[None] * (5 - len(times))]
        within = (None, timedelta(hours=6), None, timedelta(days=5), timedelta(days=30))
        starts = (None, 0, None, 2, 3)
        due: list[datetime | None] = []
        states = []
        for step in range(5):
            start, allowed = starts[step], within[step]
            begun = met[start] if start is not None else None
            due.append(begun + allowed if begun and allowed else None)
            here, limit = met[step], due[step]
            states.append("pending" if here is None else "met_late" if limit and here > limit else "met")
        stuck = due[1] if met[1] is None else None
        late = min(
            (one for one, at in zip(due, met, strict=True) if one and at is None and one != stuck),
            default=None,
        )
        completed, dropped = met[4], journey["dropped"]
        journey["status"] = (
            "dropped"
            if dropped
            else "completed"
            if completed
            else "stuck"
            if stuck and stuck < now
            else "late"
            if late and late < now
            else "in_flight"
        )
        self._add(
            "journey_state",
            {
                "Root": self.root,
                "RootLevel": 0,
                "Orphan": 0,
                "DefinitionVersion": 1,
                "OpenedAt": journey["opened"],
                "LastEventAt": max(times),
                "CompletedAt": completed,
                "DroppedAt": dropped,
                "StuckAt": stuck,
                "LateAt": late,
                "BlockedAt": None,
                "Amount": journey["amount"],
                "Currency": journey["currency"],
                "AmountObjects": [(self.root, journey["amount"], journey["currency"])],
                "Customer": journey["customer"],
                "Entity": journey["entity"],
                "Region": journey["region"],
                "ServiceLine": journey["line"],
                "Events": len(times),
                "OpenExceptions": journey.get("open_exceptions", 0),
                "Milestones.Name": list(MILESTONES),
                "Milestones.State": states,
                "Milestones.MetAt": met,
                "Milestones.LastAt": met,
                "Milestones.DueAt": due,
                "Milestones.Count": [int(at is not None) for at in met],
                "Milestones.Amount": [None] * 5,
                "Milestones.Currency": [""] * 5,
            },
        )

    def _add(self, table: str, row: dict[str, Any]) -> None:
        self.rows.setdefault(table, []).append(row)


def _value(namespace: str, entity: str, index: int) -> str:
    patterns = {
        "salesforce.opportunity": f"{ORG}/006{index:06}",
        "certinia.project": f"{ORG}/a1B{index:06}",
        "certinia.timecard": f"{ORG}/a2T{index:06}",
        "netsuite.invoice": f"{entity}/INV-{10_000 + index}",
        "netsuite.payment": f"{entity}/PAY-{50_000 + index}",
    }
    return patterns[namespace]
