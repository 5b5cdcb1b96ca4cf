"""One failure that several processes see is one cause: of the API, in the queue, and when people act."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.correlator.tickets.emulators import Tracker
from tests.dashboards.answers import everything
from tests.dashboards.conftest import token
from tests.dashboards.test_pages import visit
from throughline.collector.auth import ROLES, Access
from throughline.collector.control import ControlStore
from throughline.collector.saying import say
from throughline.correlator.process import load_process
from throughline.correlator.tickets.desk import Ticketing, causes
from throughline.correlator.tickets.ledger import TicketLedger
from throughline.correlator.tickets.places import parse_places
from throughline.correlator.worker import Correlator
from throughline.dashboards.definitions import publish_definitions
from throughline.dashboards.deps import Deps
from throughline.dashboards.triage import BASIS, with_others
from throughline.probes.vocabulary import BusinessEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dashboards.conftest import Client
    from throughline.collector.store import Store

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
OPERATOR = "operators-secret-token-0005"
_DEFINITIONS = (
    """
process: whole
title: The whole way
keys: [crm.deal, psa.timecard, erp.invoice]
milestones:
  - {name: won, event: deal.won, owner: sales}
  - {name: posted, event: invoice.posted, owner: billing, runbook: "https://wiki/posted"}
checks: [{name: has-entity, after: won, expect: "attr('entity') != ''", class: business, owner: sales}]
""",
    """
process: deals
title: Deals alone
owner: sales
keys: [crm.deal, erp.invoice]
milestones: [{name: won, event: deal.won}]
checks: [{name: has-entity, after: won, expect: "attr('entity') != ''", class: business, owner: sales}]
""",
    """
process: hours
title: Hours to invoices
keys: [psa.timecard, erp.invoice]
milestones:
  - {name: approved, event: time.approved}
  - {name: posted, event: invoice.posted, owner: receivables}
