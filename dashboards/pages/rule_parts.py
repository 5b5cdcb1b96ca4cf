"""Rules as parts of pages: how one fares, what one would say now, what one would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from throughline.dashboards import theme
from throughline.dashboards.pages import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.collector.alert_store import RuleRecord

_SHOWN = 20


def state(record: RuleRecord | None) -> parts.Html:
    """How a rule fared at its last evaluation."""
    if record is None:
        return parts.pill("Not evaluated", theme.MUTED)
    if record.quarantined_at is not None:
        return parts.pill("Quarantined", theme.STATUS_COLOURS["stuck"]) + parts.soft(record.quarantine)
    if record.failures:
        return parts.pill("Failing", theme.STATUS_COLOURS["late"]) + parts.soft(record.error)
    held = parts.soft(f"waits: {record.held}") if record.held else ""
    return parts.pill("Evaluated", theme.STATUS_COLOURS["completed"]) + held


def trial(record: dict[str, Any]) -> parts.Html:
    """Whether a rule tells people."""
    if not record["on_trial"]:
        return parts.text("yes")
    return parts.text("on trial") + parts.soft(f"until {parts.when(record['silent_until'])}")


def preview(found: Sequence[dict[str, Any]]) -> None:
    """What rules would say now."""
    for one in found:
        if one["error"]:
            st.error(f"{one['alert']}: {one['error']}")
            continue
        st.html(
            parts.heading(f"{len(one['alerts']):,} alerts now", f"asked in {parts.length(one['seconds'])}")
        )
        rows = [
            [
                parts.text(each["annotations"].get("summary", one["alert"])),
                parts.text(f"{each['value']:g}"),
                parts.text(", ".join(f"{name} {text}" for name, text in sorted(each["labels"].items()))),
            ]
            for each in one["alerts"][:_SHOWN]
        ]
        if rows:
            st.html(parts.table(["Says", "Value", "Labels"], rows, numeric=[1]))


def backtest(found: Sequence[dict[str, Any]]) -> None:
    """What rules would have done."""
    for one in found:
        if one["error"]:
            st.error(f"{one['alert']}: {one['error']}")
        st.html(parts.heading(f"{one['alert']} would have", _looked(one)))
        quality = one["quality"] or {}
        suggestion = one["suggestion"]
        st.html(
            parts.facts(
                {
                    "Fired": parts.text(f"{one['fired']:,} times, {one['per_week']:g} a week"),
                    "Flagged": parts.text(f"{quality.get('flagged', 0):,} journeys"),
                    "Turned out badly": _share(quality, "precision", "of the flagged"),
                    "Found": _share(quality, "recall", "of those that turned out badly"),
                    "Lead time": _lead(quality.get("lead_seconds")),
                    "Suggested": ""
                    if suggestion is None
                    else parts.text(
                        f"value {suggestion['sign']} {suggestion['suggested']:g}: "
                        f"{suggestion['fires_per_week']:g} a week"
                    ),
                }
            )
        )
        fired = [turn for turn in one["transitions"] if turn["new"] in {"firing", "resolved"}]
        rows = [
            [
                parts.text(parts.when(turn["at"])),
                parts.pill(
                    turn["new"].capitalize(),
                    theme.STATUS_COLOURS["stuck" if turn["new"] == "firing" else "completed"],
                ),
                parts.text("" if turn["value"] is None else f"{turn['value']:g}"),
                parts.text(", ".join(f"{name} {text}" for name, text in sorted(turn["labels"].items()))),
            ]
            for turn in fired[-_SHOWN:]
        ]
        if rows:
            st.html(parts.table(["When", "State", "Value", "Labels"], rows, numeric=[2], whole=[0, 1]))


def _looked(one: dict[str, Any]) -> str:
    known = f"; {', '.join(one['as_known_now'])} as known now" if one["as_known_now"] else ""
    every = parts.length(one["step_seconds"])
    return f"{one['evaluations']:,} evaluations, every {every}; by what is known now{known}"


def _share(quality: dict[str, Any], name: str, of: str) -> parts.Html:
    share = quality.get(name)
    return parts.text(parts.NOTHING if share is None else f"{share:.0%} {of}")


def _lead(seconds: float | None) -> parts.Html:
    if seconds is None:
        return parts.text(parts.NOTHING)
    return parts.text(f"{parts.length(abs(seconds))} {'before' if seconds >= 0 else 'after'}")
