"""Tickets in emulated systems over real HTTP: opened once, kept up to date, closed when all of it works."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.correlator.replay.world import START, Firm
from tests.correlator.tickets.emulators import DONE, Tracker
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.tickets.desk import Ticketing, causes
from throughline.correlator.tickets.ledger import Ticket, TicketLedger
from throughline.correlator.tickets.places import InvalidTickets, Places, parse_places

NOW = START + timedelta(minutes=5)


class Desk:
    """Ticketing with a clock that the test moves."""

    def __init__(self, firm: Firm, control: ControlStore, places: Places) -> None:
        self.firm, self.now = firm, NOW
        self.ledger = TicketLedger(control)
        self.ticketing = Ticketing(firm.store, control, lambda: places, lambda: self.now, {"KEY": "s3cret"})

    def turn(self, later: timedelta = timedelta(minutes=6)) -> None:
        """Once, then time goes on."""
        self.ticketing.turn()
        self.now += later

    def fingerprint(self, code: str = "NO_NAME") -> str:
        """The cause that failed."""
        found = causes(self.firm.store, self.firm.tenant, self.now)
        return next(str(one["fingerprint"]) for one in found if one["code"] == code)

    def want(self, place: str, fingerprint: str) -> Ticket:
        """Somebody asks for a ticket."""
        return self.ledger.want(
            self.firm.tenant, place, fingerprint, actor="ann", reason="please", now=self.now
        )

    def ticket(self, place: str, fingerprint: str) -> Ticket:
        """As it is now."""
        found = self.ledger.one(self.firm.tenant, place, fingerprint)
        assert found is not None
        return found


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    """Both systems."""
    with Tracker().serving() as served:
        yield served


def places(tracker: Tracker) -> Places:
    """A Jira project for whoever asks; ServiceNow gets tickets by rule."""
    hosts = f'["127.0.0.1:{tracker.port}", 127.0.0.0/8]'
    return parse_places(f"""
tickets:
  - id: ops
    system: jira
    hosts: {hosts}
    url: "{tracker.url}"
    project: OPS
    auth: {{basic: {{user: bot, password: {{env: KEY}}}}}}
    fields: {{labels: [integration], priority: {{name: "{{{{ 'High' if cause.journeys > 9 else 'Low' }}}}"}}}}
  - id: desk
    system: servicenow
    hosts: {hosts}
    url: "{tracker.url}"
    auth: {{bearer: {{env: KEY}}}}
    automatic: [{{class: business, code: NO_NAME, journeys_at_least: 100}}]
""")


def test_a_cause_gets_one_ticket_each_which_is_closed_when_all_of_it_works(
    module_store: Store, control: ControlStore, tracker: Tracker
) -> None:
    """By rule and by hand, whatever is lost on the way; a cause that comes back gets another."""
    firm = Firm(module_store)
    desk = Desk(firm, control, places(tracker))
    cause = desk.fingerprint()
    assert desk.want("ops", cause).state == "wanted"
    tracker.trouble = ["", "", 503]  # ServiceNow or Jira, whichever comes then: it is asked again
    desk.turn()
    desk.turn()
    assert (len(tracker.issues), len(tracker.records)) == (1, 1)
    (issue,) = (one["fields"] for one in tracker.issues.values())
    assert issue["summary"] == "NO_NAME: project.created fails on 120 journeys"
    assert issue["priority"] == {"name": "High"}
    assert issue["labels"] == ["integration", desk.ticket("ops", cause).label]
    assert tracker.credentials == {"Basic Ym90OnMzY3JldA==", "Bearer s3cret"}
    ours = desk.ticket("ops", cause)
    assert (ours.state, ours.ticket, ours.status) == ("open", "OPS-1", "To Do")
    assert ours.url == f"{tracker.url}/browse/OPS-1"
    assert desk.want("ops", cause) == ours

    firm.say([firm.created(number, "") for number in range(1, 101)])
    desk.turn()
    assert tracker.comments == ["20 open, 100 resolved."] * 2
    tracker.issues["OPS-1"]["fields"]["status"] = DONE
    desk.turn()
    assert (desk.ticket("ops", cause).state, desk.ticket("ops", cause).done) == ("open", True)
    firm.say([firm.created(number, "") for number in range(101, 121)])
    desk.turn()
    assert [desk.ticket(place, cause).state for place in ("ops", "desk")] == ["closed", "closed"]
    (record,) = tracker.records.values()
    assert (record["state"], record["close_notes"]) == ("6", "Everything works: 0 open, 120 resolved.")

    told = firm.store.query(
        "SELECT What, Ticket, Actor FROM ticket_transitions FINAL WHERE Place = 'ops' ORDER BY Number",
        role=Role.PAGES,
    ).result_rows
    assert [tuple(row) for row in told] == [
        ("wanted", "", "ann"), ("opened", "OPS-1", "throughline"), ("status", "OPS-1", "throughline"),
        ("commented", "OPS-1", "throughline"), ("status", "OPS-1", "throughline"),
        ("closed", "OPS-1", "throughline"),
    ]  # fmt: skip


def test_an_answer_that_is_lost_opens_no_second_ticket(
    module_store: Store, control: ControlStore, tracker: Tracker
) -> None:
    """It is looked for by its label first; what another try does not change fails, and can be asked again."""
    firm = Firm(module_store, tenant="another")
    desk = Desk(firm, control, Places(tickets=places(tracker).tickets[:1]))
    cause = desk.fingerprint()
    desk.want("ops", cause)
    tracker.trouble = ["", "lost"]
    desk.turn()
    assert (desk.ticket("ops", cause).state, len(tracker.issues)) == ("wanted", 1)
    desk.turn()
    assert (desk.ticket("ops", cause).note, len(tracker.issues)) == ("It was there already.", 1)
    tracker.trouble = [403]
    desk.turn()
    failed = desk.ticket("ops", cause)
    assert (failed.state, failed.note) == ("failed", 'ops answered 403: {"error": "no"}')
    assert desk.want("ops", cause).opened == 1
    desk.turn()
    assert (desk.ticket("ops", cause).state, desk.ticket("ops", cause).ticket) == ("open", "OPS-1")
    first, second = (TicketLedger(control) for _ in range(2))
    seen = desk.ticket("ops", cause)
    assert [one.claim(seen, desk.now) is not None for one in (first, second)] == [True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{id: a, system: jira, hosts: [x], url: 'https://x'}", "jira needs a `project`"),
        ("{id: a, system: servicenow, hosts: ['*'], url: 'https://x'}", "is no host"),
        ("{id: a, system: servicenow, hosts: [x], url: 'https://x', title: '{{'}", "no template"),
        ("{id: a, system: servicenow, hosts: [x], url: 'https://x', tabel: incident}", "table"),
        (
            "{id: a, system: servicenow, hosts: [x], url: 'https://x', auth: {hmac: {secrett: {env: A}}}}",
            "unknown field 'secrett' in `tickets[1].auth.hmac`; did you mean 'secret'?",
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_said(text: str, said: str) -> None:
    """With its line."""
    with pytest.raises(InvalidTickets) as found:
        parse_places(f"tickets:\n  - {text}\n")
    assert said in str(found.value)
