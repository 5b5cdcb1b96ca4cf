"""How long may something take: the times a definition may spell."""

import re
from dataclasses import dataclass

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BUSINESS = {"hour": 3_600, "day": 86_400}
_PLAIN_SHAPE = re.compile(r"([0-9]{1,9}) ?([smhd])")
_BUSINESS_SHAPE = re.compile(r"([0-9]{1,9}) business (hour|day)s?")
_LONGEST_SECONDS = 36_500 * 86_400


@dataclass(frozen=True, slots=True)
class Duration:
    """A time span as written.

    `seconds` counts plain time around the clock. For business time (`business` is true) it is what the span
    amounts to while every hour is a working hour, and `count` and `unit` keep what was written.
    """

    text: str
    count: int
    unit: str
    business: bool
    seconds: int


def parse_duration(text: str) -> Duration:
    """Read `90m`, `4h`, `2d`, `4 business hours` or `2 business days`.

    Raises:
        ValueError: the text has another shape, is zero, or exceeds 100 years.
    """
    wanted = text.strip()
    if plain := _PLAIN_SHAPE.fullmatch(wanted):
        count, unit, business = int(plain[1]), plain[2], False
        seconds = count * _SECONDS[unit]
    elif worded := _BUSINESS_SHAPE.fullmatch(wanted):
        count, unit, business = int(worded[1]), worded[2], True
        seconds = count * _BUSINESS[unit]
    else:
        message = (
            f"'{text}' is no time span; write it like 90m, 4h, 2d, '4 business hours' or '2 business days'"
        )
        raise ValueError(message)
    if not 0 < seconds <= _LONGEST_SECONDS:
        message = f"'{text}' must be longer than nothing and at most 36500 days"
        raise ValueError(message)
    return Duration(text=wanted, count=count, unit=unit, business=business, seconds=seconds)
