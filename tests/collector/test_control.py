"""The control store, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from throughline.collector.control import ControlStore
from throughline.collector.control_schema import metadata
from throughline.probes.errors import ControlError, LeaseLost

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=10)
LATER = NOW + TTL + timedelta(seconds=1)

T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """An empty place of either kind."""
    if request.param == "sqlite":
        return tmp_path / "control.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def control(where: str | Path) -> Iterator[ControlStore]:
    """A migrated, empty control store."""
    store = ControlStore.open(where)
    store.migrate()
    yield store
    store.close()


def in_threads(count: int, work: Callable[[int], T]) -> list[T]:
    """The results of `count` threads that start at the same moment."""
    barrier = threading.Barrier(count)

    def start(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


class TestLeases:
    """One holder at a time, and a number that tells a stale one."""

    def test_free_lease_is_taken(self, control: ControlStore) -> None:
        """The first taker gets token 1 until the given time."""
        lease = control.acquire_lease("loader", "a", TTL, NOW)
        assert lease is not None
        assert (lease.token, lease.expires_at) == (1, NOW + TTL)

    def test_held_lease_is_refused(self, control: ControlStore) -> None:
        """Nobody else gets it before it expires."""
        control.acquire_lease("loader", "a", TTL, NOW)
        assert control.acquire_lease("loader", "b", TTL, NOW + TTL / 2) is None

    def test_expired_lease_changes_hands_with_a_greater_token(self, control: ControlStore) -> None:
        """The new holder's token is greater and the old holder can neither renew nor release it."""
        old = control.acquire_lease("loader", "a", TTL, NOW)
        new = control.acquire_lease("loader", "b", TTL, LATER)
        assert old is not None
        assert new is not None
        assert new.token > old.token
        assert control.renew_lease(old, TTL, LATER) is None
        control.release_lease(old)
        assert control.acquire_lease("loader", "c", TTL, LATER) is None

    def test_renewed_lease_lasts(self, control: ControlStore) -> None:
        """Renewing keeps the token and moves the end."""
        lease = control.acquire_lease("loader", "a", TTL, NOW)
        assert lease is not None
        renewed = control.renew_lease(lease, TTL, NOW + TTL / 2)
        assert renewed is not None
        assert (renewed.token, renewed.expires_at) == (lease.token, NOW + 1.5 * TTL)
        assert control.acquire_lease("loader", "b", TTL, NOW + 1.2 * TTL) is None

    def test_released_lease_is_free_and_its_token_still_grows(self, control: ControlStore) -> None:
        """Tokens never repeat, not even through a release."""
        lease = control.acquire_lease("loader", "a", TTL, NOW)
        assert lease is not None
        control.release_lease(lease)
        after = control.acquire_lease("loader", "b", TTL, NOW)
        assert after is not None
        assert after.token == lease.token + 1

    def test_one_of_many_takers_wins(self, control: ControlStore) -> None:
        """Of takers at one moment exactly one gets the lease."""
        taken = in_threads(8, lambda number: control.acquire_lease("loader", f"holder-{number}", TTL, NOW))
        assert sum(lease is not None for lease in taken) == 1


class TestCursors:
    """Positions per tenant."""

    def test_cursor_keeps_the_last_value_per_tenant(self, control: ControlStore) -> None:
        """A tenant's position is its own; unset is None."""
        control.set_cursor("a", "mapping", "1")
        control.set_cursor("a", "mapping", "2")
        assert (control.cursor("a", "mapping"), control.cursor("b", "mapping")) == ("2", None)

    def test_stale_holder_cannot_move_a_cursor(self, control: ControlStore) -> None:
        """A worker that slept past its lease writes nothing."""
        stale = control.acquire_lease("mapping", "a", TTL, NOW)
        current = control.acquire_lease("mapping", "b", TTL, LATER)
        control.set_cursor("t", "mapping", "by b", lease=current)
        with pytest.raises(LeaseLost, match="mapping has a new holder"):
            control.set_cursor("t", "mapping", "by a", lease=stale)
        assert control.cursor("t", "mapping") == "by b"


class TestDefinitions:
    """The last valid version of each process."""

    def test_activation_tells_a_change(self, control: ControlStore) -> None:
        """The same content again is no change; other content is, and replaces the text."""
        assert control.activate_definition("o2i", 1, "aa", "text 1", NOW)
        assert not control.activate_definition("o2i", 1, "aa", "text 1", LATER)
        assert control.activate_definition("o2i", 2, "bb", "text 2", LATER)
        kept = control.definitions()["o2i"]
        assert (kept.version, kept.source, kept.activated_at) == (2, "text 2", LATER)


