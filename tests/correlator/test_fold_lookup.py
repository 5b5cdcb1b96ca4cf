"""Reference tables in expressions: what was valid on the day of an event, of the journey, or is said last."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.store import Store
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.process import InvalidProcess, Process, load_process
from throughline.correlator.reference_files import read_table
from throughline.correlator.reference_store import ReferenceStore
from throughline.probes.errors import ConfigurationError

STAGES = read_table(
    "stages",
    "stage,is_won,valid_from,valid_to\nSigned,yes,,2026-03-02\nSigned,no,2026-03-03,\nClosed,yes,2026-03-03,\n",
    "stages.csv",
)
LIMITS = read_table(
    "limits",
    "region*,tier*,limit,parent,active\nEU,gold,100,EU,yes\nUS,gold,,EU,yes\nXX,gold,9,XX,\n",
    "l.csv",
)
TABLES = {"stages": STAGES, "limits": LIMITS}
TEXT = """
process: looks
keys: [deal]
scope: "lookup('limits', 'active', region, 'gold') = 'yes'"
milestones:
  - {name: won, event: staged, where: "lookup('stages', 'is_won', attr('stage')) = 'yes'"}
  - {name: said, event: staged, where: "lookup_latest('stages', 'is_won', attr('stage')) = 'yes'"}
  - {name: ready, checks: limit}
checks:
  - name: limit
    after: won
    expect: "sumIf(amount, lookup('stages', 'is_won', attr('stage')) = 'yes')
      <= number(lookup('limits', 'limit', lookup('limits', 'parent', region, 'gold'), 'gold'))"
  - {name: early, expect: "lookup('stages', 'is_won', 'Closed') = ''"}
"""


def process() -> Process:
    """The definition, read with the tables."""
    return load_process(TEXT, tables=TABLES)


def staged(number: int, stage: str, hours: float, amount: int | None = None, region: str = "EU") -> Event:
    """An event on 2 March (up to 14 hours) or later."""
    return Event(
        number,
        "staged",
        at(hours=hours),
        amount=None if amount is None else Decimal(amount),
        currency="EUR",
        region=region,
        attributes={"stage": stage},
    )


JOURNEYS = {
    1: [staged(11, "Signed", 0, 60), staged(12, "Signed", 24, 500)],  # only the first was won on its day
    2: [staged(21, "Signed", 1, 60, "US"), staged(22, "Closed", 24, 60)],  # 120: over the limit of its parent
    3: [
        staged(31, "Closed", 2, 5),
        staged(32, "Closed", 26, 5),
    ],  # nothing was said of Closed on the first day
    4: [staged(41, "Closed", 24)],  # begins when Closed is known
    5: [staged(51, "Signed", 0, region="XX")],  # of a region that is not active
    6: [staged(61, "Signed", 0, region="")],  # of a region that nobody knows
}


def test_rows_count_on_their_day(embedded_store: Store) -> None:
    """Of an event its own day, of a journey that of its first event; live and fresh alike."""
    for table in TABLES.values():
        ReferenceStore(embedded_store).keep(table)
    CalendarTables(embedded_store).provide(process())
    folding = Folding(embedded_store, process(), "looks")
    folding.put(JOURNEYS)
    folding.fold(list(JOURNEYS))
    found = folding.journeys()
    counts = {
        root: [row["milestones"][name]["Count"] for name in ("won", "said", "ready")]
        for root, row in found.items()
    }
    assert counts == {1: [1, 0, 1], 2: [2, 1, 1], 3: [1, 2, 1], 4: [1, 1, 1]}
    assert found[2]["milestones"]["ready"]["MetAt"] == at(hours=1)  # 60 of 100: it held then
    unheld = {
        root: [one["Name"] if isinstance(one, dict) else one[0] for one in row["FailedChecks"]]
        for root, row in found.items()
    }
    assert unheld == {1: [], 2: ["limit"], 3: [], 4: ["early"]}
    folding.put(JOURNEYS, generation=2)
    folding.rebuild(generation=2)
    assert folding.facts(generation=2) == folding.facts()


def test_a_table_is_part_of_the_definition(embedded_store: Store) -> None:
    """Other rows make another definition, kept through JSON; without its rows nothing is judged."""
    present = process()
    assert Process.model_validate_json(present.model_dump_json(by_alias=True)) == present
    others = read_table("stages", "stage,is_won\nSigned,no\n", "stages.csv")
    changed = load_process(TEXT, tables={**TABLES, "stages": others})
    assert changed.definition_hash != present.definition_hash
    with pytest.raises(
        ConfigurationError, match="does not hold the reference table stages as looks names it"
    ):
        CalendarTables(embedded_store).provide(changed)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (
            "lookup('stage', 'is_won', 'a') = ''",
            "there is no reference table 'stage'; put it into tables/stage.csv",
        ),
        (
            "lookup('stages', 'won', 'a') = ''",
            "'won' is no column of the reference table 'stages'; did you mean",
        ),
        ("lookup('stages', 'is_won') = ''", "takes a table and a column, as texts, and the key"),
        ("lookup('limits', 'limit', region) = ''", "the key of 'limits' has 2 column(s), not 1"),
        ("lookup(region, 'limit', 'a') = ''", "a text in single quotes is needed here"),
        ("lookup('stages', 'is_won', amount) = ''", "text"),
        ("lookup('exchange_rates', 'rate', 'a') = ''", "no reference table 'exchange_rates'"),
    ],
)
def test_what_is_wrong_is_said(expression: str, sentence: str) -> None:
    """With what to write instead."""
    text = f'process: p\nkeys: [deal]\nscope: "{expression}"\nmilestones: [{{name: won, event: won}}]\n'
    with pytest.raises(InvalidProcess) as error:
        load_process(text, tables=TABLES)
    assert sentence in str(error.value)
