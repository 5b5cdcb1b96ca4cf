"""Exploring queries: whatever is written, only one tenant's documented rows come back, within limits."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dashboards.conftest import THEIRS, Client, World
from tests.dashboards.seed_firm import NOW
from throughline.collector.store import Role, Store
from throughline.correlator.functions import is_function
from throughline.correlator.sql_guard import RAW_TABLES, VIEWS, QueryRefused, guard
from throughline.dashboards.explore import explore
from throughline.dashboards.settings import DashboardSettings

SETTINGS = DashboardSettings()

ALLOWED = [
    "SELECT region, count() AS value FROM journeys WHERE status = 'stuck' GROUP BY region HAVING value > 5",
    "SELECT * FROM journeys ORDER BY opened_at DESC LIMIT 3",
    "SELECT quantile(0.5)(amount), sumIf(amount, status = 'late') FROM journeys",
    "WITH x AS (SELECT id, amount FROM journeys), y AS (SELECT * FROM x) SELECT count(), sum(amount) FROM y",
    "WITH journeys AS (SELECT id FROM journeys LIMIT 2) SELECT count() FROM journeys",
    "SELECT name, state, count() FROM milestones GROUP BY ALL",
    "SELECT j.id, m.name FROM journeys AS j JOIN milestones AS m ON m.journey = j.id WHERE m.state = 'late'",
    "SELECT id FROM journeys WHERE id IN (SELECT journey FROM milestones WHERE state = 'late')",
    "SELECT keys, attributes['business.event'] FROM events WHERE event = 'invoice.posted' LIMIT 1",
    "SELECT tupleElement(one, 'Amount') FROM journeys ARRAY JOIN amount_objects AS one",
    "SELECT status FROM journeys UNION ALL SELECT status FROM exceptions",
    "SELECT toStartOfWeek(opened_at) AS week, count() FROM journeys GROUP BY week ORDER BY week",
    "SELECT sum(count) OVER (PARTITION BY name) FROM milestones",
    "SELECT arrayMap(x -> x * 2, [1, 2]), if(1, 'a', 'b'), CAST(1 AS Nullable(Float64))",
    "SELECT message FROM exceptions WHERE match(message, 'lock.*') AND opened_at > now() - INTERVAL 900 DAY",
    "SELECT SpanName, avg(Duration) FROM otel_traces GROUP BY SpanName",
    "SELECT `id` FROM `journeys` WHERE customer = 'O''Reilly \\\\ Söhne'",
]
REFUSED = {
    "SELECT * FROM journey_state": "there is no table",
    "SELECT * FROM default.journeys": "without a database",
    "SELECT * FROM system.tables": "without a database",
    "SELECT * FROM information_schema.tables": "without a database",
    "SELECT * FROM journeys_at(tenant = 'rival', now = now())": "not allowed",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')": "not allowed",
    "SELECT * FROM url('http://127.0.0.1/', 'CSV')": "not allowed",
    "SELECT * FROM remote('127.0.0.1', 'x', 'y')": "not allowed",
    "SELECT * FROM s3('http://x/y')": "not allowed",
    "SELECT * FROM merge('.*')": "not allowed",
    "SELECT * FROM merge(currentDatabase(), 'journey_state')": "not allowed",
    "SELECT * FROM `merge`('default', '.*')": "not allowed",
    "SELECT * FROM view(SELECT 1)": "not allowed",
    "SELECT * FROM executable('id', 'TSV', 'x String')": "not allowed",
    "SELECT * FROM numbers(10)": "not allowed",
    "SELECT * FROM cluster('c', 'd', 't')": "not allowed",
    "SELECT * FROM dictionary('d')": "there is no table",
    "SELECT dictGet('d', 'a', 1)": "dictGet",
    "SELECT joinGet('journey_state', 'Root', 1)": "joinGet",
    "SELECT file('/etc/passwd')": "file",
    "SELECT `file`('/etc/passwd')": "file",
    "SELECT hasColumnInTable('default', 'keys', 'Key')": "hasColumnInTable",
    "SELECT getSetting('readonly')": "getSetting",
    "SELECT sleep(3)": "sleep",
    "SELECT throwIf(1)": "throwIf",
    "SELECT hostName(), currentUser()": "not allowed",
    "SELECT id IN journey_state FROM journeys": "after IN",
    "SELECT id IN (journey_state) FROM journeys": "after IN",
    "SELECT id NOT IN (`journey_state`) FROM journeys": "after IN",
    "SELECT id GLOBAL IN keys FROM journeys": "after IN",
    "SELECT notIn(id, journey_state) FROM journeys": "not allowed",
    "SELECT (SELECT max(Version) FROM journey_state)": "there is no table",
    "SELECT * FROM (WITH journey_state AS (SELECT 1) SELECT 1), journey_state": "there is no table",
    "WITH x AS (SELECT * FROM keys) SELECT * FROM x": "there is no table",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT * FROM x) SELECT * FROM x": "RECURSIVE",
    "SELECT * FROM journeys JOIN keys ON 1 = 1": "there is no table",
    "SELECT 1 UNION ALL SELECT Value FROM keys": "there is no table",
    "SELECT 1 SETTINGS readonly = 0": "SETTINGS",
    "SELECT * FROM (SELECT 1 SETTINGS max_threads = 1)": "SETTINGS",
    "SELECT 1 FORMAT CSV": "FORMAT",
    "SELECT 1 INTO OUTFILE '/tmp/x'": "cannot be read",
    "SELECT {tenant:String}": "parameters",
    "SELECT * FROM {t:Identifier}": "parameters",
    "SELECT * FROM journeys FINAL": "FINAL",
    "SELECT * FROM journeys SAMPLE 0.1": "SAMPLE",
    "SELECT 1; SELECT 2": "only one SELECT",
    "INSERT INTO keys VALUES (1)": "only one SELECT",
    "DROP TABLE keys": "only one SELECT",
    "ALTER TABLE keys DELETE WHERE 1": "only one SELECT",
    "DESCRIBE keys": "only one SELECT",
    "SHOW TABLES": "only one SELECT",
    "EXPLAIN SELECT 1": "only one SELECT",
    "SYSTEM SHUTDOWN": "only one SELECT",
    "": "only one SELECT",
    "SELECT FROM WHERE": "cannot be read",
    "(" * 400 + "SELECT 1" + ")" * 400: "cannot be read",
}


@pytest.fixture(scope="module")
def module_store(each_store: Store) -> Store:
    """A store of each engine: limits and what is allowed are the engine's too."""
    return each_store


