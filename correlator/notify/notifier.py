"""The loop that tells people of alerts. A lease lets one engine do it.

1. Transitions behind the cursor become episodes: one begins when an alert fires, and ends with it.
2. Episodes are routed: those that fire at each look, because a route may hold at certain hours only; those
   that ended before anybody could look once, so that they are summarised. What stands behind is counted once.
3. Each channel is told what `next_act` says, one thing after the other. One that fails is left alone for a
   while, longer each time; what ended meanwhile comes in one summary, whose members are fixed before it is
   sent.

A process that dies anywhere does the same step again: an attempt whose answer was not stored is repeated
under the same key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from throughline.collector.alert_store import AlertStore
from throughline.collector.held_lease import HeldLease
from throughline.collector.secrets import MissingSecret
from throughline.correlator.alerts.behind import behind
from throughline.correlator.notify import alertmanager, words
from throughline.correlator.notify.channels import Alertmanager, Channels
from throughline.correlator.notify.ledger import Ledger, Outcome
from throughline.correlator.notify.routing import Stand, channels_of, muted_by, next_act
from throughline.correlator.notify.sending import ACKNOWLEDGED, attempt
from throughline.correlator.notify.silences import Silences
from throughline.correlator.notify.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from throughline.collector.control import ControlStore, Lease
    from throughline.collector.store import Store
    from throughline.correlator.alerts.rule_files import LoadedRules, Ready
    from throughline.correlator.notify.channels import AnyChannel
    from throughline.correlator.notify.ledger import Episode, Notice
    from throughline.correlator.notify.routing import Act, Silence

LEASE = "notify"
LEASE_TIME = timedelta(seconds=120)
"""Longer than any one attempt may take."""
AT_ONCE = 1_000
BATCH = 50
"""What a channel is told in one turn."""
CHANNELS_AT_ONCE = 4
LATELY = timedelta(days=1)
"""What ended longer ago before anybody could look is in the log of alerts, and no news."""
FORGET_EVERY = timedelta(hours=1)

log = logging.getLogger(__name__)


def _go_on(_step: str) -> None:
    """Do nothing between two steps."""


@dataclasses.dataclass
class Notifier:
    """`turn` is called again and again, by one thread. `channels` and `rules` are asked at each turn."""

    store: Store
    control: ControlStore
    channels: Callable[[], Channels]
    rules: Callable[[str], LoadedRules]
    holder: str
    clock: Callable[[], datetime]
    public_url: str = ""
    environ: Mapping[str, str] = dataclasses.field(default_factory=lambda: os.environ)
    checkpoint: Callable[[str], None] = _go_on
    """Called between any two steps; a test ends the process there."""

    def __post_init__(self) -> None:
        self._ledger, self._silences = Ledger(self.control), Silences(self.control)
        self._trials, self._alerts = Trials(self.control), AlertStore(self.control)
        self._lease = HeldLease(self.control, LEASE, self.holder, LEASE_TIME)
        self._forgot_at: datetime | None = None

    def turn(self) -> None:
        """Once. Raises: ControlError, LeaseLost; the next call goes on where this one stood."""
        now = self.clock()
        lease = self._lease.renew(now) or self._lease.take(now)
        if lease is None:
            return
        file = self.channels()
        for tenant in self._ledger.tenants():
            rules = {rule.key: rule for group in self.rules(tenant).groups for rule in group.rules}
            self._collect(tenant, rules, now, lease)
            self._route(tenant, rules, file, now, lease)
            self._tell(tenant, file, now, lease)
            if self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY:
                self._ledger.forget(tenant, now)
        if self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = now

    def release(self) -> None:
        """Let the next engine begin at once."""
        self._lease.release()

    def _collect(self, tenant: str, rules: Mapping[str, Ready], now: datetime, lease: Lease) -> None:
        until = self._trials.begin(tenant, list(rules.values()), now)
        silent = frozenset(rule for rule, end in until.items() if end > now)
        while some := self._alerts.transitions(tenant, self._ledger.cursor(tenant), AT_ONCE):
            self.checkpoint("read")
            self._ledger.take(tenant, some, silent, lease)
            self.checkpoint("taken")

    def _route(
        self, tenant: str, rules: Mapping[str, Ready], file: Channels, now: datetime, lease: Lease
    ) -> None:
        managers = file.alertmanagers(tenant)
        known: dict[str, set[str]] = {}
        for notice in self._ledger.notices(tenant):
            known.setdefault(notice.episode, set()).add(notice.channel)
        for one in self._ledger.episodes(tenant, now=now, lately=LATELY):
            if one.silent or one.acknowledged_at or (one.ends_at is not None and one.routed_at is not None):
                continue
            wanted = channels_of(one.labels, file, tenant, now)
            if managers:
                wanted = {each.id: each.send_every for each in managers} if one.ends_at is None else {}
            fresh = {name: each for name, each in wanted.items() if name not in known.get(one.id, ())}
            if one.routed_at is not None and not fresh:
                continue
            if not one.about and one.rule in rules:
                about = behind(self.store, tenant, rules[one.rule], one.labels, one.starts_at)
                self._ledger.change(tenant, one.id, about=json.dumps(about))
            self._ledger.route(one, fresh, now, lease)
            self.checkpoint("routed")

    def _tell(self, tenant: str, file: Channels, now: datetime, lease: Lease) -> None:
        episodes = {one.id: one for one in self._ledger.to_do(tenant)}
        if not episodes:
            return
        silences = self._silences.active(tenant, now)
        notices = [one for one in self._ledger.notices(tenant) if one.episode in episodes]
        with ThreadPoolExecutor(CHANNELS_AT_ONCE, thread_name_prefix="notify") as pool:
            jobs = []
            for channel in file.of(tenant):
                state = self._ledger.channel(tenant, channel.id)
                mine = [one for one in notices if one.channel == channel.id]
                if not mine or (state.next_at is not None and state.next_at > now):
                    continue
                if isinstance(channel, Alertmanager):
                    jobs.append(pool.submit(self._manager, channel, mine, episodes, now, lease))
                else:
                    work = _Work(channel, mine, episodes, silences, file)
                    jobs.append(pool.submit(self._channel, work, now, lease))
            for job in jobs:
                job.result()

    def _channel(self, work: _Work, now: datetime, lease: Lease) -> None:
        """Tell one channel what it is to be told, until it fails."""
        came_and_went: list[Notice] = []
        said = 0
        for notice in work.notices:
            episode = work.episodes[notice.episode]
            act = self._act(work, notice, episode, now)
            if act == "summary":
                came_and_went.append(notice)
            elif act is not None:
                number = 0 if not notice.told or act != "trigger" else int(now.timestamp())
                told = words.told(episode, act, self.public_url, number)
                said += 1
                if said > BATCH or not self._said(work.channel, told, [notice], now, lease):
                    return
        if came_and_went:
            self._summarise(work, came_and_went, now, lease)

    def _act(self, work: _Work, notice: Notice, episode: Episode, now: datetime) -> Act | None:
        """What is to be said; a notice of which nothing more will be said is done."""
        ended = episode.ends_at is not None
        reason = "" if ended else muted_by(episode.labels, work.silences, work.file, now)
        if reason != notice.why and not ended and not notice.told and not notice.attempts:
            self._ledger.mark([notice], why=reason)
        stand = Stand(
            told=notice.told,
            told_at=notice.told_at,
            resend=timedelta(seconds=notice.resend_seconds),
            ended=ended,
            acknowledged=episode.acknowledged_at is not None,
            muted=bool(notice.why) and not notice.attempts if ended else bool(reason),
        )
        act = next_act(stand, now)
        if act is None and ended:
            self._ledger.mark([notice], done=True)
        if act == "acknowledge" and not isinstance(work.channel, ACKNOWLEDGED):
            return None
        return act

    def _summarise(self, work: _Work, notices: Sequence[Notice], now: datetime, lease: Lease) -> None:
        """Say what came and went: first the summaries that were begun, with their members, then a new one."""
        batches: dict[str, list[Notice]] = {}
        for one in notices:
            batches.setdefault(one.batch, []).append(one)
        fresh = batches.pop("", [])
        if fresh:
            names = json.dumps([work.channel.id, *(one.episode for one in fresh)])
            batch = hashlib.sha256(names.encode()).hexdigest()[:32]
            self._ledger.mark(fresh, batch=batch)
            batches[batch] = fresh
        for batch, members in batches.items():
            told = words.summary(batch, [work.episodes[one.episode] for one in members], self.public_url)
            if not self._said(work.channel, told, members, now, lease):
                return

    def _said(
        self,
        channel: AnyChannel,
        told: words.Told,
        notices: Sequence[Notice],
        now: datetime,
        lease: Lease,
    ) -> bool:
        """Say one thing and note it; whether the channel may be told more."""
        self.checkpoint("saying")
        outcome = attempt(channel, told, self.clock(), self.environ)
        self.checkpoint("said")
        self._ledger.note(notices, told.act, outcome, now, lease)
        self.checkpoint("noted")
        if not outcome.accepted:
            log.warning("%s was not told %s: %s", channel.id, told.title, outcome.text)
        return outcome.accepted or outcome.permanent

    def _manager(
        self, channel: Alertmanager, notices: Sequence[Notice], episodes: Mapping[str, Episode],
        now: datetime, lease: Lease,
    ) -> None:  # fmt: skip
        """Tell an Alertmanager; what it never heard of and is over is done."""
        told = {one.episode: (one.told, one.told_at) for one in notices}
        known = [episodes[one.episode] for one in notices]
        over = [one for one in notices if not one.told and episodes[one.episode].ends_at is not None]
        self._ledger.mark(over, done=True)
        wanted = alertmanager.due(channel, told, known, now)
        if not wanted:
            return
        try:
            outcome = alertmanager.tell(channel, wanted, self.public_url, now, self.environ)
        except MissingSecret as error:
            outcome = Outcome(accepted=False, text=str(error))
        names = {one.id for one in wanted}
        meant = [one for one in notices if one.episode in names]
        for act, ended in (("trigger", False), ("resolve", True)):
            some = [one for one in meant if (episodes[one.episode].ends_at is not None) == ended]
            if some:
                self._ledger.note(some, act, dataclasses.replace(outcome, permanent=False), now, lease)
        if not outcome.accepted:
            log.warning("%s was not told %d alerts: %s", channel.id, len(wanted), outcome.text)


@dataclasses.dataclass(frozen=True, slots=True)
class _Work:
    """One channel's part of a turn."""

    channel: AnyChannel
    notices: Sequence[Notice]
    episodes: Mapping[str, Episode]
    silences: Sequence[Silence]
    file: Channels
