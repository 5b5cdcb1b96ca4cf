"""The rows of one journey, in every table that pages and API read."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.dashboards.seed_firm import EVENTS, MILESTONES, PROCESS, SOURCES

FACT_ONLY = {"ReceivedAt", "Source", "ReplayId", "TraceId", "SpanId"}
"""What business_events knows of an event and journey_events does not."""


class JourneyRows:
    """The rows of one journey."""

    def __init__(
        self,
        tenant: str,
        now: datetime,
        journey: dict[str, Any],
        objects: list[int],
        rows: dict[str, list[dict[str, Any]]],
    ) -> None:
        self.tenant, self.now = tenant, now
        self.journey, self.objects, self.rows = journey, objects, rows
        self.root = objects[0]

    def make(self) -> None:
        """Add them; what follows from them (id, status, open exceptions) is noted on the journey."""
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
        mark = hashlib.sha256(f"{self.tenant}{journey['index']}{step}{bool(failure)}".encode()).hexdigest()
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

        for kind, moment in (("opened", opened), ("resolved", resolved)):
            if moment is not None:
                self._transition(number, kind, moment, journey)

    def _transition(self, number: int, kind: str, moment: datetime, journey: dict[str, Any]) -> None:
        subject = self.rows["exception_state"][-1]["Subject"]
        told = {"Subject": subject, "ExceptionId": number, "Kind": kind, "Origin": "fact", "At": moment}
        who = {"NoticedAt": moment, "Root": journey["root"], "Actor": "correlator", "Version": 1}
        self._add("exception_transitions", {"Process": PROCESS, **told, **who})

    def _cycle(self) -> dict[str, Any]:
        """The calendar month in which it opened, of one of five projects."""
        journey = self.journey
        first = journey["opened"].date().replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        journey["cycle"], journey["period"] = f"certinia.project:P{journey['index'] % 5}", first
        return {
            "CycleObject": journey["cycle"],
            "PeriodFirst": first,
            "PeriodLast": following - timedelta(days=1),
            "CutOffAt": datetime(following.year, following.month, 1, tzinfo=UTC) - timedelta(microseconds=1),
        }

    def _state(self) -> None:
        journey, times, now = self.journey, self.journey["times"], self.now
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
                **self._cycle(),
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