""",
)
PROCESSES = tuple(load_process(text) for text in _DEFINITIONS)


def _happened() -> Iterator[BusinessEvent]:
    """Two deals with three timecards each, whose invoices (100 and 200 EUR) lack the same tax code."""
    for deal in (1, 2):
        cards = [f"T{deal}{card}" for card in (1, 2, 3)]
        won = {"crm.deal": f"D{deal}"}
        yield BusinessEvent(event="deal.won", keys=won, time=START, id=f"won-{deal}")
        yield BusinessEvent(
            event="invoice.posted",
            keys={**won, "psa.timecard": cards, "erp.invoice": f"I{deal}"},
            time=START + timedelta(minutes=deal),
            id=f"failed-{deal}",
            failed=True,
            amount=100 * deal,
            currency="EUR",
            exception_class="business",
            exception_code="TAX",
            exception_message=f"invoice 'I{deal}' has no tax code",
        )


@pytest.fixture(scope="module")
def told(embedded_store: Store) -> Store:
    """A store in which all of it happened."""
    publish_definitions(embedded_store, PROCESSES, START)
    say(embedded_store, "default", list(_happened()), datetime.now(UTC))
    Correlator(embedded_store, PROCESSES).tick("default", datetime.now(UTC))
    return embedded_store


@pytest.fixture
def deps(told: Store, control: ControlStore, tmp_path: Path) -> Deps:
    """What pages and API use."""
    return Deps(
        store=told,
        access=Access,
        spool=tmp_path,
        processes=lambda: PROCESSES,
        clock=lambda: START + timedelta(hours=2),
        control=control,
    )


async def test_a_failure_is_one_cause_whichever_processes_see_it(deps: Deps, client: Client) -> None:
    """Ten exceptions of three processes are two failed events on two deals and six timecards, 300 EUR."""
    async with client(deps, None) as http:
        page = (await http.get("/v1/exceptions/causes")).json()
        ours, *checks = sorted(page["items"], key=lambda one: one["code"])
        listed = await everything(http, "/v1/exceptions", status="open")
        narrowed = (await http.get("/v1/exceptions/causes", params={"process": "hours"})).json()["items"]
        whose = (await http.get("/v1/exceptions/causes", params={"owner": "receivables"})).json()["items"]
        technical = (await http.get("/v1/exceptions/causes", params={"class": "technical"})).json()
    assert page["basis"] == BASIS
    prints = {one["process"]: one["fingerprint"] for one in listed if one["code"] == "TAX"}
    assert {name: ours[name] for name in ours if name not in {"message", "last_seen"}} == {
        "fingerprint": prints["whole"], "fingerprints": sorted(prints.values()),
        "processes": ["deals", "hours", "whole"], "event": "invoice.posted", "milestone": "posted",
        "class": "business", "code": "TAX", "severity": "high", "blocking": True,
        "runbook": "https://wiki/posted", "exceptions": 10, "failures": 2, "occurrences": 2, "journeys": 8,
        "amounts": {"EUR": 300}, "owners": ["billing", "receivables", "sales"], "assignees": [],
        "entities": [], "since": "2026-03-02T09:01:00.000000Z",
    }  # fmt: skip
    counted = ("processes", "exceptions", "failures", "journeys", "amounts")
    assert [[one[name] for name in counted] for one in narrowed] == [[["hours"], 6, 2, 6, {"EUR": 300}]]
    assert [[one[name] for name in counted] for one in whose] == [[["hours"], 6, 2, 6, {"EUR": 300}]]
    assert technical["items"] == []
    assert {len(one["event_id"]) for one in listed} == {0, 32}
    # A check is a rule of its own process, whatever it is called.
    found = sorted((one["processes"], one["code"], one["failures"]) for one in checks)
    assert found == [(["deals"], "has-entity", 2), (["whole"], "has-entity", 2)]


async def test_what_a_cause_keeps_is_one_figure(deps: Deps, client: Client) -> None:
    """A cause of several processes is one row of what is at risk; behind it are journeys of all, or of one.
    Deals alone have no milestone that it keeps.
    """
    async with client(deps, None) as http:
        listed = await everything(http, "/v1/exceptions")
        tax, *others = (await http.get("/v1/risk", params={"by": "cause"})).json()["items"]
        (hours,) = (await http.get("/v1/risk", params={"by": "cause", "process": "hours"})).json()["items"]
        cause = f"cause:{tax['name']}"
        behind = await everything(http, "/v1/journeys", at_risk=cause)
        of_hours = await everything(http, "/v1/journeys", at_risk=cause, process="hours")
    kept = [one for one in listed if one["code"] == "TAX" and one["process"] != "deals"]
    assert tax["name"] == min(one["fingerprint"] for one in kept)
    assert (tax["process"], tax["code"], tax["money"]["journeys"], others) == ("", "TAX", 8, [])
    assert {one["id"] for one in behind} == {journey for one in kept for journey in one["journeys"]}
    assert (hours["process"], hours["name"], hours["money"]["journeys"]) == ("hours", tax["name"], 6)
    assert {one["process"] for one in of_hours} == {"hours"}
    assert len(of_hours) == 6


async def test_whoever_decides_about_a_failure_decides_in_every_process(deps: Deps, client: Client) -> None:
    """The queue has one row; its page shows each failure once, and what is decided counts everywhere."""
    _, shown = visit(deps, "triage.py")
    assert shown.count("TAX") == 1
    assert "2 on 8 journeys" in shown
    assert "business · Deals alone, Hours to invoices, The whole way" in shown
    assert BASIS in shown
    async with client(deps, None) as http:
        (fingerprint,) = {
            one["fingerprint"]
            for one in await everything(http, "/v1/exceptions", process="deals")
            if one["code"] == "TAX"
        }
        app, shown = visit(deps, "triage.py", fingerprint=fingerprint)
        assert "8 journeys, one cause: TAX" in shown
        assert 'href="https://wiki/posted"' in shown
        assert "Deals alone, Hours to invoices, The whole way" in shown
        assert [tab.label for tab in app.tabs] == ["Do it again (all 2)", "Whose, when, why (all 2)"]
        assert list(app.dataframe[0].value["Amount"]) == [200, 100]
        next(one for one in app.text_input if one.label == "Team").set_value("tax team")
        next(one for one in app.button if one.label == "Do it" and one.key != "replay_go").click().run()
        given = await everything(http, "/v1/exceptions")
    assert {one["owner"] for one in given if one["code"] == "TAX"} == {"tax team"}
    assert {one["owner"] for one in given if one["code"] != "TAX"} == {"sales"}
    app, shown = visit(deps, "triage.py", fingerprint=fingerprint, process="deals")
    assert "2 journeys, one cause: TAX" in shown
    assert "Hours" not in shown


def test_what_goes_along_is_about_the_same() -> None:
    """Other processes' exceptions of a failure, once all that is shown of it is meant."""

    def row(name: str, failure: str, *, shown: bool) -> dict[str, Any]:
        return {"id": name, "failure": failure, "shown": shown}

    one, two, three = row("a", "1", shown=True), row("b", "1", shown=True), row("c", "2", shown=True)
    other, further = row("d", "1", shown=False), row("e", "2", shown=False)
    rows = [one, two, three, other, further]
    assert with_others([one], rows) == [one]
    assert with_others([one, two], rows) == [one, two, other]
    assert with_others([three, one], rows) == [three, one, further]
    assert with_others([other], rows) == [other]


