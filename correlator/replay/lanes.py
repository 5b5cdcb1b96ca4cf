"""What stands between replays and one target: its connections, its rate and its circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from throughline.correlator.replay.breaker import Breaker

if TYPE_CHECKING:
    from throughline.correlator.replay.calls import Caller


@dataclass
class Lane:
    """One target's connections, allowance and circuit breaker."""

    caller: Caller
    breaker: Breaker = field(default_factory=Breaker)
    allowance: float = 0.0
    filled_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Whether the target's rate allows a call now; a second's calls may be made at once."""
        rate = float(self.caller.target.per_second)
        most = max(1.0, rate)
        earned = (now - self.filled_at).total_seconds() * rate if self.filled_at else most
        self.allowance = min(most, self.allowance + earned)
        self.filled_at = now
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True
