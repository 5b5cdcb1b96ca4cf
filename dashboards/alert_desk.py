"""What people do about alerts: acknowledge, silence, judge; one place for pages and API."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughline.collector.alert_store import AlertStore
from throughline.collector.secrets import MissingSecret
from throughline.correlator.alerts.behind import journeys
from throughline.correlator.notify import alertmanager
from throughline.correlator.notify.channels import Alertmanager, Apprise, PagerDuty
from throughline.correlator.notify.ledger import Episode, Ledger, Outcome
from throughline.correlator.notify.notifier import LATELY
from throughline.correlator.notify.routing import Silence, muted_by
from throughline.correlator.notify.sending import attempt
from throughline.correlator.notify.silences import Silences
from throughline.correlator.notify.words import told
from throughline.correlator.sql_guard import QueryRefused
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from throughline.collector.auth import Principal
    from throughline.collector.control import ControlStore
    from throughline.correlator.alerts.rule_files import Ready
    from throughline.correlator.notify.channels import AnyChannel
    from throughline.correlator.notify.matching import Matcher
    from throughline.dashboards.deps import Deps

MOST_JOURNEYS = 100


class NoSuchAlert(ThroughlineError):
    """Nothing of that name has fired, or it is long over; the list of alerts says what there is."""


@dataclass(frozen=True)
class AlertDesk:
    """One person's desk at one time."""

    deps: Deps
    control: ControlStore
    principal: Principal
    now: datetime

    @property
    def tenant(self) -> str:
        """Whose alerts these are."""
        return self.principal.tenant

    def standing(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What delivery knows of each alert that fires, or fired lately: by rule and fingerprint."""
        file = self.deps.channels()
        silences = self.silences()
        told_by: dict[str, list[str]] = {}
        ledger = Ledger(self.control)
        for notice in ledger.notices(self.tenant, open_only=False):
            if notice.told:
                told_by.setdefault(notice.episode, []).append(notice.channel)
        found = {}
        for one in ledger.episodes(self.tenant, now=self.now, lately=LATELY):
            found[one.rule, one.fingerprint] = {
                "episode": one.id,
                "silent": one.silent,
                "acknowledged_at": one.acknowledged_at,
                "acknowledged_by": one.acknowledged_by,
                "note": one.note,
                "useful": one.useful,
                "muted": muted_by(one.labels, silences, file, self.now),
                "told": sorted(told_by.get(one.id, [])),
            }
        return found

    def acknowledge(self, rule: str, fingerprint: str, note: str) -> Episode:
        """Say that somebody is at it: it is told no more until it ends. Raises: NoSuchAlert."""
        one = self._episode(rule, fingerprint)
        if one.ends_at is not None:
            raise NoSuchAlert(
                f"{one.alert} ended at {one.ends_at:%Y-%m-%d %H:%M} UTC: nothing is to be done."
            )
        if one.acknowledged_at is None:
            Ledger(self.control).change(
                self.tenant,
                one.id,
                acknowledged_at=self.now,
                acknowledged_by=self.principal.name,
                note=note.strip(),
            )
        return self._episode(rule, fingerprint)

    def judge(self, rule: str, fingerprint: str, *, useful: bool) -> Episode:
        """Say whether the latest one was worth being told. Raises: NoSuchAlert."""
        one = self._episode(rule, fingerprint)
        Ledger(self.control).change(self.tenant, one.id, useful=useful, judged_by=self.principal.name)
        return self._episode(rule, fingerprint)

    def behind(self, rule: str, fingerprint: str) -> list[dict[str, Any]] | None:
        """The journeys behind an alert now; None where its rule does not tell.

        Raises: NoSuchAlert, StoreError.
        """
        stored = AlertStore(self.control).alerts(self.tenant)
        alert = next((one for one in stored if (one.rule, one.fingerprint) == (rule, fingerprint)), None)
        ready = self.ready(rule)
        if alert is None or ready is None:
            raise NoSuchAlert
        try:
            return journeys(self.deps.store, self.tenant, ready, alert.labels, self.now, most=MOST_JOURNEYS)
        except QueryRefused:
            return None

    def ready(self, rule: str) -> Ready | None:
        """A rule in force."""
        groups = self.deps.rules_in_force(self.tenant).groups
        return next((one for group in groups for one in group.rules if one.key == rule), None)

    def silences(self) -> list[Silence]:
        """Those that are not over: the Alertmanager's, where there is one. An Alertmanager that does not
        answer has none to show.
        """
        managers = self._managers()
        if not managers:
            return Silences(self.control).active(self.tenant, self.now)
        try:
            return alertmanager.silences(managers[0], self.tenant, os.environ)
        except (alertmanager.AlertmanagerFailed, MissingSecret):
            return []

    def silence(
        self, matchers: tuple[Matcher, ...], begins: datetime, ends: datetime, comment: str
    ) -> Silence:
        """Begin one. Raises: AlertmanagerFailed, MissingSecret."""
        managers = self._managers()
        if not managers:
            return Silences(self.control).add(
                self.tenant, matchers, begins, ends, author=self.principal.name, comment=comment, now=self.now
            )
        wanted = Silence("", matchers, begins, ends, self.principal.name, comment)
        identity = alertmanager.silence(managers[0], self.tenant, wanted, os.environ)
        return Silence(identity, matchers, begins, ends, self.principal.name, comment)

    def expire(self, identity: str) -> bool:
        """End one; whether it was there. Raises: AlertmanagerFailed, MissingSecret."""
        managers = self._managers()
        if not managers:
            return Silences(self.control).expire(self.tenant, identity, self.now)
        if not any(one.id == identity for one in self.silences()):
            return False
        alertmanager.expire(managers[0], identity, os.environ)
        return True

    def _managers(self) -> tuple[Alertmanager, ...]:
        return self.deps.channels().alertmanagers(self.tenant)

    def _episode(self, rule: str, fingerprint: str) -> Episode:
        one = Ledger(self.control).episode(self.tenant, rule, fingerprint)
        if one is None:
            raise NoSuchAlert
        return one


def described(channel: AnyChannel, ledger: Ledger) -> dict[str, Any]:
    """A channel and how it fares."""
    state = ledger.channel(channel.tenant, channel.id)
    waiting = [one for one in ledger.notices(channel.tenant) if one.channel == channel.id and not one.told]
    return {
        "id": channel.id,
        "kind": channel.kind,
        "state": "failing" if state.failures else "working" if state.delivered_at else "new",
        "failures": state.failures,
        "failing_since": state.failing_since,
        "next_at": state.next_at,
        "delivered_at": state.delivered_at,
        "error": state.error,
        "waiting": len(waiting),
    }


def tried(
    channel: AnyChannel, public_url: str, now: datetime, environ: Mapping[str, str] = os.environ
) -> Outcome:
    """Tell a channel about a test, and take it back where the channel knows an end."""
    one = Episode(
        tenant=channel.tenant, id=f"throughline-test-{int(now.timestamp() * 1000):x}",
        rule="throughline/Test",
        fingerprint="0" * 16, alert="Test", labels={"alertname": "Test", "severity": "info"},
        annotations={"summary": "A test of this channel; nothing is wrong"}, value=1.0, starts_at=now,
        ends_at=None, silent=False, about="", routed_at=None, acknowledged_at=None, acknowledged_by="",
        note="", useful=None, judged_by="",
    )  # fmt: skip
    try:
        if isinstance(channel, Alertmanager):
            return alertmanager.tell(channel, [one], public_url, now, environ)
    except MissingSecret as error:
        return Outcome(accepted=False, text=str(error))
    outcome = attempt(channel, told(one, "trigger", public_url), now, environ)
    if outcome.accepted and isinstance(channel, PagerDuty):
        attempt(channel, told(one, "resolve", public_url), now, environ)
    return outcome


def where(channel: AnyChannel) -> str:
    """Where a channel leads, without what may be secret."""
    return "Apprise" if isinstance(channel, Apprise) else channel.url.partition("?")[0]
