"""Calendars of one kind from YAML text."""

from throughline.correlator.business_calendar import BusinessCalendar
from throughline.correlator.calendar_files import parse_calendar
from throughline.correlator.period_calendar import PeriodCalendar


def load_calendar(text: str) -> BusinessCalendar:
    """Working time. Raises: InvalidCalendar."""
    calendar = parse_calendar(text)
    assert isinstance(calendar, BusinessCalendar)
    return calendar


def load_periods(text: str) -> PeriodCalendar:
    """Billing periods. Raises: InvalidCalendar."""
    calendar = parse_calendar(text)
    assert isinstance(calendar, PeriodCalendar)
    return calendar
