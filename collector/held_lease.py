"""A lease as a loop has it: taken when it is free, kept by renewing, given back at the end."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from throughline.collector.control import ControlStore, Lease


class HeldLease:
    """One lease of one holder, which lasts `lasts` from each renewal. Several threads may use it.

    Every method that asks raises ControlError; what is held stays as it was.
    """

    def __init__(self, control: ControlStore, name: str, holder: str, lasts: timedelta) -> None:
        self._control, self._name, self._holder, self._lasts = control, name, holder, lasts
        self._lock = threading.Lock()
        self._lease: Lease | None = None

    @property
    def present(self) -> Lease | None:
        """What is held as far as anybody here knows, without asking; None: nothing."""
        return self._lease

    def take(self, now: datetime) -> Lease | None:
        """What is held, taking it first if nothing is; None while another holds it."""
        with self._lock:
            if self._lease is None:
                self._lease = self._control.acquire_lease(self._name, self._holder, self._lasts, now)
            return self._lease

    def renew(self, now: datetime) -> Lease | None:
        """Extend what is held; None if nothing is, or another has taken it."""
        with self._lock:
            if self._lease is not None:
                self._lease = self._control.renew_lease(self._lease, self._lasts, now)
            return self._lease

    def lose(self) -> None:
        """Another has it, as somebody was told meanwhile."""
        with self._lock:
            self._lease = None

    def release(self) -> None:
        """Let the next holder begin at once."""
        with self._lock:
            if self._lease is not None:
                self._control.release_lease(self._lease)
                self._lease = None
