"""What currencies are worth: a table by hand, and for any rates what plain Python says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.rates_reference import Rate, Worth, worth
from throughline.collector.store import Role, Store
from throughline.correlator.reference_files import LoadedTables, read_table
from throughline.correlator.reference_kinds import LAST_DAY, RATES
from throughline.correlator.reference_store import EVERY_TENANT, ReferenceStore

EXAMPLES = int(os.environ.get("THROUGHLINE_RATE_EXAMPLES", "6"))
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SQL = """
SELECT f.Kind, f.Factor, f.Pivot, f.FirstRate, f.LastRate, f.Sources
FROM (
    SELECT arrayJoin(range({days:UInt32})) AS n, toInt32(toDate32({first:String})) + n AS day,
        {of:String} AS currency
) AS d
ASOF LEFT JOIN (
    SELECT *, toInt32(Since) AS at FROM exchange_factors
    WHERE Content = {content:String} AND Target = {target:String}
) AS f ON f.Currency = d.currency AND f.at <= d.day
ORDER BY d.n
"""
FIRST_FACTOR = (
    "SELECT Factor FROM exchange_factors WHERE Content = {c:String} AND Target = 'USD' AND Currency = 'EUR'"
    " ORDER BY Since LIMIT 1"
)
BY_HAND = """from,to,rate,valid_from,valid_to,source
EUR,USD,1.25,2026-01-02,,ecb
EUR,USD,1.60,2026-01-05,,ecb
EUR,USD,1.28,2026-01-05,2026-01-07,erp
EUR,GBP,0.80,2026-01-02,,ecb
JPY,EUR,0.005,2026-01-06,2026-01-06,bank
CHF,USD,1.10,2026-01-03,2026-01-04,bank
"""


def provided(store: Store, text: str, target: str) -> str:
    """Put a table into the store; returns its content, with what everything was worth in a currency."""
    table, reference = read_table(RATES, text, RATES), ReferenceStore(store)
    reference.publish(LoadedTables({RATES: table}), NOW)
    reference.provide(table.content_hash, target)
    return table.content_hash


def found(store: Store, content: str, of: str, target: str, days: int) -> list[Worth | None]:
    """What the store says that a currency is worth in another, day by day."""
    asked = {"days": days, "first": FIRST.isoformat(), "of": of, "target": target, "content": content}
    rows = store.query(SQL, asked, role=Role.PAGES).result_rows
    return [
        Worth(kind, factor, pivot, oldest, newest, tuple(sources)) if kind != "none" else None
        for kind, factor, pivot, oldest, newest, sources in rows
    ]


def brief(one: Worth | None) -> str:
    """Kind and factor, as the table below writes them."""
    return "" if one is None else f"{one.kind}{' ' if one.pivot else ''}{one.pivot} {one.factor:.4f}"


HAND: list[tuple[str, str, list[str]]] = [
    # Thursday 1 January to Thursday 8. Friday's rate counts on the weekend, the ERP's while it is valid.
    ("EUR", "USD", ["", *["direct 1.2500"] * 3, *["direct 1.2800"] * 3, "direct 1.6000"]),
    ("USD", "EUR", ["", *["inverse 0.8000"] * 3, *["inverse 0.7812"] * 3, "inverse 0.6250"]),
    ("GBP", "USD", ["", *["pivot EUR 1.5625"] * 3, *["pivot EUR 1.6000"] * 3, "pivot EUR 2.0000"]),
    ("JPY", "EUR", ["", "", "", "", "", "direct 0.0050", "", ""]),
    ("CHF", "EUR", ["", "", "pivot USD 0.8800", "pivot USD 0.8800", "", "", "", ""]),
    ("CHF", "GBP", [""] * 8),  # over one currency, never over two
    ("XAF", "EUR", [""] * 8),
]


@pytest.mark.parametrize(
    ("of", "target", "expected"), HAND, ids=lambda one: one if isinstance(one, str) else ""
)
def test_rates_by_hand(embedded_store: Store, of: str, target: str, expected: list[str]) -> None:
    """Direct, inverse, over a third; the ERP first; no rate before the first and after the end."""
    content = provided(embedded_store, BY_HAND, target)
    assert [brief(one) for one in found(embedded_store, content, of, target, 8)] == expected


def test_the_largest_and_the_smallest_rates_do_not_overflow(embedded_store: Store) -> None:
    """Over a third currency their product is the largest factor there is, and the smallest is 0."""
    large, small = "999999999999.999999999999", "0.000000000001"
    rows = (f"AED,EUR,{large},2026-01-01", f"EUR,JPY,{large},2026-01-01", f"EUR,CHF,{small},2026-01-01")
    text = "\n".join(["from,to,rate,valid_from", *rows, f"XAF,EUR,{small},2026-01-01"])
    content = provided(embedded_store, text, "JPY")
    (most,) = found(embedded_store, content, "AED", "JPY", 1)
    assert most is not None
    assert f"{most.factor:.4e}" == "1.0000e+24"
    content = provided(embedded_store, text, "CHF")
    (least,) = found(embedded_store, content, "XAF", "CHF", 1)
    assert least == Worth("pivot", Decimal(0), "EUR", FIRST, FIRST, ("other",))


CODES = ["EUR", "USD", "GBP", "JPY"]
SPAN = 12


def _of_a_day(row: tuple[list[str], Decimal, date, int | None, str]) -> tuple[str, date, str]:
    """What only one rate may say."""
    pair, _, start, _, source = row
    return ">".join(pair), start, source


@st.composite
def tables(draw: st.DrawFn) -> list[Rate]:
    """Rates of four currencies over twelve days, by the ERP and two others."""
    day = st.integers(0, SPAN - 1).map(lambda days: FIRST + timedelta(days))
    rows = draw(
        st.lists(
            st.tuples(
                st.permutations(CODES).map(lambda codes: codes[:2]),
                st.decimals("0.000000000001", 1_000_000, places=12),
                day,
                st.one_of(st.none(), st.integers(0, 6)),
                st.sampled_from(["erp", "ecb", "bank"]),
            ),
            min_size=1,
            max_size=14,
            unique_by=_of_a_day,
        )
    )
    ends = _ends([(of, to, start, source) for (of, to), _, start, _, source in rows])
    return [
        Rate(
            of,
            to,
            rate,
            start,
            min(ends[place], start + timedelta(length)) if length is not None else LAST_DAY,
            source,
        )
        for place, ((of, to), rate, start, length, source) in enumerate(rows)
    ]


def _ends(rows: Sequence[tuple[str, str, date, str]]) -> list[date]:
    """The last day that each row may be valid on: that before the next of its pair and source."""
    ends = []
    for of, to, start, source in rows:
        later = [one[2] for one in rows if (one[0], one[1], one[3]) == (of, to, source) and one[2] > start]
        ends.append(min(later) - timedelta(1) if later else LAST_DAY)
    return ends


@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rates=tables(), target=st.sampled_from(CODES))
def test_any_rates_give_what_plain_python_says(embedded_store: Store, rates: list[Rate], target: str) -> None:
    """Every currency, every day: kind, factor to 18 digits, pivot, days and sources."""
    text = "from,to,rate,valid_from,valid_to,source\n" + "\n".join(
        f"{one.of},{one.to},{one.rate:f},{one.valid_from},"
        f"{'' if one.valid_to == LAST_DAY else one.valid_to},{one.source}"
        for one in rates
    )
    content = provided(embedded_store, text, target)
    for of in CODES:
        if of != target:
            expected = [worth(rates, of, target, FIRST + timedelta(day)) for day in range(SPAN + 8)]
            assert found(embedded_store, content, of, target, SPAN + 8) == expected


def test_rates_known_at_a_time_stay_known(embedded_store: Store) -> None:
    """A correction counts from when it was read; who asks as of before gets what was said before."""
    reference = ReferenceStore(embedded_store)
    first, second = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    for text, moment in ((BY_HAND, first), (BY_HAND.replace("1.25", "1.50"), second)):
        reference.publish(LoadedTables({RATES: read_table(RATES, text, RATES)}), moment)
    for moment, expected in ((first, "1.25"), (second, "1.50")):
        content = reference.contents(EVERY_TENANT, moment)[RATES].content
        reference.provide(content, "USD")
        rows = embedded_store.query(FIRST_FACTOR, {"c": content}, role=Role.PAGES).result_rows
        assert rows == [(Decimal(expected),)]
