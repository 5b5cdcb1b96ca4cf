"""The only loop that sends replays: recover, verify, send batch by batch.

Every call stands in the control store as `sent` before it is made, so that a death leaves nothing unknown but
its outcome. At a target that drops repeats the call is then made again; at any other a person decides.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from throughline.collector.exception_acts import About, ExceptionActs
from throughline.correlator.replay.ahead import Ahead
from throughline.correlator.replay.calls import Ready
from throughline.correlator.replay.facts import MOST
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.preflight import BY_CALL, Check, Situation, preflight, worst
from throughline.correlator.replay.records import WORKER, encoded
from throughline.correlator.replay.running import Running
from throughline.correlator.replay.verify import effects
from throughline.correlator.replay.verifying import Verifying
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store
    from throughline.correlator.replay.calls import Outcome
    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.records import Item, Replay
    from throughline.correlator.replay.targets import Target, Targets

TURN_SECONDS, ROUND_SECONDS = 2.0, 0.05
"""Of one turn at most: while as many calls run as may, it waits for one to end and begins the next."""
WITHOUT_CALL = 100
"""Items that are dismissed, or begin to wait, in one turn."""
FIX_WITHIN = timedelta(days=14)
"""How long somebody has for fixing at source."""
SPARE = timedelta(seconds=30)
"""After a call's time limits, before it counts as abandoned."""

log = logging.getLogger(__name__)


