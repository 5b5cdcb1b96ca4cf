"""What passes and rebuilds say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class TickReport:
    """What one pass did: events taken, journeys folded, whether more wait, until when all is correlated."""

    events: int
    journeys: int
    more: bool
    correlated_until: datetime


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild did: events read, and the generation that readers see now. `kept`: it is a former one
    that has caught up; else `why` there was none, where the definition is new.
    """

    events: int
    generation: int
    kept: bool = False
    why: str = ""
