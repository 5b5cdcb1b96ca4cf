"""Exchange rates in plain Python: the definition, day by day and without any index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Context, Decimal

_EXACT = Context(prec=120, rounding=ROUND_DOWN)
_DIGITS = Decimal("1e-18")


@dataclass(frozen=True)
class Rate:
    """One row of the table; both days are included."""

    of: str
    to: str
    rate: Decimal
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Worth:
    """What one unit is worth, by which rates."""

    kind: str
    factor: Decimal
    pivot: str
    first: date
    last: date
    sources: tuple[str, ...]


@dataclass(frozen=True)
class _Leg:
    number: Decimal
    divisor: Decimal
    rank: int
    rate: Rate


def worth(rates: Sequence[Rate], of: str, to: str, day: date) -> Worth | None:
    """What one unit of a currency is in another on a day; None: no rate is valid."""
    leg = _leg(rates, of, to, day)
    if leg is not None:
        kind = "direct" if leg.rank < 2 else "inverse"
        when = leg.rate.valid_from
        return Worth(kind, _factor(leg.number, leg.divisor), "", when, when, (leg.rate.source,))
    found = []
    for pivot in sorted({one for rate in rates for one in (rate.of, rate.to)} - {of, to}):
        first, second = _leg(rates, of, pivot, day), _leg(rates, pivot, to, day)
        if first and second:
            days = sorted([first.rate.valid_from, second.rate.valid_from])
            others = (first.rank % 2) + (second.rank % 2)
            found.append((others, -days[0].toordinal(), pivot, days[1], first, second))
    if not found:
        return None
    _, older, pivot, newer, first, second = min(found, key=lambda one: one[:3])
    factor = _factor(
        _EXACT.multiply(first.number, second.number), _EXACT.multiply(first.divisor, second.divisor)
    )
    sources = tuple(sorted({first.rate.source, second.rate.source}))
    return Worth("pivot", factor, pivot, date.fromordinal(-older), newer, sources)


def _leg(rates: Sequence[Rate], of: str, to: str, day: date) -> _Leg | None:
    """Direct by the ERP, direct, inverse by the ERP, inverse: the first whose latest rate is still valid."""
    for rank in range(4):
        pair = (of, to) if rank < 2 else (to, of)
        known = [
            one
            for one in rates
            if (one.of, one.to) == pair and (one.source != "erp") == rank % 2 and one.valid_from <= day
        ]
        if not known:
            continue
        latest = min(known, key=lambda one: (-one.valid_from.toordinal(), one.source))
        if latest.valid_to >= day:
            one = Decimal(1)
            return _Leg(*((latest.rate, one) if rank < 2 else (one, latest.rate)), rank, latest)
    return None


def _factor(number: Decimal, divisor: Decimal) -> Decimal:
    return _EXACT.divide(number, divisor).quantize(_DIGITS, rounding=ROUND_DOWN, context=_EXACT)
