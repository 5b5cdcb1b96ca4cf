"""What a replay and its items are, and which state may follow which."""

from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from throughline.correlator.replay.preflight import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

ReplayState = Literal["awaiting_approval", "running", "paused", "done", "cancelled", "refused"]
ItemState = Literal[
    "planned",
    "awaiting_approval",
    "sent",
    "accepted",
    "verified",
    "unverified",
    "failed",
    "refused",
    "cancelled",
]
WORKER = "worker"
"""The actor of what the worker does."""
ENDED: frozenset[str] = frozenset({"verified", "unverified", "failed", "refused", "cancelled"})
FOLLOWING: dict[str, frozenset[str]] = {
    "awaiting_approval": frozenset({"planned", "cancelled"}),
    "planned": frozenset({"sent", "accepted", "verified", "refused", "failed", "cancelled"}),
    "sent": frozenset({"sent", "planned", "accepted", "verified", "unverified", "failed"}),
    "accepted": frozenset({"verified", "unverified"}),
    "unverified": frozenset({"verified"}),
    "failed": frozenset({"verified"}),
    "verified": frozenset({"verified"}),
}
"""Which state may follow which. From sent back to planned: the call is to be made again; from planned to
verified: an earlier call had its effect after all; verified again: there was a second effect.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One exception of a replay. `number` counts its transitions; `uncertain`: a call was made and nobody
    knows what became of it, so that a person must look.
    """

    tenant: str
    replay: str
    item: int
    exception: str
    process: str
    fingerprint: str
    subject: str
    event: str
    payload: str
    payload_digest: str
    idempotency_key: str
    preflight: str
    state: ItemState
    active: bool = True
    number: int = 1
    outcome: str = ""
    uncertain: bool = False
    duplicated: bool = False
    attempts: int = 0
    next_at: datetime | None = None
    claimed_until: datetime | None = None
    sent_at: datetime | None = None
    trace_id: str = ""
    status: int = 0
    answer: str = ""
    verify_until: datetime | None = None
    verified_by: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """`<replay>.<item>`, which its events carry as `business.replay.id`."""
        return f"{self.replay}.{self.item}"

    @property
    def checks(self) -> list[Check]:
        """What pre-flight said last."""
        return [Check(*one) for one in json.loads(self.preflight)]


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """Something to do again, for one exception or many. `batch_until` is the last item that may be sent."""

    tenant: str
    id: str
    kind: str
    target: str
    reason: str
    expected: str
    requested_by: str
    requested_at: datetime
    state: ReplayState
    number: int = 1
    override: bool = False
    need: str = "none"
    digest: str = ""
    expires_at: datetime | None = None
    approved_by: str = ""
    approved_at: datetime | None = None
    batch_until: int = 0
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """One change of a replay (item 0) or of one of its items."""

    replay: str
    item: int
    number: int
    before: str
    state: str
    outcome: str
    at: datetime
    actor: str
    reason: str
    attempt: int


def new_id() -> str:
    """The id of a new replay."""
    return f"rp{uuid.uuid4().hex[:16]}"


def encoded(checks: Iterable[Check]) -> str:
    """Checks as an item keeps them."""
    return json.dumps([[one.check, one.result, one.reason] for one in checks])
