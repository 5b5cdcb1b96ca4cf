"""The whole application over real HTTP: API beside pages, signing in, unknown hosts; and in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.dashboards.browse import browse, screenshots, settle, visitor
from tests.dashboards.conftest import ACCESS, OURS
from tests.dashboards.definition import definition
from tests.dashboards.seed import NOW, seed
from tests.dashboards.serving import serving
from throughline.collector.auth import Access
from throughline.collector.store import Role, Store
from throughline.dashboards.deps import Deps


@pytest.fixture(scope="module")
def deps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deps]:
    """A seeded store, embedded, open to this machine."""
    folder = tmp_path_factory.mktemp("app")
    store = Store.open(folder / "store")
    try:
        store.migrate()
        seed(store)
        processes = (definition(),)
        yield Deps(store=store, access=Access(), spool=folder, processes=lambda: processes, clock=lambda: NOW)
    finally:
        store.close()


def test_pages_and_api_share_one_port(deps: Deps) -> None:
    """The root is the page, /api/v1 the API with its description and its problems; owners reach SQL."""
    with serving(deps) as address, httpx.Client(base_url=address, timeout=60) as http:
        assert http.get("/").headers["content-type"].startswith("text/html")
        assert http.get("/_stcore/health").status_code == 200
        assert http.get("/api/v1/journeys").status_code == 200
        assert http.get("/api/docs").status_code == 200
        assert http.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]
        missing = http.get("/api/v1/nothing")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
        sql = "SELECT DISTINCT owner FROM milestones WHERE name = 'closed_won'"
        for _ in range(100):
            rows = http.post("/api/v1/query", json={"sql": sql}).json()["rows"]
            if rows == [["sales-operations"]]:
                break
        assert rows == [["sales-operations"]]


def test_an_open_platform_answers_only_to_names_of_this_machine(deps: Deps) -> None:
    """A page elsewhere that points its own name at us is refused; with tokens any name is served."""
    with serving(deps) as address, httpx.Client(base_url=address, timeout=60) as http:
        for path in ("/", "/api/v1/journeys"):
            answer = http.get(path, headers={"Host": "evil.example.com:8501"})
            assert answer.status_code == 421
            assert answer.headers["content-type"] == "application/problem+json"
        assert http.get("/api/v1/status", headers={"Host": "localhost"}).status_code == 200


def test_a_token_is_entered_once_and_kept_from_scripts(deps: Deps) -> None:
    """The form sets a cookie that scripts cannot read and that other sites cannot send; it opens no API."""
    guarded = replace(deps, access=ACCESS)
    with serving(guarded) as address, httpx.Client(base_url=address, timeout=60) as http:
        answer = http.post("/login", data={"token": OURS})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert http.get("/api/v1/journeys").status_code == 401
        assert http.get("/api/v1/journeys", headers={"Authorization": f"Bearer {OURS}"}).status_code == 200
        assert "Max-Age=0" in http.get("/logout").headers["set-cookie"]
        assert http.post("/login", content=b"x" * 10_000).status_code == 413


def test_a_visitor_walks_from_the_overview_to_a_trace(deps: Deps) -> None:
    """Every page opens without script errors and without asking another host; pictures are kept."""
    with serving(deps) as address:
        visited = browse(address, screenshots())
    assert "trace=" in visited["trace"]
    assert "status=stuck" in visited["journeys-stuck"]


def test_a_visitor_signs_in_and_sees_only_their_tenant(deps: Deps) -> None:
    """A wrong token says so, a right one opens the pages of its tenant, and signing out closes them."""
    columns = ["Tenant", "Process", "Generation", "ActivatedAt", "Version"]
    deps.store.insert_rows("generations", [["rival", "p", 1, NOW, 1]], columns, role=Role.CORRELATOR)
    guarded = replace(deps, access=ACCESS)
    with serving(guarded) as address, visitor() as page:
        page.goto(address)
        page.fill("#token", "a-wrong-token-of-nobody")
        page.click("button[type=submit]")
        page.locator(".tl-bad").wait_for()
        page.fill("#token", OURS)
        page.click("button[type=submit]")
        page.locator("a.tl-card").first.wait_for()
        settle(page)
        page.screenshot(path=screenshots() / "signed-in.png")
        page.get_by_role("link", name="Sign out").click()
        page.locator("#token").wait_for()
        page.screenshot(path=screenshots() / "sign-in.png")


def test_pictures_are_kept_where_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """THROUGHLINE_SCREENSHOTS names the folder."""
    monkeypatch.setenv("THROUGHLINE_SCREENSHOTS", str(tmp_path / "pictures"))
    assert screenshots() == tmp_path / "pictures"
    assert screenshots().is_dir()
