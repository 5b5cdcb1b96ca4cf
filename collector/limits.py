"""Memory for requests in flight, shared fairly by tenants.

A tenant may take more as long as what it holds is no more than what remains free. So one busy tenant gets
half of the memory, two a third each, and there is always room left for one who comes now.
"""

from __future__ import annotations

import threading
from typing import Self

from throughline.probes.errors import IntakeError

OVERHEAD = 16 * 1024  # what a request costs beside its body


class Busy(IntakeError):
    """The tenant uses more than its share of the intake right now; send again later."""

    permanent = False


class TooLarge(IntakeError):
    """The request is larger than intake takes; send smaller batches."""


class Budget:
    """Bytes that requests in flight may hold; safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        """Share `limit` bytes."""
        self.limit = limit
        self._lock = threading.Lock()
        self._used = 0
        self._by_tenant: dict[str, int] = {}

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used

    def take(self, tenant: str, size: int) -> None:
        """Hold `size` bytes more for a tenant.

        Raises: Busy.
        """
        with self._lock:
            held = self._by_tenant.get(tenant, 0)
            if held + size > self.limit - self._used:
                raise Busy
            self._used += size
            self._by_tenant[tenant] = held + size

    def give_back(self, tenant: str, size: int) -> None:
        """Release bytes that were taken."""
        with self._lock:
            self._used -= size
            left = self._by_tenant[tenant] - size
            if left:
                self._by_tenant[tenant] = left
            else:
                del self._by_tenant[tenant]


class Hold:
    """What one request holds of the budget; released at the end of a `with` block."""

    def __init__(self, budget: Budget, tenant: str) -> None:
        """Begin with nothing; `with` takes the overhead of a request."""
        self._budget = budget
        self._tenant = tenant
        self.size = 0

    def __enter__(self) -> Self:
        self.take(OVERHEAD)
        return self

    def __exit__(self, *_: object) -> None:
        if self.size:
            self._budget.give_back(self._tenant, self.size)
            self.size = 0

    def take(self, size: int) -> None:
        """Hold more. Raises: Busy."""
        self._budget.take(self._tenant, size)
        self.size += size

    def give_back(self, size: int) -> None:
        """Hold less."""
        if size:
            self._budget.give_back(self._tenant, size)
            self.size -= size
