"""What a journey waits for, why, and whose turn it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.dashboards.definition import definition
from tests.dashboards.seed_firm import NOW
from throughline.dashboards.verdict import owner_of, verdict

HOUR = timedelta(hours=1)


def journey(
    status: str, *troubles: dict[str, Any], **milestones: tuple[str, datetime | None]
) -> dict[str, Any]:
    """A journey with milestones given as state and due time."""
    states = {name: {"state": state, "due_at": due} for name, (state, due) in milestones.items()}
    return {"Status": status, "milestones": states, "exceptions": list(troubles)}


def trouble(**given: Any) -> dict[str, Any]:
    """An open exception."""
    return {
        "status": "open",
        "blocking": 0,
        "opened_at": NOW - HOUR,
        "milestone": "invoice_posted",
        "code": "TAX",
        "class": "business",
        "message": "no tax code",
        "owner": "accounts",
        "runbook": "",
        "failing": given.get("status") != "resolved",
        **given,
    }


def test_late_milestone_is_what_its_promise_why_and_its_owner_whose() -> None:
    """Without an exception, the broken promise is the reason."""
    late = journey("stuck", closed_won=("met", None), project_created=("late", NOW - HOUR), paid=("due", NOW))
    found = verdict(late, definition())
    assert found is not None
    assert (found.milestone, found.since, found.code) == ("project_created", NOW - HOUR, "")
    assert found.promise.startswith("within ")
    assert found.promise.endswith(" of closed won")
    assert found.owner == owner_of(definition(), "project_created") != ""


def test_exception_on_the_late_milestone_says_why_and_whose() -> None:
    """Exceptions elsewhere and resolved ones say nothing about it."""
    late = journey(
        "late",
        trouble(milestone="paid", code="OTHER"),
        trouble(status="resolved", code="OLD"),
        trouble(),
        invoice_posted=("late", NOW - HOUR),
    )
    found = verdict(late, definition())
    assert found is not None
    assert (found.code, found.message, found.owner) == ("TAX", "no tax code", "accounts")


def test_blocking_exception_comes_first_and_the_oldest_of_them() -> None:
    """Whatever else is late."""
    blocked = journey(
        "stuck",
        trouble(),
        trouble(blocking=1, code="YOUNG"),
        trouble(blocking=1, code="OLD", opened_at=NOW - 2 * HOUR, milestone="", owner=""),
        invoice_posted=("late", NOW - HOUR),
    )
    found = verdict(blocked, definition())
    assert found is not None
    assert (found.code, found.since, found.promise) == ("OLD", NOW - 2 * HOUR, "")
    assert found.owner == definition().owner


def test_journey_in_time_waits_for_what_is_due_next() -> None:
    """Nothing is overdue; the owner is known all the same."""
    found = verdict(
        journey("in_flight", closed_won=("met", None), project_created=("due", NOW + HOUR)), definition()
    )
    assert found is not None
    assert (found.milestone, found.since, found.due) == ("project_created", None, NOW + HOUR)
    assert found.owner


@pytest.mark.parametrize("status", ["completed", "dropped"])
def test_journey_that_is_over_waits_for_nobody(status: str) -> None:
    """Also with an exception left open."""
    assert verdict(journey(status, trouble(), paid=("met", None)), definition()) is None


def test_process_without_definition_still_tells_what() -> None:
    """A process taken away leaves its journeys readable."""
    found = verdict(journey("late", paid=("late", NOW - HOUR)), None)
    assert found is not None
    assert (found.milestone, found.owner, found.promise) == ("paid", "", "")


@pytest.mark.parametrize(
    ("status", "holds"), [("open", True), ("snoozed", True), ("resolved", False), ("pending", False)]
)
def test_what_is_closed_by_hand_or_pending_holds_nothing(status: str, holds: bool) -> None:
    """Though it fails still; a snooze only hides it."""
    blocked = trouble(status=status, failing=True, blocking=1, code="NO-PLAN")
    found = verdict(journey("stuck", blocked, project_created=("due", NOW + HOUR)), definition())
    assert found is not None
    assert (found.code == "NO-PLAN") == holds