@pytest.mark.parametrize("sql", ALLOWED)
def test_an_ordinary_query_runs(shared: World, sql: str) -> None:
    """Views, raw tables, joins, sub-selects, common table expressions, windows, array joins."""
    answer = explore(shared.deps.store, sql, tenant="default", now=NOW, settings=SETTINGS)
    assert answer.columns


@pytest.mark.parametrize("sql", REFUSED)
def test_anything_else_is_refused_before_it_reaches_the_engine(sql: str) -> None:
    """Undocumented tables, table functions, files, addresses, settings, statements that are no SELECT."""
    with pytest.raises(QueryRefused, match=re.escape(REFUSED[sql])):
        guard(sql)


def test_every_documented_table_shows_only_the_tenants_rows(shared: World) -> None:
    """Each view and raw table, alone, joined, aliased, in a sub-select, a UNION or a common table
    expression.
    """
    rival = {one["id"] for one in shared.theirs.journeys} | {
        one["customer"] for one in shared.theirs.journeys
    }
    store = shared.deps.store
    mine = {one["id"] for one in shared.ours.journeys}
    for name in (*VIEWS, *RAW_TABLES):
        answer = explore(store, f"SELECT * FROM {name}", tenant="nobody", now=NOW, settings=SETTINGS)
        assert list(answer.rows) == [], name
        for sql in (
            f"SELECT * FROM {name}",
            f"SELECT x.* FROM {name} AS x",
            f"SELECT * FROM (SELECT * FROM {name})",
            f"WITH {name} AS (SELECT * FROM {name}) SELECT * FROM {name}",
            f"SELECT count() FROM {name} UNION ALL SELECT count() FROM `{name}`",
        ):
            answer = explore(store, sql, tenant="default", now=NOW, settings=SETTINGS)
            text = str(answer.rows)
            assert "rival" not in text, sql
            assert not (rival - mine) & set(re.findall(r"[0-9a-f]{16}", text)), sql


