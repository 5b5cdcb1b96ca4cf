"""Why an event belongs to a journey: event, subject object, and the shortest path of parent links up to the
root.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def explain(
    root: int,
    events: Sequence[Mapping[str, Any]],
    parents: Mapping[int, Sequence[Mapping[str, Any]]],
    names: Mapping[int, str],
) -> list[Row]:
    """Return one explanation per event.

    Args:
        root: the journey's root object.
        events: rows with `Id`, `Event` and `Subjects` (object hashes, of this and of other journeys).
        parents: the links above each object that lead to the root: `Parent`, `Rule`, `Evidence` (event
        ids), `Statements`.
        names: `namespace:value` of each object.
    """
    paths: dict[int, list[Row] | None] = {}
    result = []
    for event in events:
        found = []
        for subject in event["Subjects"]:
            if subject not in paths:
                paths[subject] = _path(subject, root, parents, names)
            path = paths[subject]
            if path is not None:
                found.append({"subject": _name(subject, names), "path": path})
        result.append({"event": event["Id"], "name": event["Event"], "because": found})
    return result


def _path(
    subject: int, root: int, parents: Mapping[int, Sequence[Mapping[str, Any]]], names: Mapping[int, str]
) -> list[Row] | None:
    """The shortest way up, breadth first; of equally short ones that over the smallest hashes. None: no
    way.
    """
    came: dict[int, tuple[int, Mapping[str, Any]]] = {}
    queue = deque([subject])
    seen = {subject}
    while queue:
        here = queue.popleft()
        if here == root:
            return _steps(subject, root, came, names)
        for edge in sorted(parents.get(here, ()), key=lambda edge: edge["Parent"]):
            if edge["Parent"] not in seen:
                seen.add(edge["Parent"])
                came[edge["Parent"]] = (here, edge)
                queue.append(edge["Parent"])
    return None


def _steps(
    subject: int, root: int, came: Mapping[int, tuple[int, Mapping[str, Any]]], names: Mapping[int, str]
) -> list[Row]:
    steps: list[Row] = []
    here = root
    while here != subject:
        child, edge = came[here]
        steps.append(
            {
                "child": _name(child, names),
                "parent": _name(here, names),
                "rule": edge["Rule"],
                "evidence": list(edge["Evidence"]),
                "statements": edge["Statements"],
            }
        )
        here = child
    return steps[::-1]


def _name(key: int, names: Mapping[int, str]) -> str:
    return names.get(key, f"{key:016x}")
