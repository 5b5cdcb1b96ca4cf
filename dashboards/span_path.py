"""What of a trace decided how long it took, and which spans repeat one that failed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

Stretch = tuple[int, pd.Timestamp, pd.Timestamp]
"""The row of a span, and from when to when the trace was waiting for the span itself."""


def critical_path(spans: pd.DataFrame) -> list[Stretch]:
    """The stretches in order of time; no two overlap.

    1. Begin with the root that ends last, at its end.
    2. Of its children that ended by then, the one that ended last is what it was waiting for: what lies after
       that is the span's own work.
    3. Go on inside that child, then before its start, with the children that ended by then.

    Args:
        spans: start, milliseconds, span, parent; in order of start.
    """
    begins = list(spans["start"])
    ends = [
        start + pd.Timedelta(milliseconds=ms) for start, ms in zip(begins, spans["milliseconds"], strict=True)
    ]
    rows = {span: row for row, span in enumerate(spans["span"])}
    children: dict[int, list[int]] = defaultdict(list)
    roots = []
    for row, (span, parent) in enumerate(zip(spans["span"], spans["parent"], strict=True)):
        if parent in rows and parent != span:
            children[rows[parent]].append(row)
        else:
            roots.append(row)
    if not roots:
        return []
    found: list[Stretch] = []
    seen: set[int] = set()
    # What is still to do: a span and the moment up to which it is looked at. No recursion: traces are deep.
    stack = [(max(roots, key=lambda row: ends[row]), None)]
    while stack:
        row, until = stack.pop()
        if row in seen:
            continue
        seen.add(row)
        here = ends[row] if until is None else min(ends[row], until)
        waited = []
        for child in sorted(children[row], key=lambda one: ends[one], reverse=True):
            if ends[child] <= here and begins[child] >= begins[row]:
                if ends[child] < here:
                    found.append((row, ends[child], here))
                waited.append((child, None))
                here = begins[child]
        if begins[row] < here:
            found.append((row, begins[row], here))
        stack += waited
    return sorted(found, key=lambda one: (one[1], one[0]))


def attempts(spans: pd.DataFrame) -> Sequence[int]:
    """Which try each span is, counted from 1: of one name under one parent, after one that failed; else 0."""
    tries: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, place in enumerate(zip(spans["parent"], spans["name"], strict=True)):
        tries[place].append(row)
    found = [0] * len(spans)
    failed = list(spans["status"] == "Error")
    for rows in tries.values():
        if len(rows) > 1 and any(failed[row] for row in rows[:-1]):
            for number, row in enumerate(rows, start=1):
                found[row] = number
    return found
