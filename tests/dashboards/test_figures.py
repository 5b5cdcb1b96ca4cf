"""Figures: pure functions from frames to plotly figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from tests.dashboards.seed_firm import NOW
from throughline.dashboards import figures, journey_figures, theme

HOUR = timedelta(hours=1)


def milestone(
    state: str, met: datetime | None = None, due: datetime | None = None, count: int = 1
) -> dict[str, Any]:
    """Return a milestone of a journey."""
    return {"state": state, "met_at": met, "last_at": met, "due_at": due, "count": count}


def named(figure: Any, name: str) -> Any:
    """Return the trace of this name."""
    return next(trace for trace in figure.data if trace.name == name)


def spans(*rows: tuple[str, str, str, float, str]) -> pd.DataFrame:
    """Rows of span, parent, service, offset in ms, status."""
    return pd.DataFrame(
        [
            {
                "start": NOW + timedelta(milliseconds=offset),
                "milliseconds": 10.0,
                "span": span,
                "parent": parent,
                "name": f"name of {span}",
                "service": service,
                "status": status,
                "message": "",
            }
            for span, parent, service, offset, status in rows
        ]
    )


def test_statuses_are_stacked_per_process_in_one_order_and_their_own_colours() -> None:
    """One bar per process, a part per status; a status keeps its colour everywhere."""
    counts = pd.DataFrame(
        {"process": ["a", "a", "b"], "status": ["late", "completed", "late"], "journeys": [3, 5, 1]}
    )
    figure = figures.status_bars(counts, {"a": "Process A"})
    assert [trace.name for trace in figure.data] == list(theme.STATUS_LABELS.values())
    late = named(figure, "Late")
    assert dict(zip(late.y, late.x, strict=True)) == {"Process A": 3, "b": 1}
    assert late.marker.color == theme.STATUS_COLOURS["late"]


def test_activation_is_drawn_in_the_unit_that_reads_best() -> None:
    """Hours from one hour on, days from three days on, minutes below; the row over all weeks is no point."""
    for worst, unit, drawn in ((5.0, "hours", 5.0), (96.0, "days", 4.0), (0.5, "minutes", 30.0)):
        weeks = pd.DataFrame(
            {"week": [NOW.date(), None], "median": [0.1, 0.1], "p90": [worst, worst], "journeys": [2, 2]}
        )
        figure = figures.activation_trend(weeks)
        assert list(named(figure, "90th percentile").y) == [drawn]
        assert figure.layout.yaxis.title.text == unit


def test_resolved_exceptions_point_down_and_are_named_by_their_count() -> None:
    """Opened up, resolved down; hovering shows a positive number."""
    figure = figures.exceptions(pd.DataFrame({"day": [NOW.date()], "opened": [4], "resolved": [3]}))
    assert list(named(figure, "Opened").y) == [4]
    assert list(named(figure, "Resolved").y) == [-3]
    assert list(named(figure, "Resolved").customdata) == [3]


def test_flow_shows_opened_beside_completed() -> None:
    """Two bars per week."""
    figure = figures.flow(pd.DataFrame({"week": [NOW.date()], "opened": [7], "completed": [2]}))
    assert [list(trace.y) for trace in figure.data] == [[7], [2]]


def test_the_timeline_shows_when_each_milestone_was_met_and_how_late_it_is() -> None:
    """A met milestone is a dot; a late one a stretch from its due time to now, with its length in words."""
    milestones = {
        "closed_won": milestone("met", NOW - 40 * HOUR),
        "project_created": milestone("late", due=NOW - 30 * HOUR),
        "paid": milestone("pending"),
    }
    figure = journey_figures.timeline(milestones, opened_at=NOW - 40 * HOUR, now=NOW)
    assert tuple(figure.layout.yaxis.categoryarray) == ("Paid", "Project created", "Closed won")
    stretch = next(trace for trace in figure.data if trace.mode == "lines")
    assert (stretch.x[0], stretch.x[1]) == (NOW - 30 * HOUR, NOW)
    assert {note.text for note in figure.layout.annotations} == {"<b>30.0 hours late</b>", "now"}
    assert {"Met", "Late", "Pending", "Due time"} <= {trace.name for trace in figure.data if trace.name}


def test_the_timeline_of_a_finished_journey_ends_with_it() -> None:
    """No line for now, no stretch for what was in time."""
    milestones = {
        "a": milestone("met", NOW - 90 * HOUR),
        "b": milestone("met_late", NOW - 80 * HOUR, NOW - 85 * HOUR),
    }
    figure = journey_figures.timeline(milestones, opened_at=NOW - 90 * HOUR, now=NOW)
    assert figure.layout.xaxis.range[1] < NOW
    assert [note.text for note in figure.layout.annotations] == ["<b>5.0 hours late</b>"]


def test_the_waterfall_indents_children_colours_services_and_marks_failures() -> None:
    """Names stand by depth, the chosen span is pointed out, failed ones have a border."""
    frame = spans(("a", "", "edge", 0, "Ok"), ("b", "a", "erp", 2, "Error"), ("c", "b", "erp", 3, "Ok"))
    figure = journey_figures.waterfall(frame, chosen="c")
    assert [trace.name for trace in figure.data] == ["edge", "erp", "Critical path"]
    erp = named(figure, "erp")
    assert list(erp.base) == [2.0, 3.0]
    assert list(erp.marker.line.width) == [2.5, 0]
    names = figure.layout.annotations
    assert names[0].xshift < names[1].xshift < names[2].xshift
    assert names[2].text == "<b>name of c</b>"


def test_the_waterfall_survives_missing_parents_and_circles() -> None:
    """A span whose parent never came, or that descends from itself, starts at the left."""
    frame = spans(("a", "b", "x", 0, "Ok"), ("b", "a", "x", 1, "Ok"), ("c", "gone", "x", 2, "Ok"))
    assert len(journey_figures.waterfall(frame).layout.annotations) == 3


def test_names_from_telemetry_are_escaped() -> None:
    """A span or milestone name is text, never markup."""
    frame = spans(("a", "", "<b>svc</b>", 0, "Ok")).assign(name="<img src=x>")
    assert "<img" not in journey_figures.waterfall(frame).layout.annotations[0].text


def test_empty_frames_give_empty_figures() -> None:
    """No data is no error."""
    figures.activation_trend(pd.DataFrame({"week": [None], "median": [None], "p90": [None], "journeys": [0]}))
    figures.flow(pd.DataFrame({"week": [], "opened": [], "completed": []}))
    figures.exceptions(pd.DataFrame({"day": [], "opened": [], "resolved": []}))
