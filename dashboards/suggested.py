"""The join doctor's answer as a mapping file: rules that give the found ids one namespace each."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAST_PART = "([^/]+)$"


def mapping_text(found: dict[str, Any]) -> str:
    """Return a mapping (YAML) of what was found, with the levels it suggests as comments."""
    keys: dict[tuple[str, str], list[tuple[str, dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for thing in found["objects"]:
        for place in thing["places"]:
            if place["source"] != "keys":
                keys[place["source"], place["service"]].append((thing["namespace"], place, thing))
    lines = [
        "# Found by `throughline suggest-keys`: ids that several systems carry. Read it, give namespaces",
        "# better names, say which spans or log records are events (`event:`), then put it into mappings/",
        "# and apply it to what is stored:",
        "# throughline mapping test FILE; throughline mapping apply FILE --since 90d",
        *(f"# {line}" for line in _levels(found)),
        "mapping: suggested-keys",
        "rules:",
    ]
    for number, ((source, service), columns) in enumerate(keys.items(), 1):
        lines += _rules(number, source, service, columns)
    return "\n".join(lines) + "\n" if keys else "\n".join(lines[:-2]) + "\n"


def _levels(found: dict[str, Any]) -> Iterator[str]:
    """Objects of which several namespaces are known: they stand on one level of a process."""
    for thing in found["objects"]:
        names = sorted({place["name"] for place in thing["places"] if place["source"] == "keys"})
        if len(names) > 1:
            yield f"The same ids: let these stand on one level of a process, keys: [[{', '.join(names)}]]"


def _rules(
    number: int, source: str, service: str, columns: list[tuple[str, dict[str, Any], dict[str, Any]]]
) -> Iterator[str]:
    """One rule for all of a service's attributes: a row has one rule, and may carry several of them."""
    named = "".join(one if one.isalnum() and one.isascii() else "-" for one in service)
    yield f"  - name: {_quoted(f'{number}-{named}')}"
    yield f"    signal: {source}"
    yield f"    match: {{service: {_quoted(service)}}}"
    yield "    set:"
    yield "      keys:"
    spoken: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for namespace, place, thing in columns:
        spoken[namespace].append((place, thing))
    for namespace, places in spoken.items():
        yield f"        {_quoted(namespace)}: {_value(places)}"


def _value(places: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    """How an attribute says the key: as the others write it, with what makes it unique before it."""
    place, thing = places[0]
    names = [one["name"] for one, _ in places]
    prefixes = {
        other["prefix"] for other in thing["places"] if other["source"] == "keys" or not thing["known"]
    }
    own = {one["prefix"] for one, _ in places}
    if own == prefixes or (len(names) == 1 and place["prefix"] in prefixes and len(prefixes) == 1):
        return json.dumps({"pick": names})
    if not thing["known"] or prefixes == {""}:
        return json.dumps({"pick": names, "regex": _LAST_PART})
    if len(prefixes) == 1 and None not in prefixes:
        before = prefixes.pop().removesuffix("/").replace("{", "{{").replace("}", "}}")
        return json.dumps({"join": [before, {"pick": names, "regex": _LAST_PART}], "by": "/"})
    return json.dumps({"pick": names}) + "  # the known keys have several prefixes: write the right one"


def _quoted(text: str) -> str:
    return json.dumps(text)
