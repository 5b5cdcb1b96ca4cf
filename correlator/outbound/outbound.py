"""The loop that tells subscribers: notice, put into the outbox, send. A lease lets one engine do it."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from throughline.collector.held_lease import HeldLease
from throughline.collector.secrets import MissingSecret
from throughline.collector.stamps import stamp
from throughline.correlator.outbound.messages import Message, message, request
from throughline.correlator.outbound.noticing import OVERLAP, Described, Noticing
from throughline.correlator.outbound.outbox import Outbox
from throughline.correlator.outbound.sending import Answer, post
from throughline.correlator.outbound.subscriptions import (
    SUBSCRIPTIONS_FILE,
    InvalidSubscriptions,
    Subscription,
    load_subscriptions,
)
from throughline.correlator.outbound.telling import told, too_old, wanted

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from throughline.collector.control import ControlStore, Lease
    from throughline.collector.stamps import Stamp
    from throughline.collector.store import Store
    from throughline.correlator.outbound.noticing import Transition

LEASE = "outbound"
LEASE_TIME = timedelta(seconds=120)
"""Longer than any one attempt may take."""
AT_ONCE = 1_000
"""Transitions that are put into the outbox at once."""
BATCH = 50
"""Messages that a subscription is sent in one turn."""
SUBSCRIBERS_AT_ONCE = 4
FORGET_EVERY = timedelta(hours=1)

log = logging.getLogger(__name__)


class Outbound:
    """`turn` is called again and again, by one thread."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        config: Path | None,
        *,
        holder: str,
        clock: Callable[[], datetime],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.subscriptions: tuple[Subscription, ...] = ()
        self._store = store
        self._control = control
        self._config = config
        self._clock = clock
        self._environ = environ
        self._outbox = Outbox(control)
        self._noticing: dict[str, Noticing] = {}
        self._lease = HeldLease(control, LEASE, holder, LEASE_TIME)
        self._stamp: Stamp | None = (0, 0)  # no file looks like this: the first look reads it
        self._forgot_at: datetime | None = None
        self._missing: set[str] = set()

    def turn(self, stop: threading.Event | None = None) -> None:
        """Once: read a changed file, notice, put into the outbox, send what is due; `stop` ends it between
        two attempts.

        Raises: StoreError, ControlError, LeaseLost; the next call goes on where this one stood.
        """
        self.reload()
        lease = self._hold() if self.subscriptions else None
        if lease is None:
            return
        for tenant in sorted({one.tenant for one in self.subscriptions}):
            self._collect(tenant, lease)
        self.deliver(stop)
        now = self._clock()
        if self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY:
            self._outbox.forget(now)
            self._forgot_at = now

    def deliver(self, stop: threading.Event | None = None) -> None:
        """Send what is due, to several subscribers at once. Raises: ControlError."""
        with ThreadPoolExecutor(SUBSCRIBERS_AT_ONCE, thread_name_prefix="outbound") as pool:
            for sent in [pool.submit(self._send, one, stop) for one in self.subscriptions]:
                sent.result()

    def reload(self) -> None:
        """Read the subscriptions if their file has changed; one that breaks changes nothing and is logged."""
        seen = stamp(self._config / SUBSCRIPTIONS_FILE) if self._config else None
        if seen == self._stamp:
            return
        try:
            self.subscriptions = load_subscriptions(self._config)
        except InvalidSubscriptions as error:
            log.error("The subscriptions stay as they were:\n%s", error)  # noqa: TRY400
        self._stamp = seen
        self._missing.clear()

    def release(self) -> None:
        """Let the next engine begin at once."""
        self._lease.release()

    def _hold(self) -> Lease | None:
        """The lease, if it is ours for long enough to send something."""
        now = self._clock()
        if self._lease.renew(now) is None:
            self._noticing.clear()
        return self._lease.take(now)

    def _collect(self, tenant: str, lease: Lease) -> None:
        """Notice what changed for a tenant, and put it into the outbox."""
        mine = [one for one in self.subscriptions if one.tenant == tenant]
        since = {one.id: self._outbox.begin(one, self._clock()) for one in mine}
        fresh = tenant not in self._noticing
        noticing = self._noticing.setdefault(tenant, Noticing(self._store, self._control, tenant))
        noticing.look(lease)
        cursor = self._control.cursor(tenant, "told")
        place, _, identity = (cursor or f"{self._clock().isoformat()} ").partition(" ")
        after = datetime.fromisoformat(place), identity
        # Who held the lease before may have noticed things that were not stored when it looked.
        start = (after[0] - OVERLAP, "") if fresh or cursor is None else after
        while some := noticing.transitions(start, AT_ONCE):
            known = Described(self._store, tenant, self._clock(), some)
            for one in mine:
                self._put(one, some, known, since[one.id], after)
            start = (some[-1].noticed_at, some[-1].message)
            after = max(after, start)
            self._control.set_cursor(tenant, "told", f"{after[0].isoformat()} {after[1]}", lease=lease)
        if cursor is None:
            self._control.set_cursor(tenant, "told", f"{after[0].isoformat()} {after[1]}", lease=lease)

    def _put(
        self,
        subscription: Subscription,
        some: list[Transition],
        known: Described,
        since: datetime,
        after: tuple[datetime, str],
    ) -> None:
        chosen = [one for one in some if one.noticed_at >= since and wanted(subscription, one, known)]
        fine = [one for one in chosen if not too_old(subscription, one)]
        messages = [told(one, known, subscription.tenant) for one in fine]
        self._outbox.add(subscription, messages, self._clock())
        again = sum(
            1 for one in chosen if too_old(subscription, one) and (one.noticed_at, one.message) <= after
        )
        self._outbox.skip(subscription, len(chosen) - len(fine) - again)

    def _send(self, subscription: Subscription, stop: threading.Event | None) -> None:
        """Send what is due to one subscriber, one after the other."""
        try:
            subscription.keys(self._environ)
        except MissingSecret as error:
            if subscription.id not in self._missing:
                log.error("%s is told nothing: %s", subscription.id, error)  # noqa: TRY400
                self._missing.add(subscription.id)
            return
        began = self._clock()
        for one in self._outbox.due(subscription, began, BATCH):
            if (stop is not None and stop.is_set()) or self._clock() - began > LEASE_TIME / 4:
                return
            answer = attempt(subscription, one.message, self._clock(), self._environ)
            if not answer.accepted:
                log.warning("%s did not take %s: %s %s", subscription.id, one.id, answer.status, answer.text)
            if not self._outbox.note(subscription, one, answer, self._clock()):
                return


