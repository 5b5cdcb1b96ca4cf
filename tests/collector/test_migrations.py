"""One schema history: splitting, order, repetition, one version back, newer versions."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores import SCHEMA
from throughline.collector import migrations
from throughline.collector.store import Role, Store
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_semicolons_split_only_between_statements() -> None:
    """Literals, quoted identifiers and comments hide semicolons."""
    text = """-- a; b
    SELECT 'x;''y\\';' AS `a;b`, "c;d"; /* ; */
    SELECT 2 -- end;
    ;;"""
    assert list(migrations.split_statements(text)) == ["SELECT 'x;''y\\';' AS `a;b`, \"c;d\"", "SELECT 2"]


@given(st.lists(st.text(alphabet="ab;'`\"\\ \n-", max_size=8), min_size=1, max_size=4))
def test_literals_survive_splitting(texts: list[str]) -> None:
    """Whatever a literal holds, as many statements come out as went in, unchanged."""
    statements = ["SELECT '" + text.replace("\\", "\\\\").replace("'", "''") + "'" for text in texts]
    assert list(migrations.split_statements(";\n".join(statements))) == statements


def test_numbers_are_unique_and_names_well_formed(tmp_path: Path) -> None:
    """A bad name, a number used twice and an empty file are refused by name."""
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    assert [migration.number for migration in migrations.load(tmp_path)] == [1]
    (tmp_path / "0001_b.sql").write_text("SELECT 1")
    with pytest.raises(ValueError, match=r"0001_b\.sql: number 1 is taken by a"):
        migrations.load(tmp_path)
    (tmp_path / "0001_b.sql").rename(tmp_path / "2_b.sql")
    with pytest.raises(ValueError, match=r"2_b\.sql: a migration is named"):
        migrations.load(tmp_path)
    (tmp_path / "2_b.sql").unlink()
    (tmp_path / "0002_c.sql").write_text("-- nothing")
    with pytest.raises(ValueError, match=r"0002_c\.sql: no statement"):
        migrations.load(tmp_path)


def test_no_statement_spells_a_database() -> None:
    """Several databases hold the schema side by side."""
    text = " ".join(statement for migration in migrations.shipped() for statement in migration.statements)
    assert "default." not in text


def test_migrating_twice_changes_nothing(store: Store) -> None:
    """A second run does nothing; running every statement again leaves the schema as it is."""
    before = store.query(SCHEMA, role=Role.PAGES).result_rows
    assert store.migrate() == 0
    store.command("TRUNCATE TABLE schema_migrations", role=Role.LOADER)
    assert store.migrate() == len(migrations.shipped())
    assert store.query(SCHEMA, role=Role.PAGES).result_rows == before


def test_a_store_one_version_back_gets_the_same_schema(store: Store) -> None:
    """A store without the newest migration ends with the schema of an empty store migrated at once."""
    fresh = store.query(SCHEMA, role=Role.PAGES).result_rows
    names = {str(row[0]) for row in fresh}
    newest = [one for one in migrations.shipped() if any("CREATE TABLE" in s for s in one.statements)][-1]
    made = [
        name
        for name in names
        if any(
            f" {name}" in s.split("(")[0].split(" AS")[0] for s in newest.statements if s.startswith("CREATE")
        )
    ]
    for name in made:
        store.command(f"DROP TABLE {name}", role=Role.LOADER)
    store.command(f"DELETE FROM schema_migrations WHERE Number = {newest.number}", role=Role.LOADER)
    assert made
    assert store.migrate() == 1
    assert store.query(SCHEMA, role=Role.PAGES).result_rows == fresh


def test_changed_views_are_made_anew(store: Store) -> None:
    """All of them, once, when what was recorded last is not their content; no view is left out."""
    fresh = store.query(SCHEMA, role=Role.PAGES).result_rows
    folder = resources.files(migrations.PACKAGE) / "sql" / "views"
    assert {file.name for file in folder.iterdir()} == {f"{name}.sql" for name in migrations.VIEWS}
    store.command("DROP VIEW cycles_at", role=Role.LOADER)
    store.insert_rows("schema_migrations", [(0, "views_of_yesterday")], ["Number", "Name"], role=Role.LOADER)
    assert store.migrate() == 0
    assert store.query(SCHEMA, role=Role.PAGES).result_rows == fresh
    store.migrate()
    recorded = "SELECT count() FROM schema_migrations WHERE Number = 0"
    assert store.query(recorded, role=Role.PAGES).result_rows == [(3,)]


def test_a_store_of_a_newer_version_is_left_alone(store: Store) -> None:
    """An older program refuses a newer store and says what to install."""
    store.insert_rows("schema_migrations", [(9999, "from the future")], ["Number", "Name"], role=Role.LOADER)
    with pytest.raises(StoreError, match=r"schema 9999.*install the newer version"):
        store.migrate()