class Replaying:
    """`turn` is called again and again by a thread of its own; several engines may do so at once."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        targets: Callable[[], Targets],
        clock: Callable[[], datetime],
        *,
        report: Callable[[str, Sequence[Item], datetime], None],
        checkpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`report` is told of second effects. `checkpoint` is called before each step: a test dies there."""
        self._store = store
        self._control = control
        self._ledger = Ledger(control)
        self._acts = ExceptionActs(control)
        self._targets = targets
        self._clock = clock
        self._checkpoint = checkpoint
        self._running = Running()
        self._ahead = Ahead(store, self._ledger)
        self._verifying = Verifying(store, control, clock(), report=report, checkpoint=checkpoint)

    def turn(self) -> None:
        """Once: note what calls said, then recover, verify, and begin the calls that are due."""
        now = self._clock()
        self._ahead.forget()
        self._collect(now)
        self._recover(now)
        self._verifying.look(now)
        until = time.monotonic() + TURN_SECONDS
        while time.monotonic() < until:
            for replay in self._ledger.running():
                try:
                    self._advance(replay, now)
                except ThroughlineError as error:
                    log.warning("the replay %s waits: %s", replay.id, error)
            if self._running.free:
                break
            self._running.wait(ROUND_SECONDS)
            self._collect(now)
        self._ledger.copy(self._store)

    def broken(self, target: str, now: datetime) -> str:
        """Why a target is not called at the moment, or ''."""
        return self._running.broken(target, now)

    def wait(self) -> None:
        """Wait until the calls that were begun have ended; the next turn notes what they said."""
        self._running.wait_for_all()

    def close(self) -> None:
        """Wait for the calls that were begun, and note what they said."""
        self._running.close()
        self._collect(self._clock())

    def _collect(self, now: datetime) -> None:
        """Note what calls said."""
        with self._running.ended() as ended:
            if ended:
                with self._control.together():
                    for item, target, outcome in ended:
                        self._settle(item, target, outcome, now)

    def _settle(self, item: Item, target: Target, outcome: Outcome, now: datetime) -> None:
        """Note what a call said."""
        self._checkpoint("settle")
        self._running.heard(target, outcome, now)
        said = {"status": outcome.status, "answer": outcome.answer, "claimed_until": None}
        reason = outcome.reason
        if outcome.judgement == "accepted":
            said["verify_until"] = now + target.verify_within
            self._move(item, "accepted", now, reason, **said)
            if target.once:
                self._with_it(item, target, now)
        elif outcome.judgement == "uncertain":
            reason = f"{reason} Nobody knows whether it worked: look at {target.id}, then say so."
            self._move(item, "sent", now, reason, uncertain=True, **said)
        elif outcome.judgement == "again" and item.attempts < target.retry.attempts:
            pause = _pause(item.attempts, target, outcome)
            self._move(
                item,
                "planned",
                now,
                f"{reason} Try {item.attempts + 1} follows.",
                next_at=now + pause,
                **said,
            )
        else:
            self._move(item, "failed", now, reason, **said)

    def _with_it(self, item: Item, target: Target, now: datetime) -> None:
        """One call was made for all: the others went with it."""
        replay = self._ledger.replay(item.tenant, item.replay)
        for other in self._ledger.due(replay, now, MOST) if replay else ():
            self._move(
                other, "accepted", now, f"It went with {item.name}.", sent_at=item.sent_at,
                verify_until=now + target.verify_within,
            )  # fmt: skip

    def _recover(self, now: datetime) -> None:
        """Calls that were begun by a worker that has died since."""
        mine = self._running.items()
        for item in self._ledger.abandoned(now):
            if item.name in mine:
                continue
            replay = self._ledger.replay(item.tenant, item.replay)
            target = self._targets().by_id(replay.target) if replay else None
            self._checkpoint("recover")
            if target is not None and target.idempotent:
                self._move(
                    item, "planned", now, "The worker died; the target drops repeats.", claimed_until=None
                )
            else:
                reason = (
                    "The worker died during the call: look at the target whether it arrived, then say so."
                )
                self._move(item, "sent", now, reason, uncertain=True, claimed_until=None)

    def _advance(self, replay: Replay, now: datetime) -> None:
        if replay.kind not in BY_CALL:
            self._without_call(replay, now)
            return
        target = self._targets().by_id(replay.target)
        if target is None:
            self._stop(replay, now, f"The target {replay.target} is gone from targets.yaml.")
            return
        replay = self._next_batch(replay, target, now) or replay
        if replay.state != "running":
            return
        lane = self._running.lane(target)
        if lane.breaker.broken(now):
            return
        free = self._running.free
        if target.once:
            free = int(not self._ledger.counts(replay).get("sent"))
        due = self._ledger.due(replay, now, free)
        fit = self._fit(replay, target, due, now)
        if not fit:
            return
        with self._control.together():
            claimed = [
                (self._claim(replay, target, item, now), facts) for item, facts in fit if lane.take(now)
            ]
        for item, facts in claimed:
            if item is not None:
                self._checkpoint("call")
                self._running.begin(lane, Ready(facts, item, replay.kind, item.trace_id))

    def _claim(self, replay: Replay, target: Target, item: Item, now: datetime) -> Item | None:
        """Note that the call begins. `once` targets take the whole batch with one call."""
        self._checkpoint("claim")
        limits = target.timeout * (len(target.calls(replay.kind)) + 1) + SPARE
        return self._move(
            item,
            "sent",
            now,
            f"Call {item.attempts + 1} to {target.id}.",
            attempts=item.attempts + 1,
            claimed_until=now + limits,
            sent_at=item.sent_at or now,
            trace_id=item.trace_id or secrets.token_hex(16),
            next_at=None,
        )

    def _fit(
        self, replay: Replay, target: Target, due: Sequence[Item], now: datetime
    ) -> list[tuple[Item, Facts]]:
        """Of the due items those that nothing speaks against any more; the others are refused."""
        if not due:
            return []
        known = self._ahead.facts(replay, due, now)
        sent = self._ledger.sent_before(replay.tenant, [item.idempotency_key for item in due])
        fit = []
        for item in due:
            facts = known[item.exception]
            if facts is None:
                self._move(item, "refused", now, "The exception is gone.")
                continue
            before = sent.get(item.idempotency_key)
            checks = preflight(
                facts,
                Situation(
                    replay.kind,
                    target,
                    item.payload,
                    now,
                    sent_before=f"{before:%Y-%m-%d %H:%M}" if before else "",
                ),
            )
            if worst(checks) == "red" and not replay.override:
                # Of one that was called before, what speaks against it may be its own effect.
                if item.sent_at is None or item.name not in effects(self._store, item.tenant, [item], now):
                    self._refuse(item, checks, now)
            else:
                fit.append((item, facts))
        return fit

    def _refuse(self, item: Item, checks: Sequence[Check], now: datetime) -> None:
        reason = " ".join(one.reason for one in checks if one.result == "red")
        self._move(item, "refused", now, reason, preflight=encoded(checks))

    def _next_batch(self, replay: Replay, target: Target, now: datetime) -> Replay | None:
        """When all of a batch is known, begin the next; stop when too much of it did not work."""
        counts = self._ledger.counts(replay, last=replay.batch_until)
        if any(counts.get(state) for state in ("planned", "sent", "accepted")):
            return None
        begun, total = sum(counts.values()), sum(self._ledger.counts(replay).values())
        bad = counts.get("failed", 0) + counts.get("unverified", 0)
        tried = bad + counts.get("verified", 0)
        if begun and begun < total and tried and bad / tried > target.batches.stop_above:
            return self._stop(replay, now, f"{bad} of {tried} did not work: it has stopped itself.")
        if begun >= total:
            return self._ledger.lead(replay, "done", now, actor=WORKER, reason="Every item has ended.")
        size = target.batches.canary if not begun else begun * target.batches.factor
        until = min(total, begun + (total if target.once else size))
        what = "The canary" if not begun else f"A batch of {until - begun}"
        return self._ledger.lead(
            replay, "running", now, actor=WORKER, reason=f"{what} begins.", batch_until=until
        )

    def _without_call(self, replay: Replay, now: datetime) -> None:
        """Fixing at source waits for a person's change; dismissing is done at once."""
        for item in self._ledger.planned(replay, WITHOUT_CALL):
            if replay.kind == "dismiss":
                self._dismiss(replay, item, now)
            else:
                reason, until = "It waits for the change in the source.", now + FIX_WITHIN
                self._move(item, "accepted", now, reason, sent_at=replay.requested_at, verify_until=until)
        counts = self._ledger.counts(replay)
        if not any(counts.get(state) for state in ("planned", "accepted", "sent", "awaiting_approval")):
            self._ledger.lead(replay, "done", now, actor=WORKER, reason="Every item has ended.")

    def _dismiss(self, replay: Replay, item: Item, now: datetime) -> None:
        about = About(item.tenant, item.exception, item.process, int(item.subject), "")
        while True:
            case = self._acts.case(item.tenant, item.exception)
            closed = dataclasses.replace(
                case, snoozed_until=None, closed_at=now, closed_by=replay.requested_by, reason="not_an_error",
                reason_note=replay.reason, seen_until=now,
            )  # fmt: skip
            if self._acts.act(
                about, "closed", closed, actor=replay.requested_by, note=replay.reason, now=now
            ):
                break
        accepted = self._move(item, "accepted", now, "It is closed as not an error.", sent_at=now)
        if accepted is not None:
            self._move(accepted, "verified", now, "It is closed.", outcome="dismissed")

    def _stop(self, replay: Replay, now: datetime, reason: str) -> Replay | None:
        return self._ledger.lead(replay, "paused", now, actor=WORKER, reason=reason)

    def _move(self, item: Item, state: str, now: datetime, reason: str, **values: object) -> Item | None:
        return self._ledger.move(item, state, now, actor=WORKER, reason=reason, **values)  # type: ignore[arg-type]


def _pause(attempts: int, target: Target, outcome: Outcome) -> timedelta:
    """Twice as long each time, or as long as the target asks for."""
    doubled: timedelta = target.retry.first * float(2 ** min(attempts - 1, 20))
    asked = timedelta(seconds=outcome.retry_after or 0)
    return max(asked, min(doubled, target.retry.longest))
