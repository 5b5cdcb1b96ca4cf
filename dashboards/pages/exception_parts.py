"""What became of an exception, as parts of pages: its history, and what past ones of its cause teach."""

from __future__ import annotations

from datetime import timedelta

from throughline.correlator.replay.outcomes import Ended
from throughline.dashboards.exception_reader import HELD_DAYS, Fix, Memory
from throughline.dashboards.pages import parts
from throughline.dashboards.reader import Row

_DONE = {
    "opened": "Failed",
    "resolved": "Works again",
    "reopened": "Opened again",
    "gone": "Gone with its journey or its events",
    "owner_changed": "Given away",
    "commented": "Commented",
    "snoozed": "Snoozed",
    "unsnoozed": "Snooze ended",
    "closed": "Closed",
}


def history(rows: list[Row]) -> parts.Html:
    """Its transitions, oldest first."""
    return parts.table(
        ["When", "What", "Details", "By"],
        [
            [
                parts.text(parts.when(row["at"], seconds=True)),
                parts.strong(_DONE[row["kind"]]),
                _details(row),
                parts.text(row["by"]),
            ]
            for row in rows
        ],
        whole=[0],
    )


def _details(row: Row) -> parts.Html:
    said = {
        "owner_changed": " / ".join(one for one in (row["owner"], row["assignee"]) if one) or "nobody",
        "snoozed": f"until {parts.when(row['until'])}" if row["until"] else "",
        "closed": parts.words(row["resolution"]),
    }.get(row["kind"], "")
    return parts.text(said) + (parts.soft(row["note"]) if row["note"] else "")


def memory(known: Memory) -> parts.Html:
    """Such as: seen 12 times, 2 open. 9 were fixed at source by finance-operations, median 3 h: 8 held."""
    seen = "Seen once" if known.seen == 1 else f"Seen {known.seen:,} times"
    return " ".join(
        [
            parts.strong(seen) + parts.text(f", {known.open:,} open." if known.open else "."),
            *(parts.text(_fix(one)) for one in known.fixes),
        ]
    )


def replayed(ended: list[Ended]) -> parts.Html:
    """Such as: resubmit at middleware worked for 8 of 10 (80%)."""
    if not ended:
        return parts.text("Nobody has done it again yet.")
    return " ".join(parts.text(_ended(one)) for one in ended)


def _ended(one: Ended) -> str:
    where = f" at {one.target}" if one.target else ""
    also = f", {one.observed:,} worked without telling why" if one.observed else ""
    done = parts.words(one.kind).capitalize()
    return f"{done}{where} caused {one.caused:,} of {one.tried:,} to work ({one.rate:.0%}){also}."


def _fix(one: Fix) -> str:
    were = "was" if one.cases == 1 else "were"
    how = {
        "": "worked again, and nobody said why",
        "other": f"{were} closed",
        "not_an_error": f"{were} said to be no error",
        "duplicate": f"{were} said to be known already",
    }.get(one.resolution, f"{were} {parts.words(one.resolution)}")
    by = f" by {one.owner}" if one.owner else ""
    early = f", {one.too_early:,} not yet {HELD_DAYS} days old" if one.too_early else ""
    median = parts.length(timedelta(seconds=one.median_seconds))
    return f"{one.cases:,} {how}{by}, median {median}: {one.held:,} held{early}."
