"""A managed service of three years, month by month: every figure as a controller would work it out by hand.

Project A (in euros) is sold for 576,000 and extended by 24,000 in June 2024. Four timecards a month of 4,000
each, from July 2024 to June 2025 a fifth of 2,000. Each month is billed on the 2nd and invoiced on the 4th of
the next, and paid on the 5th of the one after. What departs from that:

* September 2023: invoiced 16,000, credited, invoiced again at 15,000.
* March 2024: the approval of the third week is withdrawn, and never given again.
* December 2024: one invoice of 30,000 euros over the projects A, B (5,000 EUR) and C (7,000 USD).
* February 2025: the payment is reversed.
* November 2025: invoiced on 20 December, and not paid yet. December 2025: not invoiced by 20 January.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.correlator.test_fold_cycles import OFFICE, billing
from tests.stores import Stores
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
MONTHS = [(year, month) for year in (2023, 2024, 2025) for month in range(1, 13)]
EXTENDED = MONTHS[18:30]

PROJECTS = load_process("""
process: engagements
keys: [project, deal, card, billing, {any_of: invoice, max_roots: 500}, payment]
amount_of: won
milestones:
  - {name: won, event: won}
  - {name: created, event: created, within: {time: 5d, of: won}}
  - {name: updated, event: updated, responds: true, within: {time: 5d, of: won.last}}
  - {name: approved, event: approved, repeats: true, optional: true, undone_by: unapproved}
  - {name: posted, event: posted, repeats: true, within: {time: 40d, of: approved.last}, undone_by: credited}
  - {name: paid, event: paid, repeats: true, within: {time: 40d, of: posted}, undone_by: reversed}
checks:
  - {name: within-contract, expect: "total('card', 'amount') <= total('deal', 'amount')"}
""")
CARDS = load_process(
    """
process: billing
keys: [card, {any_of: billing, max_roots: 50}, {any_of: invoice, max_roots: 50}]
calendar: office
cycle: {per: project, calendar: billing, at: work_date}
amount_of: approved
milestones:
  - {name: approved, event: approved, undone_by: unapproved}
  - {name: posted, event: posted, within: {time: 5 business days, of: cut_off}, undone_by: credited}
