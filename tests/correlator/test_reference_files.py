"""Reading reference tables: what is read, and what is said, with the line, about what cannot be."""

from datetime import date
from pathlib import Path

import pytest

from throughline.correlator.reference_files import InvalidTable, load_table, load_tables, read_table
from throughline.correlator.reference_kinds import FIRST_DAY, LAST_DAY

EMPTY = {"canonical": "", "intercompany": ""}
RATES = "from,to,rate,valid_from,source\n"


def test_rows_are_read_with_their_days(tmp_path: Path) -> None:
    """Quotes, spaces, a byte order mark, empty rows, line ends of Windows, any order of columns."""
    rows = [
        "\ufeffgroup,customer,valid_from",
        "",
        'Nordic,"Halden, Inc.",2026-01-01',
        " Robots , Halden ,",
        ",,",
    ]
    file = tmp_path / "customers.csv"
    file.write_bytes("\r\n".join(rows).encode())
    table = load_table(file)
    assert [(one.key, one.valid_from, one.valid_to, dict(one.values)) for one in table.entries] == [
        (
            "Halden, Inc.",
            date(2026, 1, 1),
            LAST_DAY,
            {**EMPTY, "customer": "Halden, Inc.", "group": "Nordic"},
        ),
        ("Halden", FIRST_DAY, LAST_DAY, {**EMPTY, "customer": "Halden", "group": "Robots"}),
    ]


@pytest.mark.parametrize(
    ("name", "text", "line", "says"),
    [
        ("exchange_rates", RATES + 'EUR,USD,"1,08",2026-01-01,ecb', 2, "write 1.0832, with a point"),
        ("exchange_rates", RATES + "EUR,USD,0.0,2026-01-01,ecb", 2, "no rate above 0"),
        ("exchange_rates", RATES + "EUR,USD,-1,2026-01-01,ecb", 2, "no rate above 0"),
        ("exchange_rates", RATES + "EUR,USD,1e3,2026-01-01,ecb", 2, "no rate above 0"),
        ("exchange_rates", RATES + "EUR,EUR,1,2026-01-01,ecb", 2, "always 1; remove the row"),
        (
            "exchange_rates",
            RATES + "USD,EUX,1,2026-01-01,ecb",
            2,
            "no currency code of ISO 4217, such as EUR",
        ),
        ("exchange_rates", RATES + "eur,USD,1,2026-01-01,ecb", 2, "did you mean 'EUR'?"),
        ("exchange_rates", RATES + "EUR,USD,1,1.2.2026,ecb", 2, "write 2026-01-31"),
        ("exchange_rates", RATES + "EUR,USD,1,2026-02-30,ecb", 2, "write 2026-01-31"),
        ("exchange_rates", RATES + "EUR,USD,1,20260201,ecb", 2, "write 2026-01-31"),
        ("exchange_rates", RATES + "EUR,USD,1,,ecb", 2, "valid_from: this cell must not be empty"),
        ("exchange_rates", RATES + "EUR,USD,1,2026-01-01", 2, "4 cells under 5 columns"),
        (
            "exchange_rates",
            RATES + "EUR,USD,1,2026-01-01,ECB\n\nEUR,USD,2,2026-01-01,ecb",
            4,
            "overlaps line 2: end one before the other begins (valid_to), or remove one",
        ),
        ("exchange_rates", "from,to,valid_from\nEUR,USD,2026-01-01", 1, "the column 'rate' is missing"),
        ("exchange_rates", "from;to;rate\n", 1, "separate them by commas"),
        ("entities", "entity,currancy\nDE01,EUR", 1, "did you mean 'currency'?"),
        ("entities", "entity,entity\nDE01,DE01", 1, "stands twice"),
        ("entities", "", 1, "the file is empty"),
        ("owners", 'owner,team\nann,"Ops', 2, "no valid CSV"),
        ("owners", "owner,valid_from,valid_to\nann,2026-02-01,2026-01-31", 2, "lies before valid_from"),
        ("customers", "customer,intercompany\nHalden,perhaps", 2, "must be yes or no"),
        (
            "customers",
            "customer,valid_from,valid_to\nHalden,2026-02-01,\nHalden,2026-01-01,2026-02-01",
            3,
            "'Halden' from 2026-02-01 overlaps line 2",
        ),
        ("won_stages", "stage,is won?\nClosed Won,yes", 1, "no name of a column"),
        ("won_stages", "valid_from,stage\n,yes", 1, "the first column is the key"),
        ("levels", "region*,tier*,time\nEU,a,2d\nEU,b,2d\nEU,a,3d", 4, "'EU|a' from 1900-01-01 overlaps"),
        ("levels", "region*,tier*,time\nEU,,2d", 2, "tier: this cell must not be empty"),
        ("levels", "region*,tier*,time\nEU,a|b,2d", 2, "'a|b' holds |, which stands between the columns"),
        ("levels", "region*,valid_from*\nEU,2026-01-01", 1, "'valid_from*' is no name of a column"),
        ("won_stages", "stage,is_won\n,yes", 2, "stage: this cell must not be empty"),
        ("Won Stages", "stage,is_won\nClosed Won,yes", 1, "no name of a table"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(name: str, text: str, line: int, says: str) -> None:
    """A sentence that says what to write instead."""
    with pytest.raises(InvalidTable) as refused:
        read_table(name, text, f"{name}.csv")
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == (f"{name}.csv", line)
    assert says in problem.sentence


def test_each_file_stands_alone(tmp_path: Path) -> None:
    """One that is broken is named, the others count; the hash follows what is said, not how."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "owners.csv").write_bytes(b"owner\nJ\xf6rg\n")
    (folder / "won_stages.csv").write_text("stage,is_won\nClosed Won,yes\nLost,no\n")
    loaded = load_tables(tmp_path)
    assert (set(loaded.tables), set(loaded.broken)) == ({"won_stages"}, {"owners"})
    assert "save it as UTF-8" in str(loaded.errors[0])
    again = read_table("won_stages", "is_won,stage\n", "again")
    assert again.content_hash != loaded.tables["won_stages"].content_hash
    same = read_table("won_stages", "stage,is_won\n\nLost , no\nClosed Won,yes", "same")
    assert same.content_hash == loaded.tables["won_stages"].content_hash
    assert load_tables(None).tables == {}
