"""How the objects of one journey hang together: every link with the events that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.collector.store import load_queries

if TYPE_CHECKING:
    from throughline.dashboards.reader import Reader, Row

SQL = load_queries("throughline.dashboards", "key_graph")
MOST_OBJECTS = 200
"""Objects of one picture, those nearest the root."""


def key_graph(reader: Reader, root: int) -> dict[str, Any]:
    """Return `nodes`, `edges`, and how many objects there are in all."""
    objects = reader.objects_of(root)
    parents = reader.upward(root, sorted(objects - {root}))
    everything = objects | {row["Parent"] for rows in parents.values() for row in rows}
    nodes = _nodes(root, reader.names(everything))
    shown = nodes[:MOST_OBJECTS]
    names = {node["object"]: node["name"] for node in shown}
    edges = [
        row
        for rows in parents.values()
        for row in rows
        if f"{row['Child']:016x}" in names and f"{row['Parent']:016x}" in names
    ]
    evidence = _evidence(reader, {event for row in edges for event in row["Evidence"]})
    return {
        "nodes": shown,
        "edges": [
            {
                "parent": names[f"{row['Parent']:016x}"],
                "child": names[f"{row['Child']:016x}"],
                "rule": row["Rule"],
                "statements": row["Statements"],
                "evidence": [evidence[event] for event in row["Evidence"] if event in evidence],
            }
            for row in edges
        ],
        "objects": len(nodes),
    }


def _nodes(root: int, names: dict[int, Row]) -> list[Row]:
    """Objects, those nearest the root first; an object that goes by several keys has them all."""
    found: dict[int, Row] = {}
    for key, row in sorted(names.items(), key=lambda one: (one[1]["Level"], one[1]["Name"])):
        node = found.setdefault(
            row["Object"],
            {
                "object": f"{row['Object']:016x}",
                "name": row["Name"],
                "keys": [],
                "level": row["Level"],
                "root": row["Object"] == root,
            },
        )
        node["keys"].append(row["Name"])
        if key == row["Object"]:
            node["name"] = row["Name"]
    return sorted(found.values(), key=lambda node: (node["level"], node["name"]))


def _evidence(reader: Reader, events: set[str]) -> dict[str, Row]:
    if not events:
        return {}
    given = {"events": [int(one, 16) for one in sorted(events)]}
    return {row["event_id"]: row for row in reader.rows(SQL["evidence"], given)}
