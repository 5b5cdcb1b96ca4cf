"""Pages, run as Streamlit runs them, on seeded data and on none."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboards.conftest import ACCESS
from tests.dashboards.definition import definition
from tests.dashboards.seed import Seeded, seed
from tests.dashboards.seed_firm import NOW
from throughline.collector.auth import OPEN_PRINCIPAL, Access, Principal
from throughline.collector.store import Store
from throughline.correlator.process import load_processes
from throughline.correlator.reference_files import LoadedTables, read_table
from throughline.correlator.reference_store import ReferenceStore
from throughline.dashboards import session
from throughline.dashboards.api.money import behind_of
from throughline.dashboards.deps import Deps
from throughline.dashboards.money import Internal, Money
from throughline.dashboards.pages import overview
from throughline.dashboards.pages.parts import NOTHING, href, length, money, steps, text
from throughline.dashboards.process_picture import picture
from throughline.dashboards.queries import Kept, PageQueries
from throughline.dashboards.reader import JourneyFilter, Reader
from throughline.dashboards.verdict import owner_of

INTERNAL: tuple[Internal, ...] = ("yes", "no")
MAIN = Path(session.__file__).parent / "pages" / "main.py"


@pytest.fixture(scope="module")
def seeded(embedded_store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Deps, Seeded]:
    """An open platform with 60 journeys, embedded."""
    processes = (definition(),)
    deps = Deps(
        store=embedded_store,
        access=Access,
        spool=tmp_path_factory.mktemp("pages"),
        processes=lambda: processes,
        clock=lambda: NOW,
    )
    return deps, seed(embedded_store, count=60)


def visit(deps: Deps, page: str = "", **parameters: str) -> tuple[AppTest, str]:
    """Open a page, and no other before it; returns the test and all HTML on it."""
    session.provide(deps)
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    if page:
        app.switch_page(page)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app, body(app)


def body(app: AppTest) -> str:
    """All HTML on a page but the style sheet."""
    return "".join(one.proto.body for one in app.get("html") if "<style>" not in one.proto.body)


def test_processes_are_drawn_and_lead_to_their_journeys(seeded: tuple[Deps, Seeded]) -> None:
    """Each with version, owner, calendar and counts that lead to those journeys; one as a picture."""
    deps, data = seeded
    _, html = visit(deps, "processes.py", process="opportunity-to-invoice")
    for status in ("late", "stuck"):
        count = sum(one["status"] == status for one in data.journeys)
        to = escape(href("/journeys", process="opportunity-to-invoice", status=status))
        assert re.search(rf'href="{re.escape(to)}"[^>]*>{count}</a>', html)
    for said in ("revenue-operations", "always", "Opportunity to invoice"):
        assert said in html
    (drawn,) = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", html)
    assert b64decode(drawn).decode() == picture(definition())
    _, html = visit(deps, "processes.py")
    assert "data:image/svg" not in html
    _, html = visit(replace(deps, processes=tuple), "processes.py")
    assert "No definitions" in html


def test_the_overview_counts_and_leads_to_what_it_counts(seeded: tuple[Deps, Seeded]) -> None:
    """Each status card shows the number of journeys and links to their list."""
    deps, journeys = seeded
    app, html = visit(deps)
    stuck = sum(one["status"] == "stuck" for one in journeys.journeys)
    assert 'href="/journeys?status=stuck"' in html
    assert f'Stuck</div><div class="v">{stuck}</div>' in html
    for expected in (
        "Closed won to project created",
        "Money at risk",
        "Correlated until",
        "Dead letters",
        "Unlinked",
    ):
        assert expected in html
    assert len(app.get("plotly_chart")) == 4
    assert f"/journey?id={journeys.first('stuck')['id']}" in html


def test_billing_shows_cycles_and_leads_to_their_journeys(seeded: tuple[Deps, Seeded]) -> None:
    """Each cycle with its money; its link lists the journeys of that object and period."""
    deps, journeys = seeded
    _, html = visit(deps, "billing.py")
    newest = max(journeys.journeys, key=lambda one: one["period"])
    assert all(one in html for one in ("Overdue for billing", "Not billed yet", "Billed", "01 "))
    cycle, period = newest["cycle"], newest["period"].isoformat()
    address = text(href("/journeys", process="opportunity-to-invoice", cycle=cycle, period=period))
    assert address in html
    _, listed = visit(deps, "journeys.py", cycle=cycle, period=period)
    assert f"Of the billing cycle of <b>{cycle}</b> from {period}" in listed
    assert listed.count('class="tl-cut"') == sum(
        (one["cycle"], one["period"]) == (cycle, newest["period"]) for one in journeys.journeys
    )


def test_figures_in_a_reporting_currency_lead_to_their_journeys(seeded: tuple[Deps, Seeded]) -> None:
    """Sums in the currency of the address, what has no rate beside them, intercompany apart; each links to
    as many journeys as it counts.
    """
    deps, _ = seeded
    texts = {
        "exchange_rates": "from,to,rate,valid_from\nEUR,USD,1.25,2026-01-01\n",
        "customers": "customer,group,intercompany\nHalden Robotics,Ours,yes\n",
    }
    loaded = LoadedTables({name: read_table(name, one, name) for name, one in texts.items()})
    ReferenceStore(deps.store).publish(loaded, NOW)
    found = Money(deps.store, "default", NOW).at_risk("group", currency="USD", reference="as_is")
    _, html = visit(deps, by="group", currency="USD", reference="as_is")
    assert f"{found.total.money.converted:,.2f}" in html
    assert "without £" in html
    assert "USD by the rates of 01 Jan 2026 (other)" in html
    for name, flag in (("", "no"), ("Ours", "yes")):
        figure = next(one for one in found.items if one.name == name)
        address = {"at_risk": f"group:{name}", "reference": "as_is", "intercompany": flag}
        assert text(href("/journeys", **address)) in html
        _, listed = visit(deps, "journeys.py", **address)
        assert f"late or stuck: group {name}".strip() in listed
        count = (figure.intercompany if flag == "yes" else figure.money).journeys
        assert listed.count("/journey?id=") == count > 0
        key = ("salesforce.opportunity", listed.split('title="')[1].split('"')[0])
        for internal in INTERNAL:
            wanted = JourneyFilter(key=key, behind=behind_of(f"group:{name}", "as_is", internal))
            rows = Reader(deps.store, "default", NOW).journeys(wanted, limit=10)
            assert len(rows) == (internal == flag)
    _, billing = visit(deps, "billing.py", currency="USD")
    assert 'Intercompany</div><div class="v">$' in billing
    assert "not converted: £" in billing
    assert "known are milestone" in visit(deps, "journeys.py", at_risk="luck:x")[1]


def test_journeys_are_filtered_by_the_address(seeded: tuple[Deps, Seeded]) -> None:
    """Status and key in the address narrow the list; the widgets show them."""
    deps, journeys = seeded
    app, html = visit(deps, "journeys.py", status="stuck")
    ids = {one["id"] for one in journeys.journeys if one["status"] == "stuck"}
    assert all(f"/journey?id={one}" in html for one in ids)
    assert html.count("/journey?id=") == len(ids)
    assert app.selectbox(key="choose_status").value == "stuck"
    one = journeys.first("completed")
    _, html = visit(deps, "journeys.py", key=":".join(one["keys"][3]))
    assert html.count("/journey?id=") == 1
    assert f"/journey?id={one['id']}" in html


def test_choosing_a_filter_changes_the_address(seeded: tuple[Deps, Seeded]) -> None:
    """What is chosen stands in the address, so that a link shows the same; an old position is dropped."""
    deps, _ = seeded
    app, _ = visit(deps, "journeys.py", after="old")
    app.selectbox(key="choose_status").set_value("late").run()
    assert not app.exception
    assert app.query_params == {"status": "late"}


def test_older_journeys_are_a_link_away(seeded: tuple[Deps, Seeded]) -> None:
    """Following "Older" to the end shows every journey once."""
    deps, journeys = seeded
    seen: list[str] = []
    parameters: dict[str, str] = {}
    while True:
        _, html = visit(deps, "journeys.py", **parameters)
        seen += [part[:16] for part in html.split("/journey?id=")[1:]]
        if "Older" not in html:
            break
        parameters = {"after": html.split("after=")[1].split('"')[0]}
    assert sorted(seen) == sorted(one["id"] for one in journeys.journeys)


@pytest.mark.parametrize(
    ("parameters", "says"), [({"key": "nocolon"}, "not a key"), ({"key": "a:b"}, "No journey matches")]
)
def test_a_search_without_result_says_what_to_do(
    seeded: tuple[Deps, Seeded], parameters: dict[str, str], says: str
) -> None:
    """A malformed key and an unknown one are told apart."""
    assert says in visit(seeded[0], "journeys.py", **parameters)[1]


def test_a_journey_shows_milestones_events_exceptions_and_reasons(seeded: tuple[Deps, Seeded]) -> None:
    """Everything about one journey; each event leads to its trace."""
    deps, journeys = seeded
    one = next(one for one in journeys.journeys if one["failure"] and one["status"] == "completed")
    app, html = visit(deps, "journey.py", id=one["id"])
    assert len(app.get("plotly_chart")) == 1
    assert one["failure"][2] in html
    assert "<b>Works again</b>" in html
    assert "worked again, and nobody said why, median" in html
    assert html.count(">Trace</a>") == len(one["times"]) + 1
    assert all(":".join(key) in html for key in one["keys"])
    assert "is the root" in html
    assert "Evidence of" in "".join(one.label for one in app.expander)
    assert "business hours in whose hands; teams, never persons" in html
    assert "data:image/svg+xml;base64," in html


def test_a_stuck_journey_says_what_why_and_whose(seeded: tuple[Deps, Seeded]) -> None:
    """The first thing on its page; beside it how fresh and complete that is."""
    deps, journeys = seeded
    _, html = visit(deps, "journey.py", id=journeys.first("stuck")["id"])
    box = html.split('class="tl-verdict"')[1].split("Milestones")[0]
    assert "Project created is overdue by" in box
    assert "not received, expected within" in box
    assert owner_of(definition(), "project_created") in box
    assert "correlated until" in html


def test_the_trace_of_a_chosen_event_is_drawn(seeded: tuple[Deps, Seeded]) -> None:
    """The address names the trace; one that is not of this journey is ignored."""
    deps, journeys = seeded
    one = journeys.first("completed")
    _, html = visit(deps, "journey.py", id=one["id"])
    trace = html.split("trace=")[1][:32]
    app, html = visit(deps, "journey.py", id=one["id"], trace=trace)
    assert len(app.get("plotly_chart")) == 2
    assert '<tr class="on">' in html
    app, _ = visit(deps, "journey.py", id=one["id"], trace="f" * 32)
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.parametrize(
    ("identity", "says"), [("", "Which journey"), ("x", "Which journey"), ("0" * 16, "There is no journey")]
)
def test_a_journey_page_without_a_journey_says_what_to_do(
    seeded: tuple[Deps, Seeded], identity: str, says: str
) -> None:
    """No id, a malformed one, an unknown one."""
    assert says in visit(seeded[0], "journey.py", id=identity)[1]


@pytest.mark.parametrize("page", ["overview.py", "journeys.py", "journey.py"])
def test_every_page_handles_an_empty_tenant(seeded: tuple[Deps, Seeded], page: str) -> None:
    """A tenant without data is told how to send some; nothing of another tenant is shown."""
    deps, journeys = seeded
    access = _OpenFor(principal=Principal("nobody", OPEN_PRINCIPAL.scopes))
    _, html = visit(replace(deps, access=lambda: access), page)
    assert any(words in html for words in ("No data yet", "No journeys yet", "Which journey"))
    assert not any(one["customer"] in html for one in journeys.journeys)


@dataclass(frozen=True)
class _OpenFor(Access):
    """Access that lets everybody in as one principal: what `Access()` does for the tenant `default`."""

    principal: Principal = OPEN_PRINCIPAL

    def authenticate(self, _: str | None) -> Principal:
        """Let in whoever asks."""
        return self.principal


def test_with_tokens_a_visitor_is_asked_for_one(seeded: tuple[Deps, Seeded]) -> None:
    """Nothing but the form is shown."""
    _, html = visit(replace(seeded[0], access=lambda: ACCESS))
    assert 'action="/login"' in html
    assert "Stuck" not in html


def test_answers_are_kept_per_tenant_and_parameters(seeded: tuple[Deps, Seeded]) -> None:
    """A kept answer is never given to another tenant, and a fresh one is computed once it is old."""
    deps, _ = seeded
    clock = [0.0]
    kept = Kept(3.0, lambda: clock[0])
    ours = PageQueries(deps.store, deps.spool, kept, tenant="default", now=NOW)
    theirs = PageQueries(deps.store, deps.spool, kept, tenant="nobody", now=NOW)
    counts = ours.status_counts()
    assert len(counts)
    assert theirs.status_counts().empty
    assert ours.status_counts() is counts
    assert ours.status_counts("opportunity-to-invoice") is not counts
    clock[0] = 3.0
    assert ours.status_counts() is not counts


def test_activation_is_measured_from_signature_to_project_or_along_the_first_promise() -> None:
    """To the milestone of checks where there is one, else closed_won to project_created where both exist."""
    assert overview.activation_pair(definition()) == ("closed_won", "project_created")
    shipped = {one.id: one for one in load_processes(None).processes}
    assert overview.activation_pair(shipped["opportunity-to-project"]) == ("closed_won", "activated")
    assert overview.activation_pair(shipped["time-to-billing"]) == ("time_approved", "billing_released")


def test_values_from_telemetry_are_escaped() -> None:
    """No value becomes markup."""
    assert text("<script>") == "&lt;script&gt;"
    assert "<script>" not in steps({"<script>": {"state": "met"}})
    assert href("/journeys", key='a:"><b>', status="") == "/journeys?key=a%3A%22%3E%3Cb%3E"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money(1234.5, "EUR"), "€1,234.50"),
        (money(None, "EUR"), NOTHING),
        (money(1_234_567, "SEK", short=True), "SEK 1.2m"),
        (length(0), "0 s"),
        (length(0.02), "20 ms"),
        (length(90), "90.0 s"),
        (length(3 * 3600), "3.0 h"),
        (length(5 * 86400), "5.0 d"),
    ],
)
def test_amounts_and_lengths_read_well(shown: str, expected: str) -> None:
    """Currency marks, thousands, the unit that fits."""
    assert shown == expected
