"""The store: the same on a directory and behind HTTP, within limits, and clear when it cannot."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.clickhouse_server import serve
from throughline.collector.store import (
    DEFAULT_LIMITS,
    Role,
    RoleLimits,
    Store,
    StoreLimits,
    load_queries,
)
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def test_values_reach_sql_as_parameters(store: Store) -> None:
    """Strings, wide integers, arrays and times come back as they were given."""
    given = {
        "text": "it's \\ \n tab\t ü",
        "wide": 2**127 + 1,
        "many": list(range(50_000)),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    }
    sql = "SELECT {text:String}, {wide:UInt128}, {many:Array(UInt64)}, {at:DateTime64(6, 'UTC')}"
    assert store.query(sql, given, role=Role.PAGES).result_rows == [tuple(given.values())]


def test_frames_rows_and_commands(store: Store) -> None:
    """Rows inserted are selected again, into a frame too; INSERT ... SELECT takes parameters."""
    store.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a", role=Role.LOADER)
    store.insert_rows("t", [(1, "x"), (2, "y")], ["a", "b"], role=Role.LOADER)
    store.command("INSERT INTO t SELECT {a:UInt64}, {b:String}", {"a": 3, "b": "z"}, role=Role.CORRELATOR)
    frame = store.frame("SELECT a, b FROM t ORDER BY a", role=Role.PAGES)
    assert frame.to_dict("list") == {"a": [1, 2, 3], "b": ["x", "y", "z"]}


def test_a_query_of_one_role_never_waits_for_another_role(store: Store) -> None:
    """While every ad hoc client is busy, pages answer; a further ad hoc query waits its turn."""
    started = threading.Barrier(DEFAULT_LIMITS[Role.ADHOC].clients + 1)

    def slow() -> None:
        started.wait()
        store.query("SELECT sleepEachRow(0.1) FROM numbers(20) SETTINGS max_block_size = 1", role=Role.ADHOC)
        finished.append(time.monotonic())

    finished: list[float] = []
    threads = [threading.Thread(target=slow) for _ in range(DEFAULT_LIMITS[Role.ADHOC].clients)]
    for thread in threads:
        thread.start()
    started.wait()
    assert store.query("SELECT 1", role=Role.PAGES).result_rows == [(1,)]
    assert finished == []
    for thread in threads:
        thread.join()


def test_limits_of_time_and_memory(store_url: str) -> None:
    """A query past its role's seconds or bytes ends with an error, retryable, that names the limit."""
    tight = {role: RoleLimits(clients=1, seconds=1, memory_bytes=50_000_000, threads=1) for role in Role}
    store = Store.open(store_url, limits=StoreLimits(roles=tight))
    try:
        with pytest.raises(StoreError, match=r"(?i)timeout exceeded") as slow:
            store.query(
                "SELECT sleepEachRow(0.1) FROM numbers(50) SETTINGS max_block_size = 1", role=Role.PAGES
            )
        assert (slow.value.code, slow.value.permanent) == (159, False)
        with pytest.raises(StoreError, match=r"(?i)memory limit") as large:
            store.query("SELECT length(groupArray(number)) FROM numbers(50000000)", role=Role.PAGES)
        assert (large.value.code, large.value.permanent) == (241, False)
    finally:
        store.close()


def test_a_wrong_statement_is_a_permanent_error(store: Store) -> None:
    """The engine's message comes in one line with its code; trying again is pointless."""
    with pytest.raises(StoreError, match=r"^Code: 60\. .*no_such_table") as error:
        store.query("SELECT * FROM no_such_table", role=Role.PAGES)
    assert error.value.permanent
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_engine")
def test_a_directory_in_use_by_another_process(tmp_path: Path) -> None:
    """The second process is told to stop the first or to choose another directory."""
    code = (
        "import sys; from throughline.collector.store import Store; store = Store.open(sys.argv[1]);"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "store")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=r"in use by another process: stop that one or choose another"):
            Store.open(tmp_path / "store")
        holder.kill()
    Store.open(tmp_path / "store").close()


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """A file in the way is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot use the data directory .*file/store"):
        Store.open(tmp_path / "file" / "store")


def test_a_server_that_is_not_there() -> None:
    """Nobody listening: one sentence that says what to do, and retrying may help."""
    with pytest.raises(
        StoreError, match=r"cannot reach ClickHouse at 127.0.0.1:9: start it or correct"
    ) as error:
        Store.open("http://127.0.0.1:9/x")
    assert not error.value.permanent


@pytest.mark.parametrize("url", ["http://", "http://host:port/x"])
def test_an_invalid_url(url: str) -> None:
    """A URL without a host, or with a port that is no number, is refused with the right form."""
    with pytest.raises(StoreError, match=r"use http\(s\)://user:password@host:port/database"):
        Store.open(url)


def test_a_server_that_is_too_old(tmp_path: Path) -> None:
    """A server before 26.2 is refused."""
    with (
        serve(tmp_path, version="25.8.3.66") as (port, _),
        pytest.raises(StoreError, match=r"ClickHouse 25\.8\.3\.66 is too old: upgrade the server to 26\.2"),
    ):
        Store.open(f"http://127.0.0.1:{port}/x")


def test_a_server_that_restarts(tmp_path: Path) -> None:
    """While it is away queries fail as retryable; afterwards the same store works again."""
    with serve(tmp_path) as (port, _):
        store = Store.open(f"http://127.0.0.1:{port}/x")
        store.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a", role=Role.LOADER)
    with pytest.raises(StoreError) as error:
        store.query("SELECT count() FROM t", role=Role.LOADER)
    assert not error.value.permanent
    with serve(tmp_path, port=port):
        assert store.query("SELECT count() FROM t", role=Role.LOADER).result_rows == [(0,)]
        store.close()


def test_named_queries() -> None:
    """Blocks of a file are found by name, without their comments' hyphens."""
    queries = load_queries("throughline.collector", "queries")
    assert set(queries) == {"received", "stored"}
    assert "SELECT Signal" in queries["received"]