async def test_a_cause_has_one_ticket(told: Store, deps: Deps, control: ControlStore, client: Client) -> None:
    """Whichever processes see it: opened by rule, found by whoever asks for another of its fingerprints, told
    how all of it stands, and closed when all of it works.
    """
    tenant, now = "tickets", START + timedelta(hours=2)
    say(told, tenant, list(_happened()), datetime.now(UTC))
    correlator = Correlator(told, PROCESSES)
    correlator.tick(tenant, datetime.now(UTC))
    with Tracker().serving() as tracker:
        places = parse_places(f"""
tickets:
  - id: desk
    system: servicenow
    hosts: ["127.0.0.1:{tracker.port}", 127.0.0.0/8]
    url: "{tracker.url}"
    auth: {{bearer: {{env: KEY}}}}
    tenants: {tenant}
    automatic: [{{process: hours, class: business, code: TAX, journeys_at_least: 8}}]
""")
        ticketing = Ticketing(told, control, lambda: places, lambda: now, {"KEY": "s3cret"})
        ticketing.turn()
        (record,) = tracker.records.values()
        assert record["short_description"] == "TAX: invoice.posted fails on 8 journeys"
        assert "Process: deals, hours, whole. Owner: billing, receivables, sales." in record["description"]
        (ticket,) = TicketLedger(control).listed(tenant)
        (cause,) = causes(told, tenant, now, ticket.fingerprint)
        assert len(cause["fingerprints"]) == 3
        access = Access((token(OPERATOR, tenant, ROLES["operator"]),))
        async with client(replace(deps, access=lambda: access, places=lambda: places), OPERATOR) as http:
            for one in cause["fingerprints"]:
                body = {"fingerprint": one, "place": "desk"}
                answer = (await http.post("/v1/tickets", json=body)).json()
                assert (answer["fingerprint"], answer["state"]) == (ticket.fingerprint, "open")
        for deal, said in ((1, "5 open, 5 resolved."), (2, "Everything works: 0 open, 10 resolved.")):
            posted = [
                BusinessEvent(event="invoice.posted", keys=dict(one.keys), time=now, id=f"posted-{deal}")
                for one in _happened()
                if one.id == f"failed-{deal}"
            ]
            say(told, tenant, posted, datetime.now(UTC))
            correlator.tick(tenant, datetime.now(UTC))
            now += timedelta(minutes=6)
            ticketing.turn()
            assert TicketLedger(control).listed(tenant)[0].note == said
        ticketing.close()
    assert [one.state for one in TicketLedger(control).listed(tenant)] == ["closed"]
