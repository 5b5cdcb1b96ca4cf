"""A circuit breaker: a target that does not answer is left alone for a while, longer each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OPENS_AFTER = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass
class Breaker:
    """Closed: calls are made. After OPENS_AFTER failures in a row it is open; then one call may try."""

    failures: int = 0
    open_until: datetime | None = None
    pause: timedelta = FIRST_PAUSE

    def broken(self, now: datetime) -> str:
        """Why no call is made now, or ''."""
        if self.open_until is None or now >= self.open_until:
            return ""
        tries = f"the next try is at {self.open_until:%H:%M:%S} UTC."
        return f"The last {self.failures} calls got no proper answer; {tries}"

    def heard(self, now: datetime, *, worked: bool) -> None:
        """Note whether a call got an answer that the target meant."""
        if worked:
            self.failures, self.open_until, self.pause = 0, None, FIRST_PAUSE
            return
        self.failures += 1
        if self.failures >= OPENS_AFTER:
            self.open_until = now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
