"""The simulated firm sends real OTLP: every planned event arrives, as it was planned."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.dashboards.otlp_sink import Sink, otlp_sink
from throughline.collector.connections import load_connections
from throughline.dashboards.demo.catalog import SERVICES
from throughline.dashboards.demo.estate import Estate
from throughline.dashboards.demo.firm import run_live, send_history
from throughline.dashboards.demo.scenario import Plan, plan
from throughline.dashboards.demo.services import nanoseconds
from throughline.probes import vocabulary as v
from throughline.probes.errors import DemoError
from throughline.probes.platforms import adapter

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def planned() -> Plan:
    """A plan."""
    return plan(1, NOW)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the firm's files."""
    return tmp_path_factory.mktemp("firm")


@pytest.fixture(scope="module")
def estate(config: Path) -> Iterator[Estate]:
    """The firm's systems."""
    with closing(Estate(config)) as made:
        yield made


@pytest.fixture(scope="module")
def history(planned: Plan, estate: Estate) -> Iterator[Sink]:
    """What a receiver got of the whole history."""
    with otlp_sink() as sink:
        sent = send_history(sink.endpoint, planned, estate)
        assert sent.events == len(planned.events)
        yield sink


def test_platforms_say_what_was_planned(planned: Plan, history: Sink, config: Path) -> None:
    """Each platform's webhooks, verified and read by its adapter, are the planned events: names, times, keys,
    amounts; some come twice, some late, none is missing and none is added.
    """
    connections = load_connections(config, {})
    assert connections.warnings == ()
    told = Counter(
        (event.connection, event.event.event, _second(event.time), frozenset(_keys(event.event.keys)))
        for event in planned.events
        if event.connection
    )
    heard: dict[str, tuple[str, str, int, frozenset[tuple[str, str]]]] = {}
    came = 0
    for request in history.hooks:
        platform, name = request.url.partition("?")[0].split("/")[-2:]
        configured = connections.find(platform, name)
        assert configured is not None
        module = adapter(platform)
        module.verify(request, configured.connection, request.received_at)
        for event in module.parse(request, configured.connection):
            came += 1
            heard[f"{name}/{event.id}"] = (name, event.event, _second(event.time), _keys(event.keys))
    said = Counter(
        next(
            (one for one in told if one[:3] == (name, event, at) and one[3] <= keys), (name, event, at, keys)
        )
        for name, event, at, keys in heard.values()
    )
    assert said == told
    assert came > len(heard)
    assert set(connections.by_id) == {name for name, *_ in told}
    amounts = {event.event.amount for event in planned.events if event.connection == "netsuite"}
    assert len(amounts) > 50


def test_the_middleware_says_the_rest(planned: Plan, history: Sink) -> None:
    """Each identity arrives, with name, time, severity and keys; duplicates and resent requests repeat it."""
    arrived = {record["attributes"][v.EVENT_ID]: record for record in history.records}
    told = {event.event.id: event for event in planned.events if event.event.event and not event.connection}
    assert set(arrived) == set(told)
    for identity, event in told.items():
        record = arrived[identity]
        assert record["event"] == event.event.event
        assert record["time"] == nanoseconds(event.time)
        assert (record["severity"] >= 17) == event.event.failed
        assert record["service"] == SERVICES[event.service].name
        keys = {n: k for n, k in record["attributes"].items() if n.startswith(v.KEY_PREFIX)}
        assert keys == {v.key(namespace): _said(value) for namespace, value in event.event.keys.items()}
    copies = Counter(record["attributes"][v.EVENT_ID] for record in history.records)
    for identity, event in told.items():
        assert copies[identity] == event.copies * (2 if event.resent else 1)


def test_a_resent_request_is_the_same_bytes(planned: Plan, history: Sink) -> None:
    """A resent request arrives twice, byte for byte."""
    twice = [body for body, count in Counter(history.bodies).items() if count > 1]
    assert len(twice) >= sum(event.resent and not event.connection for event in planned.events) > 0