def test_no_allowed_function_reads_files_dictionaries_settings_or_the_server(shared: World) -> None:
    """Judged by the engine's own list: none of its reading, waiting, failing or learning functions is
    allowed.
    """
    rows = shared.deps.store.query(
        "SELECT name, categories FROM system.functions", role=Role.PAGES
    ).result_rows
    dangerous = {
        "Dictionary",
        "Introspection",
        "AI",
        "Machine Learning",
        "Internal",
        "Embedded Dictionary",
        "Encryption",
    }
    named = (
        "file url sleep throw setting macro user host server port uptime database schema profile role query"
    )
    assert not is_function("version")
    for name, category in rows:
        if category in dangerous:
            assert not is_function(name), name
        if category == "Other":
            assert not any(word in name.lower() for word in named.split()) or not is_function(name), name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_a_text_reaches_the_engine_as_it_was_written(shared: World, text: str) -> None:
    """Quotes, backslashes and comment marks inside a literal stay inside it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    answer = explore(
        shared.deps.store, f"SELECT '{escaped}' AS value", tenant="default", now=NOW, settings=SETTINGS
    )
    assert answer.rows == [(text,)]


def test_a_query_is_limited_in_rows_time_and_memory(shared: World) -> None:
    """Too many rows are cut and said so; too much time or memory is refused with advice."""
    store = shared.deps.store
    few = SETTINGS.model_copy(update={"query_rows": 5})
    answer = explore(
        store, "SELECT id FROM journeys ORDER BY opened_at", tenant="default", now=NOW, settings=few
    )
    assert (len(answer.rows), answer.truncated) == (5, True)
    ordered = sorted(shared.ours.journeys, key=lambda one: one["opened"])
    assert [row[0] for row in answer.rows] == [one["id"] for one in ordered[:5]]
    quick = SETTINGS.model_copy(update={"query_seconds": 1})
    crossed = ", ".join(f"events AS e{number}" for number in range(6))
    with pytest.raises(QueryRefused, match="more time"):
        explore(store, f"SELECT count() FROM {crossed}", tenant="default", now=NOW, settings=quick)
    small = SETTINGS.model_copy(update={"query_memory_bytes": 1024**2})
    hungry = "SELECT groupArray(repeat(a.event, 500)) FROM events AS a, events AS b, events AS c"
    with pytest.raises(QueryRefused, match="memory"):
        explore(store, hungry, tenant="default", now=NOW, settings=small)


def test_limits_stay_behind_in_no_connection(shared: World) -> None:
    """After a read-only query the same connections still write."""
    store = shared.deps.store
    for _ in range(4):
        explore(store, "SELECT 1", tenant="default", now=NOW, settings=SETTINGS)
    row = ["default", "p", 1, 1, 1]
    store.insert_rows(
        "fold_progress", [row[:4]], ["Tenant", "Process", "Generation", "Version"], role=Role.ADHOC
    )
    assert store.query("SELECT count() FROM fold_progress", role=Role.PAGES).result_rows == [(1,)]


async def test_the_endpoint_answers_columns_and_rows_or_a_problem_that_offers_what_is_allowed(
    shared: World, client: Client
) -> None:
    """An empty answer still has its columns; a refusal lists the tables."""
    async with client(shared.deps) as http:
        answer = await http.post(
            "/v1/query", json={"sql": "SELECT status, count() AS n FROM journeys GROUP BY status"}
        )
        assert answer.status_code == 200
        assert answer.json()["columns"] == ["status", "n"]
        assert sum(row[1] for row in answer.json()["rows"]) == len(shared.ours.journeys)
        answer = await http.post("/v1/query", json={"sql": "SELECT id, amount FROM journeys WHERE 1 = 0"})
        assert (answer.json()["columns"], answer.json()["rows"]) == (["id", "amount"], [])
        for sql in ("SELECT * FROM keys", "SELECT nope FROM journeys"):
            answer = await http.post("/v1/query", json={"sql": sql})
            assert answer.status_code == 400
            assert answer.headers["content-type"] == "application/problem+json"
            assert "journeys" in answer.json()["allowed"]
        assert (await http.post("/v1/query", json={})).status_code == 422
    async with client(replace(shared.deps, spool=Path("/nowhere")), THEIRS) as http:
        answer = await http.post("/v1/query", json={"sql": "SELECT count() FROM journeys"})
        assert answer.json()["rows"] == [[len(shared.theirs.journeys)]]
