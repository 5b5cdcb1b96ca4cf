"""Walk through the pages in a real browser, as a visitor would, and keep pictures of what is seen.

`browse(address, folder)` needs nothing but a running platform with journeys in it, like the demo.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURES = "THROUGHLINE_SCREENSHOTS"
WAIT = 90_000
expect.set_options(timeout=WAIT)


def screenshots() -> Path:
    """Return where pictures are kept."""
    default = Path(__file__).parents[2] / "screenshots"
    folder = Path(os.environ.get(PICTURES, default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def chromium() -> str:
    """Return the program to drive; a test that has none, or whose driver can't start, is skipped."""
    found = os.environ.get("THROUGHLINE_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libatomic.so.1")
        except OSError:
            pytest.skip("Playwright's driver needs libatomic.so.1 (Debian: apt-get install libatomic1)")
    return found


@contextmanager
def visitor(*, width: int = 1440, height: int = 1000) -> Iterator[Page]:
    """Yield a page of a new browser; foreign addresses and script errors are noted on it."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(WAIT)
            yield page
        finally:
            browser.close()


def browse(address: str, folder: Path, *, prefix: str = "") -> dict[str, str]:
    """Follow overview, journey, trace; open every page. Returns the addresses visited, by name of picture.

    Raises: AssertionError when a page breaks, shows nothing, or asks another host for anything.
    """
    visited: dict[str, str] = {}
    foreign: list[str] = []
    broken: list[str] = []
    with visitor() as page:
        page.on("request", lambda one: foreign.append(one.url) if not _own(one.url, address) else None)
        page.on("response", lambda one: broken.append(f"{one.status} {one.url}") if _failed(one) else None)
        page.on("pageerror", lambda error: broken.append(str(error)))

        def shoot(name: str) -> None:
            settle(page)
            visited[name] = page.url
            page.screenshot(path=folder / f"{prefix}{name}.png")
            if PICTURES in os.environ:  # each draws its page anew
                _shoot_all(page, folder / f"{prefix}{name}-full.png")

        _overview_to_trace(page, address, shoot)
        _journeys(page, address, shoot)
        _billing(page, address, shoot)
        _processes(page, address, shoot)
        _triage(page, address, shoot)
        page.goto(f"{address}/api/docs")
        expect(page.locator("section").first).to_be_visible()
        shoot("api")
    assert not foreign, f"the pages asked other hosts: {foreign[:3]}"
    assert not broken, f"the pages broke: {broken[:3]}"
    return visited


def _overview_to_trace(page: Page, address: str, shoot: Callable[[str], None]) -> None:
    """From the overview to its first late journey, and to the trace of its first event."""
    page.goto(address)
    expect(page.locator("#freshness")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    shoot("overview")
    page.locator(".tl-table a[href^='/journey?id=']").first.click()
    expect(page.locator(".tl-h", has_text="Milestones")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    shoot("journey")
    page.get_by_role("link", name="Trace").first.click()
    expect(page.locator("#trace")).to_be_visible()
    expect(page.locator(".js-plotly-plot").nth(1)).to_be_visible()
    shoot("trace")


def _journeys(page: Page, address: str, shoot: Callable[[str], None]) -> None:
    """The list, a list that a number of the overview leads to, and a completed journey with its reasons."""
    page.goto(f"{address}/journeys")
    expect(page.locator(".tl-table tbody tr").first).to_be_visible()
    shoot("journeys")
    page.goto(address)
    expect(page.locator("#freshness")).to_be_visible()
    settle(page)
    page.locator("a.tl-card", has=page.locator(".l", has_text=re.compile("^Stuck$"))).click()
    expect(page).to_have_url(re.compile(r"status=stuck"))
    expect(page.locator(".tl-table tbody tr").first).to_be_visible()
    shoot("journeys-stuck")
    page.goto(f"{address}/journeys?status=completed")
    expect(page.locator(".tl-table tbody tr").first).to_be_visible()
    settle(page)
    page.locator(".tl-table a[href^='/journey?id=']").first.click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    settle(page)
    page.get_by_role("link", name="Trace").last.click()
    expect(page.locator("#trace")).to_be_visible()
    settle(page)
    page.locator("[data-testid=stExpander] summary", has_text="events").click()
    shoot("journey-completed")


def _billing(page: Page, address: str, shoot: Callable[[str], None]) -> None:
    """The billing cycles, and the journeys of one."""
    page.goto(f"{address}/billing")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    shoot("billing")
    page.locator(".tl-table a[href^='/journeys?']").first.click()
    expect(page.get_by_text("Of the billing cycle of")).to_be_visible()
    expect(page.locator(".tl-table tbody tr").first).to_be_visible()
    shoot("billing-journeys")


def _processes(page: Page, address: str, shoot: Callable[[str], None]) -> None:
    """The processes, and the picture of one."""
    page.goto(f"{address}/processes")
    page.locator(".tl-table a[href^='/processes?process=']").first.click()
    expect(page.locator("[data-testid=stMain] img[src^='data:image/svg']")).to_be_visible()
    shoot("processes")


def _triage(page: Page, address: str, shoot: Callable[[str], None]) -> None:
    """What needs a human, one cause, what was done again, and one of these if there is any."""
    page.goto(f"{address}/triage")
    page.get_by_role("link", name="Work on it").first.click()
    expect(page.get_by_text("What happened")).to_be_visible()
    expect(page.get_by_role("button", name="What would it do?")).to_be_visible()
    shoot("triage")
    page.goto(f"{address}/replays")
    page.locator(".tl-table a[href^='/replays?id=']").first.click()
    expect(page.get_by_text("every transition, oldest first")).to_be_visible()
    shoot("replays")


def settle(page: Page) -> None:
    """Wait until Streamlit has finished running and drawing."""
    if page.locator("[data-testid=stApp]").count():
        expect(page.locator("[data-testid=stApp][data-test-script-state=running]")).to_have_count(0)
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
    page.wait_for_timeout(600)


def _shoot_all(page: Page, path: Path) -> None:
    """Picture the whole page: Streamlit scrolls inside, so the window grows for a moment."""
    size = page.viewport_size or {"width": 1440, "height": 1000}
    height = page.evaluate(
        "Math.max(...[document.body, ...document.querySelectorAll('[data-testid=stMain]')]"
        ".map(element => element.scrollHeight))"
    )
    page.set_viewport_size({"width": size["width"], "height": min(max(int(height), size["height"]), 6000)})
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    page.set_viewport_size({"width": size["width"], "height": size["height"]})


def _own(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:"))


def _failed(response: Response) -> bool:
    """Streamlit looks for its base path by asking under the page's own first; those answers do not count."""
    return response.status >= 400 and "/_stcore/" not in response.url
