"""What people do about exceptions, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.collector.test_control import in_threads
from throughline.collector.control import ControlStore
from throughline.collector.exception_acts import About, Case, ExceptionActs
from throughline.collector.store import Role, Store

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ABOUT = About("acme", "00000000000000ff", "probe", 2**64 - 1, "finance")


@pytest.fixture(params=["sqlite", "postgresql"])
def acts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExceptionActs]:
    """The acts of an empty control store of either kind."""
    sqlite = request.param == "sqlite"
    where = tmp_path / "control.db" if sqlite else request.getfixturevalue("postgres_url")
    control = ControlStore.open(where)
    control.migrate()
    yield ExceptionActs(control)
    control.close()


def test_of_many_at_once_one_wins_and_every_comment_is_kept(acts: ExceptionActs) -> None:
    """Acts made on one state: one is taken. Comments neither conflict nor make others conflict."""
    alone = acts.case("acme", ABOUT.exception)
    assert alone == Case()

    def work(number: int) -> Case | None:
        acts.comment(ABOUT, actor=f"person-{number}", note="me too", now=NOW)
        wanted = replace(alone, assignee=f"person-{number}")
        return acts.act(ABOUT, "owner_changed", wanted, actor=f"person-{number}", note="", now=NOW)

    done = [case for case in in_threads(6, work) if case]
    assert [case.revision for case in done] == [1]
    present = acts.case("acme", ABOUT.exception)
    assert present == done[0]
    closing = replace(present, closed_at=NOW, closed_by="ann", reason="duplicate", seen_until=NOW)
    after = acts.act(ABOUT, "closed", closing, actor="ann", note="see 12", now=NOW)
    assert after == replace(closing, revision=2) == acts.case("acme", ABOUT.exception)
    assert acts.case("rival", ABOUT.exception) == Case(), "tenants do not see each other's"


def test_every_act_reaches_clickhouse_once(acts: ExceptionActs, embedded_store: Store) -> None:
    """A copy that was cut off is made again, and nothing counts twice; times keep their microseconds."""
    about = replace(ABOUT, tenant=f"copied-{datetime.now(UTC).timestamp()}")
    until = NOW + timedelta(days=1)
    acts.act(about, "snoozed", Case(snoozed_until=until), actor="ann", note="later", now=NOW)
    acts.comment(about, actor="bob", note="no", now=NOW)
    assert acts.copy(embedded_store) == 2
    assert acts.copy(embedded_store) == 0
    with acts._control.transaction() as connection:
        connection.exec_driver_sql("UPDATE exception_acts SET copied = false")
    assert acts.copy(embedded_store) == 2, "the mark was lost: the death of a process"

    def rows(columns: str, table: str) -> list[tuple[object, ...]]:
        sql = f"SELECT {columns} FROM {table} FINAL WHERE Tenant = {{tenant:String}} ORDER BY 1, 2"
        found = embedded_store.query(sql, {"tenant": about.tenant}, role=Role.PAGES).result_rows
        return [tuple(row) for row in found]

    assert rows("Kind, Actor, Subject, ExceptionId, Note, toString(At), Until", "exception_transitions") == [
        ("commented", "bob", 2**64 - 1, 255, "no", "2026-03-01 12:00:00.123456000", None),
        ("snoozed", "ann", 2**64 - 1, 255, "later", "2026-03-01 12:00:00.123456000", until),
    ]
    handling = rows("ExceptionId, Version, SnoozedUntil, ClosedAt", "exception_handling")
    assert handling == [(255, 1, until, None)]
