"""Money at risk and in billing cycles, by hand: `money_world.py` lists what is added up here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.dashboards.answers import problem
from tests.dashboards.conftest import Client
from tests.dashboards.money_world import LOADED, NOW, OTHER, PROCESS, TEXTS, tables, write, write_other
from throughline.collector.auth import Access
from throughline.collector.store import Store
from throughline.correlator.reference_store import ReferenceStore
from throughline.dashboards.deps import Deps
from throughline.dashboards.engine_settings import from_environment
from throughline.dashboards.live_tables import LiveTables
from throughline.dashboards.money import By, Figures, Money, Reference, Sum
from throughline.dashboards.settings import DashboardSettings
from throughline.probes.errors import ConfigurationError


@pytest.fixture(scope="module")
def deps(embedded_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Deps:
    """The world of `money_world.py`."""
    write(embedded_store)
    return Deps(
        store=embedded_store,
        access=Access,
        spool=tmp_path_factory.mktemp("spool"),
        processes=lambda: (PROCESS,),
        settings=DashboardSettings(reporting_currency="EUR"),
        clock=lambda: NOW,
    )


def at_risk(deps: Deps, by: By, currency: str = "EUR", reference: Reference = "as_was") -> Figures:
    """Value at risk in the world."""
    return Money(deps.store, "default", NOW).at_risk(by, currency=currency, reference=reference)


Plain = tuple[int, dict[str, int], str | None, dict[str, int]]


def plain(one: Sum) -> Plain:
    """A sum as the tables below write it: journeys, amounts, converted, unconverted."""
    amounts = {name: int(amount) for name, amount in one.amounts.items()}
    left = {name: int(amount) for name, amount in one.unconverted.items()}
    return one.journeys, amounts, None if one.converted is None else f"{one.converted:.4f}", left


# B: 50 USD on Saturday: the ERP's rate of Friday, 50 * 0.79 = 39.5. C: 30 GBP / 0.75 = 40.
POSTED: Plain = (4, {"EUR": 100, "USD": 50, "GBP": 30, "XAF": 7}, "179.5000", {"XAF": 7})
CREATED: Plain = (1, {"USD": 50, "GBP": 30}, "79.5000", {})
HALDEN: Plain = (2, {"EUR": 100, "USD": 50, "GBP": 30}, "179.5000", {})
NO_RATE: Plain = (2, {"XAF": 7}, "0.0000", {"XAF": 7})
NOTHING: Plain = (0, {}, "0.0000", {})
E: Plain = (1, {"EUR": 10}, "10.0000", {})
EXPECTED: dict[By, dict[str, tuple[Plain, Plain]]] = {
    "milestone": {"posted": (POSTED, NOTHING), "created": (CREATED, NOTHING)},
    "exception": {"0000000000000047": (NOTHING, E)},
    "cause": {"0000000000000007": (NOTHING, E)},
    "owner": {"finance": (POSTED, NOTHING), "delivery": (CREATED, E)},
    "team": {"Finance": (POSTED, NOTHING), "Delivery": (CREATED, E)},
    "customer": {
        "Halden Robotics": (HALDEN, NOTHING),
        "Everglade": (NO_RATE, NOTHING),
        "Our France": (NOTHING, E),
    },
    "entity": {
        "DE01": ((1, {"EUR": 100, "USD": 50}, "139.5000", {}), E),
        "FR02": (CREATED, NOTHING),
        "US01": (NO_RATE, NOTHING),
    },
    "status": {
        "stuck": (CREATED, E),
        "late": ((3, {"EUR": 100, "USD": 50, "XAF": 7}, "139.5000", {"XAF": 7}), NOTHING),
    },
}
TOTAL: Plain = (4, {"EUR": 100, "USD": 50, "GBP": 30, "XAF": 7}, "179.5000", {"XAF": 7})


@pytest.mark.parametrize("by", EXPECTED)
def test_value_at_risk_counts_each_object_once_and_leaves_intercompany_out(deps: Deps, by: By) -> None:
    """B counts in both milestones and both entities, and once in the total; E is of a customer that is one
    of our entities, by its name; what has no rate is listed.
    """
    found = at_risk(deps, by)
    assert {one.name: (plain(one.money), plain(one.intercompany)) for one in found.items} == EXPECTED[by]
    if by in {"owner", "team", "customer", "entity", "status"}:
        assert (plain(found.total.money), plain(found.total.intercompany)) == (TOTAL, E)


def test_an_object_of_two_processes_counts_once_over_all(deps: Deps) -> None:
    """What another process knows of A and B adds a journey, and no money; that process by itself has both."""
    write(deps.store, "twice")
    write_other(deps.store, "twice")
    money = Money(deps.store, "twice", NOW)
    journeys, *worth = TOTAL
    found = money.at_risk("status", currency="EUR")
    assert plain(found.total.money) == (journeys + 1, *worth)
    other = money.at_risk("status", process=OTHER, currency="EUR")
    assert plain(other.total.money) == (1, {"EUR": 100, "USD": 50}, "139.5000", {})
    assert money.at_risk("status", process="deals", currency="EUR").total.money.journeys == journeys


def test_reports_follow_reference_data_of_then_or_of_today(deps: Deps) -> None:
    """A was Robots' on 10 January, the rest Nordic's; today all is. The parent of FR02 changed in March, the
    team of delivery in February.
    """
    cases: list[tuple[By, dict[str, str], dict[str, str]]] = [
        ("group", {"Robots": "100", "Nordic": "79.5", "": "0"}, {"Nordic": "179.5", "": "0"}),
        ("parent", {"Holding": "179.5", "": "0"}, {"Holding": "139.5", "France Group": "79.5", "": "0"}),
        ("team", {"Finance": "179.5", "Delivery": "79.5"}, {"Finance": "179.5", "Operations": "79.5"}),
    ]
    for by, was, now in cases:
        for reference, expected in (("as_was", was), ("as_is", now)):
            found = at_risk(deps, by, reference="as_is" if reference == "as_is" else "as_was")
            sums = {one.name: one.money.converted for one in found.items}
            assert sums == {name: Decimal(amount) for name, amount in expected.items()}, (by, reference)


def test_a_figure_names_its_rates(deps: Deps) -> None:
    """Which days the rates are from and whose they are; with another currency they are others."""
    owner = {one.name: one.rates for one in at_risk(deps, "owner").items}["delivery"]
    assert (owner.objects, owner.first, owner.last) == (2, date(2026, 1, 16), date(2026, 1, 19))
    assert list(owner.sources) == ["ecb", "erp"]
    dollars = at_risk(deps, "owner", "USD").total
    # A: 100 * 1.25. B is in dollars. C over EUR: 30 / 0.75 * 1.60, as the ERP's rate is of USD in EUR.
    assert f"{dollars.money.converted:.4f}" == "239.0000"
    booked = at_risk(deps, "owner", "").total
    assert (booked.money.converted, booked.rates.objects) == (None, 0)
    assert booked.money.amounts == at_risk(deps, "owner").total.money.amounts
    assert Money(deps.store, "rival", NOW).at_risk("owner").items == []


def test_billing_by_period_in_one_currency(deps: Deps) -> None:
    """G is billed but intercompany; D waits; what is past its due time is overdue, B once."""
    found = Money(deps.store, "default", NOW).billing(currency="EUR")
    sums = {one.name: (one.money.converted, one.intercompany.converted) for one in found.items}
    by_hand = {"overdue": ("179.5", "0"), "waiting": ("999", "10"), "done": ("0", "20")}
    expected = {name: tuple(map(Decimal, pair)) for name, pair in by_hand.items()}
    assert sums == {f"{day} {name}": pair for day in ("2026-02-01", "all") for name, pair in expected.items()}
    assert (found.total.money.converted, found.total.intercompany.converted) == (
        Decimal("1178.5"),
        Decimal(30),
    )


async def test_the_api_leads_from_each_figure_to_its_journeys(deps: Deps, client: Client) -> None:
    """As many journeys are listed as each figure counts, intercompany apart; one object in each answer."""
    async with client(deps, None) as http:
        for by in ("milestone", "exception"):
            page = (await http.get("/v1/risk", params={"by": by})).json()
            assert page["basis"]["currency"] == "EUR"
            assert {one["name"] for one in page["basis"]["tables"]} == set(TEXTS)
            for one in page["items"]:
                for side, flag in (("money", "no"), ("intercompany", "yes")):
                    asked = {
                        "at_risk": f"{by}:{one['name']}",
                        "intercompany": flag,
                        "process": one["process"],
                    }
                    listed = (await http.get("/v1/journeys", params=asked)).json()["items"]
                    assert len(listed) == one[side]["journeys"], (by, one["name"], side)
        inside = (await http.get("/v1/journeys", params={"intercompany": "yes", "currency": "USD"})).json()
        assert [(one["customer"], one["converted"]["amount"]) for one in inside["items"]] == [
            ("Our France", 25), ("Our France", 12.5),
        ]  # fmt: skip
        billing = (await http.get("/v1/billing", params={"currency": ""})).json()
        assert billing["standings"]["overdue"]["money"]["amounts"] == {
            "EUR": 100,
            "GBP": 30,
            "USD": 50,
            "XAF": 7,
        }
        assert [one["first_day"] for one in billing["items"]] == ["2026-02-01"]
        assert {one["name"] for one in (await http.get("/v1/tables")).json()["items"]} == set(TEXTS)
        problem(await http.get("/v1/risk", params={"currency": "EURO"}), 422)
        assert "ISO 4217" in problem(await http.get("/v1/risk", params={"currency": "EUX"}), 400)["detail"]
        assert (
            "milestone"
            in problem(await http.get("/v1/journeys", params={"at_risk": "luck:x"}), 400)["detail"]
        )
    async with client(replace(deps, clock=lambda: LOADED - timedelta(minutes=1)), None) as http:
        early = (await http.get("/v1/risk", params={"by": "owner"})).json()
        assert early["basis"]["tables"] == []
        assert early["total"]["money"]["unconverted"] == {"GBP": 30, "USD": 50, "XAF": 7}


def test_tables_follow_their_files_and_stay_when_one_breaks(deps: Deps, tmp_path: Path) -> None:
    """A change counts at once, a broken file leaves the last valid version, one taken away counts no more;
    what was known before is known still.
    """
    folder, reference = tmp_path / "tables", ReferenceStore(deps.store)
    folder.mkdir()
    before = reference.contents("default", NOW)
    for name, text in TEXTS.items():
        (folder / f"{name}.csv").write_text(text)
    live = LiveTables(tmp_path, deps.store, "EUR")
    later = [NOW + timedelta(minutes=minute) for minute in range(1, 6)]
    live.reload(later[0])
    assert reference.contents("default", later[0]) == before
    (folder / "owners.csv").write_text(TEXTS["owners"].replace("Finance", "Money"))
    (folder / "won_stages.csv").write_text("stage,is_won\nClosed Won,yes\n")
    live.reload(later[1])
    changed = reference.contents("default", later[1])
    assert changed["owners"].content != before["owners"].content
    assert (changed["won_stages"].entries, changed["customers"]) == (1, before["customers"])
    (folder / "owners.csv").write_text("owner\nfinance,Money\n")
    (folder / "entities.csv").unlink()
    LiveTables(tmp_path, deps.store, "").reload(later[2])
    kept = reference.contents("default", later[2])
    assert (kept["owners"], "entities" in kept) == (changed["owners"], False)
    assert reference.contents("default", NOW) == before
    reference.publish(tables(), later[3])


def test_a_reporting_currency_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named."""
    monkeypatch.setenv("THROUGHLINE_REPORTING_CURRENCY", "EURO")
    with pytest.raises(ConfigurationError, match="THROUGHLINE_REPORTING_CURRENCY is 'EURO'"):
        from_environment(DashboardSettings)