def test_spans_carry_the_call_through_the_systems(history: Sink) -> None:
    """A refused project is one trace over CRM, middleware and PSA; spans lie around their event."""
    spans = {span["span"]: span for span in history.spans}
    crossings = set()
    for record in history.records:
        span = spans[record["span"]]
        assert span["trace"] == record["trace"]
        assert span["start"] <= record["time"] <= span["end"]
        path = [span["service"]]
        while span["parent"]:
            span = spans[span["parent"]]
            path.append(span["service"])
        crossings.add((record["event"], *path))
    assert (v.PROJECT_CREATED, "psa-connector", "integration-flows", "crm-listener") in crossings
    assert all(span["end"] <= nanoseconds(NOW) + 10**9 for span in history.spans)


def test_keys_travel_as_baggage(history: Sink) -> None:
    """What the middleware knows reaches the PSA as context keys."""
    name = v.context_key(v.SALESFORCE_OPPORTUNITY)
    assert any(name in span["attributes"] for span in history.spans if span["service"] == "psa-connector")


def test_ambiguous_evidence_is_a_span_without_an_event(history: Sink) -> None:
    """A nightly job names many timecards and billing events under a parent span, and is no business event."""
    named = (v.key(v.CERTINIA_TIMECARD), v.key(v.KANTATA_TIME_ENTRY))
    jobs = [
        span
        for span in history.spans
        if span["name"] == "job collect-billable-time"
        and any(len(span["attributes"].get(one, "")) > 5 for one in named)
    ]
    assert len(jobs) == 3
    assert all(v.EVENT not in span["attributes"] and span["parent"] for span in jobs)


def test_live_sends_new_deals_and_the_upcoming(planned: Plan, estate: Estate) -> None:
    """New deals, and events that the history left to come, happen now, until stopped."""
    stop = threading.Event()
    with otlp_sink() as sink:
        began = nanoseconds(datetime.now(UTC))
        running = threading.Thread(target=run_live, args=(sink.endpoint, planned, estate, stop))
        running.start()
        known = {event.event.id for event in planned.upcoming}
        while running.is_alive() and not _both(sink, known):
            stop.wait(0.1)
        stop.set()
        running.join()
        assert _both(sink, known)
        assert any(record["time"] >= began for record in sink.records)


def test_nobody_listening_is_one_sentence(estate: Estate) -> None:
    """Without a platform the demo says so, and how to go on."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(DemoError, match=f"Nothing listens on http://127.0.0.1:{port}: start the platform"):
        send_history(f"http://127.0.0.1:{port}", plan(1, NOW), estate)


def test_a_refusing_platform_is_an_error(planned: Plan, estate: Estate) -> None:
    """A request that is refused for good ends the history with an error, not with a hole."""
    with otlp_sink() as sink:
        sink.status = 400
        with pytest.raises(DemoError, match="did not accept"):
            send_history(sink.endpoint, planned, estate)


def _second(moment: datetime | None) -> int:
    """The second, which is all that NetSuite says."""
    assert moment is not None
    return int(moment.timestamp())


def _keys(keys: Mapping[str, str | Iterable[str]]) -> frozenset[tuple[str, str]]:
    """Each key by its namespace."""
    return frozenset(
        (name, one) for name, value in keys.items() for one in ([value] if isinstance(value, str) else value)
    )


def _said(keys: str | Iterable[str]) -> str | tuple[str, ...]:
    """Keys of a namespace as an attribute: one is a text."""
    several = (keys,) if isinstance(keys, str) else tuple(keys)
    return several[0] if len(several) == 1 else several


def _both(sink: Sink, known: set[str | None]) -> bool:
    """Whether an upcoming event and one of a new deal have arrived."""
    ids = {record["attributes"][v.EVENT_ID] for record in list(sink.records)}
    return bool(ids & known) and bool(ids - known)
