"""Why an event belongs: the shortest path of links from its subject to the root."""

from __future__ import annotations

from typing import Any

from throughline.dashboards.links import explain


def edge(parent: int, rule: str = "own") -> dict[str, Any]:
    """Return a link to a parent."""
    return {"Parent": parent, "Rule": rule, "Evidence": [f"event-{parent}"], "Statements": 1}


def test_the_shortest_way_is_taken_and_ties_are_settled_by_the_smallest_hash() -> None:
    """Two ways of equal length: the one over the smaller hash, in every run."""
    parents = {4: [edge(3), edge(2)], 3: [edge(1)], 2: [edge(1)]}
    (link,) = explain(1, [{"Id": "e", "Event": "x", "Subjects": [4]}], parents, {1: "root", 4: "leaf"})
    path = link["because"][0]["path"]
    assert [(step["child"], step["parent"]) for step in path] == [
        ("leaf", f"{2:016x}"),
        (f"{2:016x}", "root"),
    ]


def test_an_event_about_the_root_needs_no_link_and_a_subject_of_another_journey_is_left_out() -> None:
    """Only subjects with a way to this root explain this membership."""
    event = {"Id": "e", "Event": "x", "Subjects": [1, 9]}
    (link,) = explain(1, [event], {}, {1: "root"})
    assert link["because"] == [{"subject": "root", "path": []}]


def test_a_circle_ends() -> None:
    """Objects above each other in a circle give no path and no endless search."""
    (link,) = explain(1, [{"Id": "e", "Event": "x", "Subjects": [2]}], {2: [edge(3)], 3: [edge(2)]}, {})
    assert link["because"] == []
