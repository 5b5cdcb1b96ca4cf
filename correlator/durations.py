"""When something is due: the times that a definition may spell."""

import re
from dataclasses import dataclass

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BUSINESS = {"hour": 3_600, "day": 86_400}
_PLAIN_SHAPE = re.compile(r"([0-9]{1,9}) ?([smhd])")
_BUSINESS_SHAPE = re.compile(r"([0-9]{1,9}) business (hour|day)s?")
_CLOCK = r"(?:(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}) )?"
_DAY_SHAPE = re.compile(
    rf"by {_CLOCK}(?:(?:on )?(?:the )?(?P<next>next) business day|in (?P<count>[0-9]{{1,3}}) business days?)"
)
_MONTH_SHAPE = re.compile(
    rf"by {_CLOCK}(?:on )?(?:the )?(?:(?P<last>last)|(?P<nth>[0-9]{{1,2}})(?:st|nd|rd|th)) business day"
    r" of (?P<month>this|next) month"
)
_HOUR_MINUTES = 60
_LONGEST_SECONDS = 36_500 * 86_400
EXAMPLES = (
    "90m, 4h, 2d, '4 business hours', '2 business days', 'by 17:00 next business day', "
    "'by 12:00 in 3 business days' or 'by the 3rd business day of next month'"
)


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


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point of a business day that follows from the local day, or month, in which the clock starts.

    Without `month` the `nth` business day after that day; with it the `nth` (-1: the last) of that month (0)
    or the next (1). `minutes` is the local time in minutes since midnight; None is the close of business.
    """

    text: str
    nth: int
    month: int | None
    minutes: int | None

    business = True


def parse_time(text: str) -> Duration | Deadline:
    """Read a time span (`parse_duration`) or `by 17:00 next business day`, `by 12:00 in 3 business days`,
    `by the 3rd business day of next month`, `by the last business day of this month`.

    Raises:
        ValueError: the text has another shape, or is no time.
    """
    wanted = text.strip()
    if not wanted.startswith("by "):
        return parse_duration(text)
    found = _DAY_SHAPE.fullmatch(wanted) or _MONTH_SHAPE.fullmatch(wanted)
    if not found:
        message = f"'{text}' is no time; write it like {EXAMPLES}"
        raise ValueError(message)
    given = found.groupdict()
    minutes = None if given["hour"] is None else int(given["hour"]) * _HOUR_MINUTES + int(given["minute"])
    if minutes is not None and (minutes > 24 * _HOUR_MINUTES or int(given["minute"]) >= _HOUR_MINUTES):
        message = f"'{text}' names no time of day"
        raise ValueError(message)
    if "month" not in given:
        nth, month = int(given["count"] or 1), None
    else:
        nth, month = -1 if given["last"] else int(given["nth"]), int(given["month"] == "next")
    if not nth:
        message = f"'{text}' must count from 1"
        raise ValueError(message)
    return Deadline(wanted, nth, month, minutes)


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
        message = f"'{text}' is no time span; write it like {EXAMPLES}"
        raise ValueError(message)
    if not 0 < seconds <= _LONGEST_SECONDS:
        message = f"'{text}' must be longer than nothing and at most 36500 days"
        raise ValueError(message)
    return Duration(text=wanted, count=count, unit=unit, business=business, seconds=seconds)
