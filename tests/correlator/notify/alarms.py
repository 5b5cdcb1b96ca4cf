"""Alerts for tests of delivery: fired and ended through the real alert store, a clock that is set by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from throughline.collector.alert_store import AlertStore, Change, GroupRecord, StoredAlert
from throughline.correlator.alerts.judging import fingerprint
from throughline.correlator.alerts.rule_files import LoadedRules, parse_rules
from throughline.correlator.notify.channels import Channels, parse_channels
from throughline.correlator.notify.notifier import Notifier

if TYPE_CHECKING:
    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday, in working hours
KEYS = {"PD": "key", "HOOK": "whsec_" + "A" * 32}
RULES = """
groups:
  - name: own
    rules:
      - alert: Stuck
        expr: SELECT region, count() AS value FROM journeys WHERE status = 'stuck' GROUP BY region
        silent_for: 0s
      - {alert: Fresh, expr: "SELECT 1 AS value"}
"""


class Alarms:
    """A tenant's alerts and what delivers them."""

    def __init__(
        self, control: ControlStore, store: Store, channels: str = "", tenant: str = "default"
    ) -> None:
        self.control, self.store, self.tenant = control, store, tenant
        self.alerts = AlertStore(control)
        self.now = START
        self.file = self.read(channels)
        self.rules = LoadedRules({"own.yaml": parse_rules(RULES)})
        self._numbers = count(1)

    def read(self, text: str) -> Channels:
        """Channels of a text, with the shipped calendars."""
        from throughline.correlator.alerts.rule_files import calendars_of

        return parse_channels(text, calendars=calendars_of(None)) if text else Channels()

    def notifier(self, holder: str = "me", checkpoint: Callable[[str], None] = lambda _: None) -> Notifier:
        """What delivers."""
        return Notifier(
            self.store, self.control, lambda: self.file, lambda _: self.rules, holder, lambda: self.now,
            public_url="https://tl.example.com", environ=KEYS, checkpoint=checkpoint,
        )  # fmt: skip

    def fire(self, name: str, labels: Mapping[str, str] | None = None, **more: str) -> str:
        """An alert begins to fire; returns its fingerprint."""
        given = {**(labels or {}), **more, "alertname": name}
        key = fingerprint(given)
        known = self.find(name, key)
        texts = {"summary": f"{name} in {given.get('region', 'nowhere')}", "runbook_url": "docs/how-to.md#x"}
        one = StoredAlert(
            f"own/{name}", key, f"own {next(self._numbers)}", name, given, texts, 6.0, "firing", self.now,
            self.now, None, None, "", (known.revision if known else 0) + 1, self.now,
        )  # fmt: skip
        self._commit(
            Change(one, one.revision - 1, known.state if known else "inactive", "the condition holds")
        )
        return key

    def end(self, name: str, key: str) -> None:
        """It ends."""
        known = self.find(name, key)
        assert known is not None
        after = dataclasses.replace(
            known, state="resolved", resolved_at=self.now, revision=known.revision + 1, evaluated_at=self.now,
            group_name=f"own {next(self._numbers)}",
        )  # fmt: skip
        self._commit(Change(after, known.revision, "firing", "the condition is gone"))

    def find(self, name: str, key: str) -> StoredAlert | None:
        """An alert as it stands."""
        every = self.alerts.alerts(self.tenant)
        return next((one for one in every if (one.alert, one.fingerprint) == (name, key)), None)

    def later(self, **span: float) -> None:
        """Time goes by."""
        self.now += timedelta(**span)

    def _commit(self, change: Change) -> None:
        group = GroupRecord(change.alert.group_name, self.now, 0)
        assert self.alerts.commit(self.tenant, group, [change], [], lease=None) == 1


def data(event: Mapping[str, object]) -> dict[str, object]:
    """A copy that compares."""
    copied: dict[str, object] = json.loads(json.dumps(event))
    return copied