completed_by: posted
""",
    calendars={"office": OFFICE, "billing": billing("{every: month}")},
)

COLUMNS = [
    "Tenant", "EventId", "ContentHash", "Time", "ReceivedAt", "IngestedAt", "Source", "Event", "Keys",
    "Subject", "Amount", "Currency", "Attributes",
]  # fmt: skip
Said = tuple[str, datetime, dict[str, str | list[str]], str, int, str, dict[str, str]]


def said(event: str, day: datetime, keys: dict[str, Any], subject: str, amount: int = 0, **more: str) -> Said:
    """One event; `more` are attributes, but for the currency."""
    currency = more.pop("currency", "EUR")
    return event, day, keys, subject, amount, currency, more


def day(year: int, month: int, number: int) -> datetime:
    """A day at 15:00, of a month that may lie beyond December."""
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, number, 15, tzinfo=UTC)


def story() -> Iterator[Said]:
    """All that happened, in the order in which it was said."""
    yield said("won", day(2023, 1, 10), {"deal": "O1"}, "deal", 576_000)
    yield said("created", day(2023, 1, 12), {"deal": "O1", "project": "A"}, "project")
    for year, month in MONTHS:
        if (year, month) == (2024, 6):
            yield said("won", day(2024, 6, 3), {"deal": "O2", "project": "A"}, "deal", 24_000)
            yield said("updated", day(2024, 6, 5), {"project": "A"}, "project")
        yield from worked(year, month)
        yield from billed(year, month)


def worked(year: int, month: int) -> Iterator[Said]:
    """The timecards of a month."""
    name = f"{year}{month:02}"
    weeks = [(f"A{name}-{week}", "A", 4_000, "EUR") for week in range(1, 5)]
    weeks += [(f"A{name}-5", "A", 2_000, "EUR")] if (year, month) in EXTENDED else []
    if (year, month) == (2024, 12):
        weeks += [("B-1", "B", 5_000, "EUR"), ("C-1", "C", 7_000, "USD")]
    for number, (card, project, worth, currency) in enumerate(weeks, start=1):
        when = day(year, month, min(7 * number, 28))
        keys = {"project": project, "card": card}
        yield said("approved", when, keys, "card", worth, currency=currency, work_date=f"{when:%Y-%m-%d}",
                   **{"business.key.project": project})  # fmt: skip
    if (year, month) == (2024, 3):
        yield said("unapproved", day(2024, 4, 1), {"card": f"A{name}-3"}, "card")


def billed(year: int, month: int) -> Iterator[Said]:
    """Billing event, invoice and payment of a month."""
    name, consolidated = f"{year}{month:02}", (year, month) == (2024, 12)
    weeks = range(1, 6 if (year, month) in EXTENDED else 5)
    cards = [f"A{name}-{week}" for week in weeks if (name, week) != ("202403", 3)]
    released = day(year, month + 1, 2)
    yield said("released", released, {"card": cards, "billing": f"A{name}"}, "billing")
    lots = [f"A{name}"]
    if consolidated:
        for project in ("B", "C"):
            lots.append(f"{project}{name}")
            yield said("released", released, {"card": f"{project}-1", "billing": lots[-1]}, "billing")
    if (year, month) == (2025, 12):
        return
    posted = day(2025, 12, 20) if (year, month) == (2025, 11) else day(year, month + 1, 4)
    worth = 30_000 if consolidated else sum(2_000 if card.endswith("-5") else 4_000 for card in cards)
    yield said("posted", posted, {"billing": lots, "invoice": name}, "invoice", worth)
    if (year, month) == (2023, 9):
        yield said("credited", day(2023, 10, 20), {"invoice": name}, "invoice")
        name, worth = f"{name}R", 15_000
        yield said("posted", day(2023, 10, 25), {"billing": lots, "invoice": name}, "invoice", worth)
    if (year, month) != (2025, 11):
        yield said("paid", day(year, month + 2, 5), {"invoice": name, "payment": name}, "payment", worth)
    if (year, month) == (2025, 2):
        yield said("reversed", day(2025, 4, 9), {"payment": name}, "payment")


def rows(events: list[Said], first: int) -> list[list[Any]]:
    """The facts as the views write them."""
    found = []
    for number, (event, when, keys, subject, amount, currency, attributes) in enumerate(events, start=first):
        several = {name: [given] if isinstance(given, str) else given for name, given in keys.items()}
        pairs = sorted((name, value) for name, values in several.items() for value in values)
        found.append([
            "acme", number, number, when, when, datetime.now(UTC), "log", event, pairs, subject,
            Decimal(amount) if amount else None, currency, attributes,
        ])  # fmt: skip
    return found


@pytest.fixture(scope="module")
def told(stores: Stores) -> Iterator[Store]:
    """The story, told in three parts, each correlated before the next."""
    with stores.store("embedded") as store:
        correlator = Correlator(store, [PROJECTS, CARDS])
        events = list(story())
        third = -(-len(events) // 3)
        for start in range(0, len(events), third):
            facts = rows(events[start : start + third], start + 1)
            store.insert_rows("business_events", facts, COLUMNS, role=Role.LOADER)
            inbox = [[one[0], one[1], one[2], one[5]] for one in facts]
            names = ["Tenant", "EventId", "ContentHash", "IngestedAt"]
            store.insert_rows("event_inbox", inbox, names, role=Role.LOADER)
            correlator.tick("acme", NOW)
        yield store


def ask(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query over the documented views, as of now."""
    at = f"(tenant = 'acme', now = toDateTime64('{NOW:%Y-%m-%d %H:%M:%S}', 6, 'UTC'))"
    return [tuple(row) for row in store.query(sql.replace("()", at), role=Role.ADHOC).result_rows]