def attempt(
    subscription: Subscription, sent: Message, now: datetime, environ: Mapping[str, str] = os.environ
) -> Answer:
    """Send one message once. Raises: MissingSecret."""
    headers, body = request(subscription, sent, subscription.keys(environ), now)
    everything = {"user-agent": "throughline", **subscription.extra_headers(environ), **headers}
    return post(
        subscription.url, everything, body, anywhere=subscription.listed, seconds=subscription.timeout_seconds
    )


def sample(subscription: Subscription, now: datetime) -> Message:
    """A message for a trial: as the others, of a journey that does not exist, marked as a test."""
    moment = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    process = subscription.process[0] if subscription.process else "test"
    name = subscription.milestone[0] if subscription.milestone else "test"
    data = {
        "tenant": subscription.tenant,
        "process": process,
        "test": True,
        "number": 1,
        "noticed_at": moment,
        "journey": {"id": "0" * 16, "root": "test:test", "status": "in_flight"},
        "milestone": {"name": name, "state": "met", "met_at": moment, "due_at": None},
    }
    identity = f"msg_test_{int(now.timestamp() * 1_000_000):x}"
    return message(
        identity, "milestone.met", "0" * 16, tenant=subscription.tenant, process=process, at=moment, trace="",
        data=data,
    )  # fmt: skip
