"""Reading calendars: working time (`hours`) and billing periods (`periods`), one file each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from throughline.correlator.business_calendar import ALWAYS, BusinessCalendar, Freeze, Holidays
from throughline.correlator.period_calendar import PeriodCalendar, Periods, Told
from throughline.correlator.problems import InvalidFile, Problem, fields, files_of, following, read

SHIPPED = Path(__file__).parent / "calendars"

AnyCalendar = BusinessCalendar | PeriodCalendar


class InvalidCalendar(InvalidFile):
    """A calendar can't be used; correct the lines that the message names."""


@dataclass(frozen=True, slots=True)
class LoadedCalendars:
    """The calendars that can be used, by id, and what was wrong with the others."""

    calendars: Mapping[str, AnyCalendar] = field(default_factory=dict)
    errors: tuple[InvalidCalendar, ...] = ()


def load_calendars(config_dir: Path | None, *, shipped: Path = SHIPPED) -> LoadedCalendars:
    """Read the shipped calendars and `<config_dir>/calendars/*.yaml`; there a file of the same name replaces
    the shipped one.
    """
    found: dict[str, AnyCalendar] = {}
    errors: list[InvalidCalendar] = []
    for path in sorted(files_of("calendars", shipped, config_dir)):
        try:
            calendar = parse_calendar(path)
        except InvalidCalendar as error:
            errors.append(error)
            continue
        if calendar.id in found or calendar.id == ALWAYS:
            sentence = f"the calendar '{calendar.id}' is already defined"
            errors.append(InvalidCalendar([Problem(str(path), 1, sentence)]))
            continue
        found[calendar.id] = calendar
    return LoadedCalendars(found, tuple(errors))


def parse_calendar(source: Path | str) -> AnyCalendar:
    """Read one calendar from a file (`Path`) or from YAML text (`str`).

    Raises:
        InvalidCalendar: with every problem found.
    """
    tree, file = read(source, InvalidCalendar, "a calendar is a mapping that begins with `calendar: <id>`")
    if "periods" in tree:
        return following(PeriodCalendar, tree, file, _PARTS, invalid=InvalidCalendar)
    return following(BusinessCalendar, tree, file, _PARTS, invalid=InvalidCalendar)


_PARTS = {
    (): [*fields(BusinessCalendar), "periods"],
    ("holidays",): fields(Holidays),
    ("month_end_freeze",): fields(Freeze),
    ("periods",): fields(Periods),
    ("periods", "last_day"): fields(Told),
}
