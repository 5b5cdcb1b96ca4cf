"""How replays of some causes ended: what exception memory knows of doing it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.collector.store import Role, Store
from throughline.correlator.replay.facts import QUERIES

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Ended:
    """Items of one kind and target that have ended. Observed ones may have worked without the replay."""

    kind: str
    target: str
    caused: int
    observed: int
    unverified: int
    failed: int

    @property
    def tried(self) -> int:
        """How many have ended."""
        return self.caused + self.observed + self.unverified + self.failed

    @property
    def rate(self) -> float:
        """The share that the replay caused to work."""
        return self.caused / self.tried


def outcomes(store: Store, tenant: str, fingerprints: Sequence[str]) -> dict[str, list[Ended]]:
    """By cause, the kind and target that worked most often first. Raises: StoreError."""
    found: dict[str, list[Ended]] = {one: [] for one in fingerprints}
    if not found:
        return found
    given = {"tenant": tenant, "fingerprints": [int(one, 16) for one in found]}
    for fingerprint, *rest in store.query(QUERIES["outcomes"], given, role=Role.PAGES).result_rows:
        found[fingerprint].append(Ended(*rest))
    return {name: sorted(ended, key=lambda one: -one.caused) for name, ended in found.items()}
