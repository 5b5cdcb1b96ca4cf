"""Whatever comes: parse returns events or says Unreadable, and what it returns can be written."""

import json
from dataclasses import replace
from datetime import UTC
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probes.platforms.cases import Case, cases
from throughline.probes.encode import facts, keys_of
from throughline.probes.platforms import certinia, dynamics365, kantata, netsuite, oracle, salesforce, sap
from throughline.probes.platforms.adapter import Unreadable

ADAPTERS = {
    adapter.__name__.rpartition(".")[2]: adapter
    for adapter in (certinia, dynamics365, kantata, netsuite, oracle, salesforce, sap)
}
BOMB = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><b>&b;</b>'
REFUSED = {
    "empty": b"",
    "nothing": b"null",
    "text": b'"text"',
    "numbers": b"[1,2]",
    "half": b'{"a":',
    "nan": b'{"a":NaN}',
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested": b"[" * 70 + b"]" * 70,
    "digits": b'{"a":' + b"9" * 5_000 + b"}",
    "exponent": b'{"a":1e99999999999999999999}',
    "raw nul": b'{"a":"\0"}',
    "escaped nul": b'{"a":"\\u0000"}',
    "half a pair": b'{"a":"\\ud800"}',
    "half a pair in a name": b'{"\\udc00":1}',
    "no utf-8": b'{"a":"\xff"}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "bomb": BOMB,
    "quadratic": b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 1000 + b'">]><a>' + b"&x;" * 1000 + b"</a>",
    "file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "url": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
    "parameter": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/">%x;]><a/>',
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "odd encoding": b'<?xml version="1.0" encoding="utf-7"?><a/>',
    "no encoding": b'<?xml version="1.0" encoding="nonsense"?><a/>',
    "deep xml": b"<a>" * 20_000 + b"</a>" * 20_000,
    "half xml": b"<a><b>",
    "nul in xml": b"<a>\0</a>",
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.sampled_from([1e308, -1e-308, 10**400, [], {}, [None], [[1]], {"id": {}}, "", "\t", "9" * 2000,
                     "1E+40", "-1", "0x" + "F" * 64, "9999-99-99", "0001-01-01T00:00:00+23:59",
                     "/Date(9999999999999999)/", "006*", "x" * 5000, "\ud800", "\0"]),
    st.text(max_size=10),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip


@cache
def of(platform: str) -> list[Case]:
    """The payloads of a platform."""
    return cases(platform)


def parse(adapter: ModuleType, case: Case, body: bytes) -> int:
    """How many events the body says; 0 if it is Unreadable.  Any other exception is a failure of the test."""
    try:
        events = adapter.parse(replace(case.request, body=body), case.connection)
    except Unreadable:
        return 0
    for event in events:
        given_facts = {name: getattr(event, name) for name in event.__dataclass_fields__ if name != "event"}
        written = {**facts(given_facts), **keys_of(given_facts)}
        json.dumps(written, default=str).encode()
        assert event.event
        assert event.id
        assert event.time.tzinfo is UTC
        assert event.time.year >= 1970
    return len(events)


@pytest.mark.parametrize("platform", ADAPTERS)
def test_hostile_bodies_are_unreadable(platform: str) -> None:
    """Bombs, external access, depth, numbers and texts that nobody can store."""
    first = of(platform)[0]
    for kind in ("application/json", "text/xml"):
        case = replace(first, request=replace(first.request, headers={"content-type": kind}))
        said = {name: parse(ADAPTERS[platform], case, body) for name, body in REFUSED.items()}
        assert {name for name, count in said.items() if count} == set()


@pytest.mark.parametrize("platform", ADAPTERS)
@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes(platform: str, body: bytes) -> None:
    """Noise."""
    parse(ADAPTERS[platform], of(platform)[0], body)


@pytest.mark.parametrize("platform", ADAPTERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_to_a_payload(platform: str, data: st.DataObject) -> None:
    """One member of a valid payload is replaced by, or named as, something that nobody expects."""
    case = data.draw(st.sampled_from(of(platform)))
    body = case.request.body
    if case.name.endswith(".json"):
        value = json.loads(body)
        *path, last = data.draw(st.sampled_from(list(_paths(value))))
        member = value
        for step in path:
            member = member[step]
        member[last] = data.draw(VALUES)
        body = json.dumps(value).encode()
    else:
        place = data.draw(st.integers(0, len(body) - 1))
        body = body[:place] + data.draw(st.binary(max_size=8)) + body[place + data.draw(st.integers(0, 8)) :]
    parse(ADAPTERS[platform], case, body)


def _paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every member of a JSON value."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = []
    for name, member in members:
        found += [(*above, name), *_paths(member, (*above, name))]
    return found
