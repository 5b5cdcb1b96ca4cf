"""The whole application over real HTTP: API beside pages, signing in, unknown hosts; and in a real
browser. That a browser can open every page, `test_demo_live.py` shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.dashboards.browse import screenshots, settle, visitor
from tests.dashboards.conftest import OURS, THEIRS
from tests.dashboards.serving import serving
from tests.stores import Stores


@pytest.fixture(scope="module")
def address(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a seeded application listens that is open to this machine."""
    with serving(stores, tmp_path_factory.mktemp("open")) as where:
        yield where


@pytest.fixture(scope="module")
def guarded(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a seeded application listens that asks for a token."""
    with serving(stores, tmp_path_factory.mktemp("guarded"), tokens=True) as where:
        yield where


def test_pages_and_api_share_one_port(address: str) -> None:
    """The root is the page, /api/v1 the API with its description and its problems; owners reach SQL."""
    with httpx.Client(base_url=address, timeout=60) as http:
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


def test_an_open_platform_answers_only_to_names_of_this_machine(address: str) -> None:
    """A page elsewhere that points its own name at us is refused; with tokens any name is served."""
    with httpx.Client(base_url=address, timeout=60) as http:
        for path in ("/", "/api/v1/journeys"):
            answer = http.get(path, headers={"Host": "evil.example.com:8501"})
            assert answer.status_code == 421
            assert answer.headers["content-type"] == "application/problem+json"
        assert http.get("/api/v1/status", headers={"Host": "localhost"}).status_code == 200


def test_a_token_is_entered_once_and_kept_from_scripts(guarded: str) -> None:
    """The form sets a cookie that scripts cannot read and that other sites cannot send; it opens no API."""
    with httpx.Client(base_url=guarded, timeout=60) as http:
        answer = http.post("/login", data={"token": OURS})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert http.get("/api/v1/journeys").status_code == 401
        assert http.get("/api/v1/journeys", headers={"Authorization": f"Bearer {OURS}"}).status_code == 200
        assert "Max-Age=0" in http.get("/logout").headers["set-cookie"]
        assert http.post("/login", content=b"x" * 10_000).status_code == 413


def test_a_visitor_signs_in_and_sees_only_their_tenant(guarded: str) -> None:
    """A wrong token says so, a right one opens the pages of its tenant, and signing out closes them."""
    with visitor() as page:
        page.goto(guarded)
        page.fill("#token", "a-wrong-token-of-nobody")
        page.click("button[type=submit]")
        page.locator(".tl-bad").wait_for()
        page.fill("#token", OURS)
        page.click("button[type=submit]")
        page.locator("a.tl-card").first.wait_for()
        settle(page)
        assert page.locator(".tl-who").inner_text().startswith("default-token · default")
        page.screenshot(path=screenshots() / "signed-in.png")
        page.goto(f"{guarded}/logout")
        page.locator("#token").wait_for()
        page.fill("#token", THEIRS)
        page.click("button[type=submit]")
        page.locator(".tl-empty", has_text="No data yet").wait_for()
        page.get_by_role("link", name="Sign out").click()
        page.locator("#token").wait_for()
        page.screenshot(path=screenshots() / "sign-in.png")


def test_pictures_are_kept_where_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """THROUGHLINE_SCREENSHOTS names the folder."""
    monkeypatch.setenv("THROUGHLINE_SCREENSHOTS", str(tmp_path / "pictures"))
    assert screenshots() == tmp_path / "pictures"
    assert screenshots().is_dir()
