"""Files of rules: what is refused, where it stands, what stays in force; templates; windows of objectives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.correlator.calendars import load_calendar
from throughline.correlator.alerts import template
from throughline.correlator.alerts.rule_files import InvalidRules, load_rules, parse_rules
from throughline.correlator.alerts.windows import begins
from throughline.correlator.business_time import micros
from throughline.correlator.durations import parse_duration

FILE = """groups:
  - name: own
    rules:
      - alert: Stuck
        expr: {expr}
        {more}
"""
FIRST_INSTANT = 949_363_200_000_000
"""1 February 2000, in microseconds since 1970: by then every calendar has begun."""
CALENDAR = load_calendar("""
calendar: office
time_zone: Europe/Berlin
hours: {mon-fri: ["09:00-12:00", "13:00-18:00"]}
""")
WRONG = [
    ("SELECT 1 AS value FROM nowhere", "", 5, "no table nowhere"),
    ("SELECT count() FROM journeys", "", 5, "must be called `value`"),
    ("SELECT status, status, 1 AS value FROM journeys", "", 5, "two columns are called 'status'"),
    ("SELECT *, 1 AS value FROM journeys", "", 5, "name the columns"),
    ("SELECT 1 AS `a-b`, 1 AS value", "", 5, "cannot be a label"),
    ("SELECT sleep(3) AS value", "", 5, "sleep is not allowed"),
    ("SELECT 1 AS value", "for: 5 minutes", 6, "no span of time"),
    ("SELECT 1 AS value", "labels: {severity: '{{ $labels.regoin }}'}", 6, "no label 'regoin'"),
    ("SELECT 1 AS value", "annotations: {summary: '{{ $value | humanise }}'}", 6, "did you mean 'humanize'"),
    ("SELECT 1 AS value", "no_data: page", 6, "must be 'ok', 'alerting' or 'keep'"),
    ("SELECT 1 AS value", "keep_firing: 5m", 6, "did you mean 'keep_firing_for'"),
]


@pytest.mark.parametrize(("expr", "more", "line", "sentence"), WRONG)
def test_mistakes_are_told_with_file_and_line(
    tmp_path: Path, expr: str, more: str, line: int, sentence: str
) -> None:
    """Each says where, and what to do."""
    path = tmp_path / "own.yaml"
    path.write_text(FILE.format(expr=expr, more=more))
    with pytest.raises(InvalidRules) as refused:
        parse_rules(path)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == (str(path), line)
    assert sentence in problem.sentence


def test_a_broken_file_stops_no_other(tmp_path: Path) -> None:
    """A file of one's own replaces the shipped one of its name; one that broke stays as it was; a group is in
    one file.
    """
    (tmp_path / "rules").mkdir()
    own = tmp_path / "rules" / "sla.yaml"
    own.write_text(FILE.format(expr="SELECT 1 AS value", more=""))
    loaded = load_rules(tmp_path)
    assert [rule.rule.alert for group in loaded.files["sla.yaml"].groups for rule in group.rules] == ["Stuck"]
    own.write_text("groups: [")
    (tmp_path / "rules" / "twice.yaml").write_text(
        FILE.format(expr="SELECT 1 AS value", more="").replace("own", "platform")
    )
    again = load_rules(tmp_path, last=loaded.files)
    assert again.files["sla.yaml"] == loaded.files["sla.yaml"]
    assert "platform.yaml" in again.files
    assert "the group 'platform' is in" in str(again.errors[-1])
    assert len(again.errors) == 2


def test_templates() -> None:
    """Values and labels are filled in as Prometheus does; nothing but they can be reached."""
    labels = {"region": "EMEA"}

    def shown(text: str, value: float | None = 1234.5) -> str:
        return template.read(text).render(labels, value)

    assert shown("{{ $value }} in {{ $labels.region }}{{ $labels.none }}") == "1234.5 in EMEA"
    assert shown("{{ $value | humanize }}, {{ humanize 0.0021 }}") == "1.234k, 2.1m"
    assert shown("{{ $value | humanize1024 }}B", 3 * 1024**3) == "3GiB"
    assert shown("{{ humanizeDuration 93784 }}, {{ 0.25 | humanizePercentage }}") == "1d 2h 3m 4s, 25%"
    assert shown('{{ printf "%.1f%%" $value }}, {{ $labels.region | toLower | title }}') == "1234.5%, Emea"
    assert shown("{{ $value }}", None) == "NaN"
    for wrong in ("{{ $labels.__class__.x }}", "{{ .Labels }}", "{{ range 3 }}", "{{ $value", "{{ }}"):
        with pytest.raises(template.BadTemplate):
            template.read(wrong)


@given(st.text(max_size=60))
def test_any_template_is_read_or_refused(text: str) -> None:
    """Nothing else happens, whatever is written."""
    try:
        read = template.read(f"{{{{ {text} }}}}")
    except template.BadTemplate:
        return
    assert len(read.render({"a": "b"}, 1.0)) <= template.LONGEST


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - the zone is put on below
    st.integers(1, 200),
)
def test_windows_of_business_time(until: datetime, hours: int) -> None:
    """A window of so many business hours holds that much working time, and not a microsecond more."""
    end = until.replace(tzinfo=UTC)
    start = begins(parse_duration(f"{hours}h"), end, CALENDAR)
    assert micros(start) > FIRST_INSTANT
    worked = sum(
        max(0, min(begin + length, micros(end)) - max(begin, micros(start)))
        for begin, length in zip(CALENDAR.axis.starts, CALENDAR.axis.lengths, strict=True)
        if micros(start) < begin + length and begin < micros(end)
    )
    assert worked == hours * 3_600_000_000
    assert begins(parse_duration(f"{hours}h"), end, None) == end - timedelta(hours=hours)


def test_windows_of_business_days() -> None:
    """Two business days back from a Monday morning is the Thursday before, at the same time; one back from a
    Sunday is all of Friday.
    """
    monday = datetime(2026, 3, 9, 10, 30, tzinfo=UTC)
    assert begins(parse_duration("2d"), monday, CALENDAR) == datetime(2026, 3, 5, 10, 30, tzinfo=UTC)
    sunday = datetime(2026, 3, 8, 10, 30, tzinfo=UTC)
    assert begins(parse_duration("1d"), sunday, CALENDAR) == datetime(2026, 3, 6, 8, 0, tzinfo=UTC)
