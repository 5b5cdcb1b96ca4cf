"""OCEL 2.0 as JSON, written as it is read.

Values are texts, as the published schema has them; types stand behind what uses them, because only then all
attributes are known.
Source: https://www.ocel-standard.org/specification/formats/json/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

from throughline.dashboards.ocel.model import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from throughline.dashboards.ocel.model import Event, Object

Types = dict[str, set[str]]


def write_json(path: Path, events: Iterable[Event], objects: Iterable[Object]) -> None:
    """Write a log to a new file; objects are asked for when all events are written."""
    event_types: Types = {}
    object_types: Types = {}
    with path.open("w", encoding="utf-8") as file:
        _array(file, "{", "events", _events(events, event_types))
        _array(file, ",\n", "objects", _objects(objects, object_types))
        _array(file, ",\n", "eventTypes", _types(event_types))
        _array(file, ",\n", "objectTypes", _types(object_types))
        file.write("}\n")


def _array(file: TextIO, before: str, name: str, members: Iterable[Any]) -> None:
    file.write(f'{before}"{name}": [')
    separator = "\n"
    for member in members:
        file.write(separator + json.dumps(member, ensure_ascii=False))
        separator = ",\n"
    file.write("\n]")


def _events(events: Iterable[Event], types: Types) -> Iterator[Any]:
    for event in events:
        types.setdefault(event.type, set()).update(event.attributes)
        yield {
            "id": event.id,
            "type": event.type,
            "time": iso(event.nanos),
            "attributes": [{"name": name, "value": value} for name, value in event.attributes.items()],
            "relationships": _relations(event.relations),
        }


def _objects(objects: Iterable[Object], types: Types) -> Iterator[Any]:
    for one in objects:
        types.setdefault(one.type, set()).update(name for name, _, _ in one.values)
        values = [{"name": name, "time": iso(since), "value": value} for name, since, value in one.values]
        yield {
            "id": one.id,
            "type": one.type,
            "attributes": values,
            "relationships": _relations(one.relations),
        }


def _relations(relations: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"objectId": other, "qualifier": qualifier} for other, qualifier in relations]


def _types(types: Types) -> Iterator[Any]:
    for name, attributes in sorted(types.items()):
        yield {
            "name": name,
            "attributes": [{"name": one, "type": "string"} for one in sorted(attributes)],
        }