def test_the_projects(told: Store) -> None:
    """Contract value, work, invoices and payments of each, with what was taken back, once each."""
    found = ask(
        told,
        "SELECT j.root, m.name, m.count, m.amount, m.currency, m.state FROM milestones_at() AS m "
        "INNER JOIN journeys_at() AS j ON j.id = m.journey WHERE m.process = 'engagements' ORDER BY j.root",
    )
    by_project = {(root, name): tuple(figures) for root, name, *figures in found}
    assert by_project["project:A", "won"] == (2, 600_000, "EUR", "met")
    assert by_project["project:A", "created"][::3] == (1, "met")
    assert by_project["project:A", "updated"][::3] == (1, "met")
    # 144 weeks of 4,000, one taken back, and 12 of 2,000
    assert by_project["project:A", "approved"] == (155, 596_000, "EUR", "met")
    # 2023: 11 x 16,000 + 15,000 = 191,000. 2024: 5 x 16,000 + 12,000 + 5 x 18,000 + 30,000 = 212,000.
    # 2025: 6 x 18,000 + 5 x 16,000 = 188,000.
    assert by_project["project:A", "posted"] == (35, 591_000, "EUR", "met")
    # without November 2025 (16,000) and February 2025 (18,000)
    assert by_project["project:A", "paid"] == (33, 557_000, "EUR", "met")
    assert by_project["project:B", "approved"] == (1, 5_000, "EUR", "met")
    assert by_project["project:C", "approved"] == (1, 7_000, "USD", "met")
    for project in ("B", "C"):
        assert by_project[f"project:{project}", "posted"] == (1, 30_000, "EUR", "met")
        assert by_project[f"project:{project}", "paid"] == (1, 30_000, "EUR", "met")


def test_an_invoice_of_three_projects_counts_once(told: Store) -> None:
    """In a total over all projects."""
    journeys = "SELECT root, status, amount, exceptions FROM journeys_at() WHERE process = 'engagements'"
    assert sorted(ask(told, journeys)) == [
        ("project:A", "in_flight", 600_000, 0),
        # never sold: nothing says what they are worth, and their work is beyond that
        ("project:B", "in_flight", None, 1),
        ("project:C", "in_flight", None, 1),
    ]
    total = ask(
        told,
        "SELECT sum(amount) FROM (SELECT EventId, any(amount) AS amount FROM event_rows_at() "
        "WHERE process = 'engagements' AND event = 'paid' GROUP BY EventId)",
    )
    assert total == [(575_000,)]  # 557,000 and the 18,000 that were reversed


# Month, status, timecards, invoiced, overdue; worth, invoiced, overdue. The others are like January 2023.
EXPECTED = {
    ("A", "2023-01"): ("complete", 4, 4, 0, {"EUR": 16_000}, {"EUR": 16_000}, {}),
    ("A", "2024-03"): ("late", 4, 3, 1, {"EUR": 12_000}, {"EUR": 12_000}, {}),
    ("A", "2024-12"): ("complete", 5, 5, 0, {"EUR": 18_000}, {"EUR": 18_000}, {}),
    ("B", "2024-12"): ("complete", 1, 1, 0, {"EUR": 5_000}, {"EUR": 5_000}, {}),
    ("C", "2024-12"): ("complete", 1, 1, 0, {"USD": 7_000}, {"USD": 7_000}, {}),
    ("A", "2025-12"): ("late", 4, 0, 4, {"EUR": 16_000}, {}, {"EUR": 16_000}),
}


def test_the_months(told: Store) -> None:
    """Each project's month: what was worked, what is invoiced, what is overdue."""
    found = {
        (row[0].removeprefix("project:"), row[1]): tuple(_whole(one) for one in row[2:])
        for row in ask(
            told,
            "SELECT object, formatDateTime(first_day, '%Y-%m'), status, journeys, completed, overdue, "
            "amount, completed_amount, overdue_amount FROM cycles_at()",
        )
    }
    wanted = dict(EXPECTED)
    for year, month in MONTHS:
        usual = EXPECTED["A", "2024-12" if (year, month) in EXTENDED else "2023-01"]
        wanted.setdefault(("A", f"{year}-{month:02}"), usual)
    assert found == wanted


def _whole(value: Any) -> Any:
    return {key: int(amount) for key, amount in value.items()} if isinstance(value, dict) else value


def test_a_rebuild_says_the_same(told: Store) -> None:
    """Of every journey and milestone."""
    sql = (
        "SELECT process, id, status, opened_at, last_event_at, amount, events FROM journeys_at() ORDER BY 2",
        "SELECT * FROM milestones_at() ORDER BY ALL",
    )
    live = [ask(told, one) for one in sql]
    correlator = Correlator(told, [PROJECTS, CARDS])
    for process in ("engagements", "billing"):
        correlator.rebuild("acme", process, NOW + timedelta(seconds=1))
    assert [ask(told, one) for one in sql] == live
    assert len(live[0]) == 3 + 144 + 12 + 2