class TestJobs:
    """Work that waits for the engine."""

    def test_job_runs_to_its_end(self, control: ControlStore) -> None:
        """Queued, claimed, reported, done; each visible to whoever asked."""
        asked = control.enqueue_job("rebuild", "t", "o2i", NOW)
        claimed = control.claim_job("engine", TTL, NOW)
        assert claimed is not None
        assert (claimed.id, claimed.state) == (asked.id, "running")
        assert control.report_job(claimed, "engine", TTL, NOW, progress=0.5, message="half")
        shown = control.job(asked.id)
        assert shown is not None
        assert (shown.progress, shown.message) == (0.5, "half")
        assert control.finish_job(claimed, "engine", LATER, state="done", message="5 journeys")
        done = control.job(asked.id)
        assert done is not None
        assert (done.state, done.progress, done.finished_at) == ("done", 1.0, LATER)
        assert control.claim_job("engine", TTL, LATER) is None

    def test_waiting_job_is_not_doubled(self, control: ControlStore) -> None:
        """Asking twice before the engine begins is one job; asking while it runs is another."""
        first = control.enqueue_job("rebuild", "t", "o2i", NOW)
        assert control.enqueue_job("rebuild", "t", "o2i", LATER) == first
        control.claim_job("engine", TTL, NOW)
        assert control.enqueue_job("rebuild", "t", "o2i", LATER).id != first.id

    def test_job_carries_what_it_is_about_and_what_came_of_it(self, control: ControlStore) -> None:
        """Work on something else is other work; the result is there for whoever asked."""
        first = control.enqueue_job("compare", "t", "o2i", NOW, payload="1")
        second = control.enqueue_job("compare", "t", "o2i", LATER, payload="2")
        assert control.enqueue_job("compare", "t", "o2i", LATER, payload="1") == first
        assert second.id != first.id
        claimed = control.claim_job("engine", TTL, NOW)
        assert claimed is not None
        assert claimed.payload == "1"
        control.finish_job(claimed, "engine", LATER, state="done", message="", result="[]")
        done = control.job(first.id)
        assert done is not None
        assert done.result == "[]"

    def test_job_of_a_dead_engine_is_taken_over(self, control: ControlStore) -> None:
        """Past its time another engine claims the job and the first one's words no longer count."""
        control.enqueue_job("rebuild", "t", "o2i", NOW)
        first = control.claim_job("a", TTL, NOW)
        assert first is not None
        assert control.claim_job("b", TTL, NOW + TTL / 2) is None
        second = control.claim_job("b", TTL, LATER)
        assert second is not None
        assert second.id == first.id
        assert not control.finish_job(first, "a", LATER, state="done", message="")
        assert control.finish_job(second, "b", LATER, state="failed", message="no such process")

    def test_oldest_job_comes_first(self, control: ControlStore) -> None:
        """Jobs are claimed in the order of asking and listed the other way round."""
        control.enqueue_job("rebuild", "t", "later", LATER)
        control.enqueue_job("rebuild", "t", "sooner", NOW)
        first = control.claim_job("engine", TTL, LATER)
        assert first is not None
        assert first.process == "sooner"
        assert [job.process for job in control.jobs()] == ["later", "sooner"]

    def test_each_job_is_claimed_once(self, control: ControlStore) -> None:
        """Engines that claim at one moment get different jobs."""
        for number in range(4):
            control.enqueue_job("rebuild", "t", f"process-{number}", NOW)
        claimed = in_threads(8, lambda number: control.claim_job(f"engine-{number}", TTL, NOW))
        processes = [job.process for job in claimed if job is not None]
        assert sorted(processes) == [f"process-{number}" for number in range(4)]


def test_engine_mark_tells_how_the_last_one_stopped(control: ControlStore) -> None:
    """Each mark returns the one before it."""
    assert control.mark_engine("engine", "boot-1", NOW, clean=False) is None
    before = control.mark_engine("engine", "boot-2", LATER, clean=False)
    assert before is not None
    assert (before.boot_id, before.clean, before.at) == ("boot-1", False, NOW)


def test_state_survives_reopening(where: str | Path) -> None:
    """What was written is there for the next process, and migrating again changes nothing."""
    for value in (None, "7"):
        store = ControlStore.open(where)
        store.migrate()
        assert store.cursor("t", "c") == value
        store.set_cursor("t", "c", "7")
        store.close()


def test_two_processes_may_migrate_at_once(where: str | Path) -> None:
    """Nobody fails and the schema is there once."""

    def migrate(_number: int) -> str | None:
        store = ControlStore.open(where)
        store.migrate()
        value = store.cursor("t", "c")
        store.close()
        return value

    assert in_threads(4, migrate) == [None] * 4


def test_migrations_make_the_schema_that_the_code_reads(where: str | Path) -> None:
    """The tables that the revisions create are those of control_schema.py."""
    store = ControlStore.open(where)
    store.migrate()
    with store._engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        assert differences == []
        names = set(sa.inspect(connection).get_table_names())
    store.close()
    assert names == {*metadata.tables, "alembic_version"}


def test_sqlite_is_durable(tmp_path: Path) -> None:
    """A power loss loses no committed row: WAL with synchronous=FULL."""
    store = ControlStore.open(tmp_path / "control.db")
    with store._engine.connect() as connection:
        modes = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    store.close()
    assert modes == ["wal", 2]


def test_naive_time_is_refused(control: ControlStore) -> None:
    """A time without a zone is a bug, not noon somewhere."""
    with pytest.raises(ControlError, match="no time zone"):
        control.acquire_lease("loader", "a", TTL, NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("mysql://user:secret@host/db", "postgresql:// URL"),
        ("postgresql://user:secret@127.0.0.1:1/db?connect_timeout=2", "cannot be opened"),
        ("/proc/nowhere/control.db", "cannot be opened"),
    ],
)
def test_wrong_place_is_one_sentence_without_the_password(place: str, words: str) -> None:
    """Opening says what is wrong in one line and never shows a password."""
    with pytest.raises(ControlError, match=words) as caught:
        ControlStore.open(place)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_done_together_is_stored_as_a_whole_or_not_at_all(control: ControlStore) -> None:
    """One transaction for the thread; an error in it takes everything back, and the next begins anew."""
    now = datetime(2026, 3, 1, tzinfo=UTC)

    def failing() -> None:
        with control.together():
            control.acquire_lease("first", "me", timedelta(minutes=1), now)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with control.together():
        assert control.acquire_lease("first", "you", timedelta(minutes=1), now) is not None
        control.acquire_lease("second", "you", timedelta(minutes=1), now)
    assert control.acquire_lease("second", "me", timedelta(minutes=1), now) is None
