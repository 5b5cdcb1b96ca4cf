"""Deciding about a replay: approve, cancel, pause, resume, and say what became of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.collector.auth import Principal, Scope
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.planning import Refused, digest_of
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.collector.control import ControlStore
    from throughline.correlator.replay.records import Item, ItemState, Replay
    from throughline.correlator.replay.targets import Targets


class UnknownReplay(ThroughlineError):
    """There is no such replay."""


class NotAsSeen(ThroughlineError):
    """The replay is not what it was when somebody decided about it; look at it and decide again."""


class Decider:
    """Decides for one person at one clock reading."""

    def __init__(self, control: ControlStore, targets: Targets, who: Principal, now: datetime) -> None:
        self._ledger = Ledger(control)
        self._targets = targets
        self._who = who
        self._now = now

    def approve(self, identity: str) -> Replay:
        """Approve what was planned. Raises: UnknownReplay, Refused, NotAsSeen."""
        replay = self._replay(identity)
        if replay.state != "awaiting_approval":
            raise NotAsSeen(f"It is {replay.state.replace('_', ' ')}; there is nothing to approve.")
        self._may_approve(replay)
        items = self._ledger.items(replay)
        if replay.expires_at is not None and self._now > replay.expires_at:
            self._end(replay, f"The time for approval ended at {replay.expires_at:%Y-%m-%d %H:%M} UTC.")
            raise Refused("The time for approval is over; ask for the replay again.")
        if digest_of(replay, self._targets.by_id(replay.target), items) != replay.digest:
            self._end(replay, "What would be sent has changed since it was asked for.")
            raise Refused("What would be sent has changed since it was asked for; ask for the replay again.")
        approved = self._ledger.lead(
            replay, "running", self._now, actor=self._who.name, reason="It is approved.",
            approved_by=self._who.name, approved_at=self._now,
        )  # fmt: skip
        if approved is None:
            raise NotAsSeen("Somebody else has decided about it at the same moment.")
        self._ledger.move_all(
            approved, "awaiting_approval", "planned", self._now, actor=self._who.name, reason="Approved."
        )
        return approved

    def cancel(self, identity: str, note: str) -> Replay:
        """End it: what was not sent is not. Raises: UnknownReplay, NotAsSeen."""
        replay = self._replay(identity)
        if replay.state in {"done", "cancelled", "refused"}:
            raise NotAsSeen(f"It is {replay.state} already.")
        return self._end(replay, note or "It is cancelled.")

    def pause(self, identity: str, note: str) -> Replay:
        """Send nothing more until it is resumed. Raises: UnknownReplay, NotAsSeen."""
        return self._switch(identity, "running", "paused", note or "It is paused.")

    def resume(self, identity: str, note: str) -> Replay:
        """Go on with a paused one; one that has stopped itself goes on with the next batch.

        Raises: UnknownReplay, NotAsSeen.
        """
        replay = self._replay(identity)
        total = sum(self._ledger.counts(replay).values())
        ended = not any(
            self._ledger.counts(replay, last=replay.batch_until).get(state)
            for state in ("planned", "sent", "accepted")
        )
        more = {"batch_until": min(total, replay.batch_until * 2)} if ended and replay.batch_until else {}
        return self._switch(identity, "paused", "running", note or "It goes on.", **more)

    def settle(self, identity: str, number: int, *, arrived: bool, note: str) -> Item:
        """Say whether a call arrived that nobody knows of. Raises: UnknownReplay, NotAsSeen, Refused."""
        replay = self._replay(identity)
        item = next((one for one in self._ledger.items(replay, first=number, last=number)), None)
        if item is None:
            raise UnknownReplay(f"The replay {identity} has no item {number}.")
        if not item.uncertain:
            raise NotAsSeen(f"It is {item.state}; its outcome is known.")
        target = self._targets.by_id(replay.target)
        if target is None:
            raise Refused(f"The target {replay.target} is gone from targets.yaml.")
        state: ItemState = "accepted" if arrived else "planned"
        until = self._now + target.verify_within if arrived else None
        reason = note or ("It arrived." if arrived else "It did not arrive.")
        moved = self._ledger.move(
            item,
            state,
            self._now,
            actor=self._who.name,
            reason=reason,
            uncertain=False,
            next_at=None,
            verify_until=until,
        )
        if moved is None:
            raise NotAsSeen("It has changed meanwhile; look again.")
        return moved

    def _may_approve(self, replay: Replay) -> None:
        if self._who.name == replay.requested_by:
            self._note(replay, "The requester can't approve it.")
            raise Refused("Whoever asked for it can't approve it: it needs somebody else.")
        enough = {Scope.APPROVE} if replay.need == "approver" else {Scope.APPROVE, Scope.OPERATE}
        if not enough & self._who.scopes:
            self._note(replay, f"{self._who.name} may not approve it.")
            raise Refused(f"It needs somebody with the scope {' or '.join(sorted(enough))}.")

    def _note(self, replay: Replay, reason: str) -> None:
        """Keep an attempt that changes nothing."""
        self._ledger.lead(replay, replay.state, self._now, actor=self._who.name, reason=reason)

    def _end(self, replay: Replay, reason: str) -> Replay:
        ended = self._ledger.lead(replay, "cancelled", self._now, actor=self._who.name, reason=reason)
        if ended is None:
            raise NotAsSeen("Somebody else has changed it at the same moment; look again.")
        waiting: tuple[ItemState, ...] = ("awaiting_approval", "planned")
        for state in waiting:
            self._ledger.move_all(ended, state, "cancelled", self._now, actor=self._who.name, reason=reason)
        return ended

    def _switch(self, identity: str, before: str, state: str, reason: str, **values: int) -> Replay:
        replay = self._replay(identity)
        if replay.state != before:
            raise NotAsSeen(f"It is {replay.state.replace('_', ' ')}, not {before}.")
        led = self._ledger.lead(replay, state, self._now, actor=self._who.name, reason=reason, **values)  # type: ignore[arg-type]
        if led is None:
            raise NotAsSeen("Somebody else has changed it at the same moment; look again.")
        return led

    def _replay(self, identity: str) -> Replay:
        replay = self._ledger.replay(self._who.tenant, identity)
        if replay is None:
            raise UnknownReplay(f"There is no replay {identity}.")
        return replay
