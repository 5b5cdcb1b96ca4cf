"""OCEL 2.0 JSON into staging, section by section, never whole in memory.

Source: https://www.ocel-standard.org/specification/formats/json/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ijson

from throughline.dashboards.ocel.model import InvalidLog
from throughline.dashboards.ocel.staging import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from throughline.dashboards.ocel.staging import Staging

SECTIONS = ("eventTypes", "objectTypes", "events", "objects")


def read_json(path: Path, log: Staging) -> None:
    """Read a file. Raises: InvalidLog."""
    try:
        _require_sections(path)
        for where, one in _members(path, "objects"):
            _object(where, one, log)
        for where, one in _members(path, "events"):
            _event(where, one, log)
    except ijson.JSONError as error:
        raise InvalidLog(f"{path} is no JSON: {' '.join(str(error).split())}.") from error
    except UnicodeError as error:
        raise InvalidLog(f"{path} is no UTF-8 text: {error}.") from error


def _require_sections(path: Path) -> None:
    """Raise InvalidLog unless the file has the four arrays of OCEL 2.0; say what it has instead."""
    if all(_begins(path, section) for section in SECTIONS):
        return
    found: dict[str, bool] = {}
    with path.open("rb") as file:
        for prefix, event, _ in ijson.parse(file):
            if prefix == "" and event not in ("start_map", "map_key", "end_map"):
                raise InvalidLog(f"{path} is no OCEL 2.0 log: it must be a JSON object.")
            if prefix and "." not in prefix:
                found.setdefault(prefix, event == "start_array")
    if any(name.startswith("ocel:") for name in found):
        raise InvalidLog(f"{path} is an OCEL 1.0 log: convert it to OCEL 2.0, for example with pm4py.")
    missing = ", ".join(name for name in SECTIONS if not found.get(name))
    if missing:
        there = ", ".join(list(found)[:8]) or "nothing"
        raise InvalidLog(f"{path} is no OCEL 2.0 log: it has no array {missing}; it has {there}.")


def _begins(path: Path, section: str) -> bool:
    """Whether an array has a first member: that is found quickly."""
    with path.open("rb") as file:
        return any(True for _ in ijson.items(file, f"{section}.item"))


def _members(path: Path, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, one in enumerate(ijson.items(file, f"{section}.item")):
            where = f"{path}: {section}[{number}]"
            if not isinstance(one, dict):
                raise InvalidLog(f"{where} must be a JSON object.")
            yield where, one


def _event(where: str, one: dict[str, Any], log: Staging) -> None:
    attributes = {
        name: text
        for name, value in _listed(where, one, "attributes", "name", "value")
        if (text := text_of(value)) is not None
    }
    event = log.add_event(where, one.get("id"), one.get("type"), one.get("time"), attributes)
    log.add_relations(where, event, _relations(where, one))


def _object(where: str, one: dict[str, Any], log: Staging) -> None:
    name = log.add_object(where, one.get("id"), one.get("type"))
    for attribute, value, since in _listed(where, one, "attributes", "name", "value", "time"):
        text = text_of(value)
        if text is not None:
            log.add_value(where, name, attribute, since, text)
    log.add_links(where, name, _relations(where, one))


def _relations(where: str, one: dict[str, Any]) -> Iterator[tuple[object, object]]:
    yield from _listed(where, one, "relationships", "objectId", "qualifier")


def _listed(where: str, one: dict[str, Any], section: str, *fields: str) -> Iterator[tuple[Any, ...]]:
    """The fields of each member of an array; the first must be a text."""
    members = one.get(section)
    if members is None:
        return
    if not isinstance(members, list):
        raise InvalidLog(f"{where}: {section} must be an array.")
    for number, member in enumerate(members):
        if not isinstance(member, dict) or not isinstance(member.get(fields[0]), str):
            raise InvalidLog(f"{where}: {section}[{number}] must be a JSON object with a text {fields[0]}.")
        yield tuple(member.get(field) for field in fields)
