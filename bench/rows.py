"""One line of the benchmark table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, and whether it keeps its budget (design §8)."""

    name: str
    value: float
    unit: str
    budget: str | None
    """As a person reads it, such as `<= 1.15`; None: reported only."""
    ok: bool | None
    """None: there is no budget."""
