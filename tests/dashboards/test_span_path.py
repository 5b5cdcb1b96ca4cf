"""The critical path of a trace, and its retries."""

from __future__ import annotations

import pandas as pd

from throughline.dashboards.span_path import attempts, critical_path

START = pd.Timestamp("2026-03-02T09:00:00Z")


def spans(*rows: tuple[str, str, str, int, int, str]) -> pd.DataFrame:
    """A trace of (span, parent, name, from, to in milliseconds, status)."""
    return pd.DataFrame(
        [
            {
                "span": span,
                "parent": parent,
                "name": name,
                "start": START + pd.Timedelta(milliseconds=begin),
                "milliseconds": end - begin,
                "status": status,
            }
            for span, parent, name, begin, end, status in rows
        ]
    )


def path(trace: pd.DataFrame) -> list[tuple[str, int, int]]:
    """The stretches by span, in milliseconds."""
    return [
        (
            trace["span"][row],
            int((begin - START).total_seconds() * 1000),
            int((end - START).total_seconds() * 1000),
        )
        for row, begin, end in critical_path(trace)
    ]


def test_the_path_covers_the_root_without_overlap() -> None:
    """Of two children at once the one that ends last counts; waiting for nobody is the span's own work."""
    trace = spans(
        ("root", "", "serve", 0, 100, "Ok"),
        ("quick", "root", "read", 10, 30, "Ok"),
        ("slow", "root", "write", 10, 60, "Ok"),
        ("inner", "slow", "commit", 20, 50, "Ok"),
        ("last", "root", "notify", 70, 90, "Ok"),
    )
    assert path(trace) == [
        ("root", 0, 10), ("slow", 10, 20), ("inner", 20, 50), ("slow", 50, 60), ("root", 60, 70),
        ("last", 70, 90), ("root", 90, 100),
    ]  # fmt: skip


def test_odd_traces_have_a_path_too() -> None:
    """A span that outlives its parent is left out; circles have no root; a lost parent makes one."""
    late = spans(("root", "", "serve", 0, 50, "Ok"), ("after", "root", "log", 10, 90, "Ok"))
    assert path(late) == [("root", 0, 50)]
    assert path(spans(("a", "b", "x", 0, 5, "Ok"), ("b", "a", "y", 0, 5, "Ok"))) == []
    assert path(spans(("only", "lost", "x", 3, 5, "Ok"))) == [("only", 3, 5)]


def test_what_follows_a_failure_under_the_same_name_is_another_try() -> None:
    """Repeats without a failure are no retries."""
    trace = spans(
        ("root", "", "serve", 0, 100, "Ok"),
        ("one", "root", "call", 10, 20, "Error"),
        ("two", "root", "call", 30, 40, "Ok"),
        ("three", "root", "read", 40, 50, "Ok"),
        ("four", "root", "read", 50, 60, "Ok"),
    )
    assert attempts(trace) == [0, 1, 2, 0, 0]
