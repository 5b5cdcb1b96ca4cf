"""A new user's first alert, in a real browser: write, try, enable, see it fire, acknowledge, see it end.

`follow_an_alert(address)` needs nothing but a running platform with late journeys in it, like the demo.
"""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.dashboards.browse import screenshots, visitor

NAME = "MyFirstAlert"
SELECT = "SELECT process, count() AS value FROM journeys WHERE status IN ('late', 'stuck') GROUP BY process"
FIRES_WITHIN = 150_000
"""Milliseconds: rules are evaluated at full minutes."""


def follow_an_alert(address: str) -> float:
    """Do it all; returns the seconds that it took. Pictures are kept."""
    folder = screenshots()
    begun = time.monotonic()
    with visitor() as page:
        _write(page, address, folder)
        page.goto(f"{address}/alerts")
        row = page.locator("tr", has_text=NAME).filter(has_text="Firing").first
        expect(row).to_be_visible(timeout=FIRES_WITHIN)
        page.screenshot(path=folder / "alerts-firing.png", full_page=True)
        row.locator("a").click()
        expect(page.get_by_text("Journeys behind it")).to_be_visible()
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".tl-pill", has_text="Acknowledged").first).to_be_visible()
        page.screenshot(path=folder / "alerts-acknowledged.png", full_page=True)
        _disable(page, address)
        page.goto(f"{address}/alerts")
        ended = page.locator("tr", has_text=NAME).filter(has_text="Resolved")
        expect(ended.first).to_be_visible(timeout=FIRES_WITHIN)
        page.screenshot(path=folder / "alerts-resolved.png", full_page=True)
    return time.monotonic() - begun


def _write(page: Page, address: str, folder: Path) -> None:
    page.goto(f"{address}/rules")
    expect(page.get_by_text("CorrelationLag").first).to_be_visible()
    page.screenshot(path=folder / "rules.png", full_page=True)
    page.get_by_role("tab", name="Write a rule").click()
    for key, kind, text in (
        ("rule_name", "input", NAME),
        ("rule_expr", "textarea", SELECT),
        ("rule_for", "input", "0s"),
    ):
        place = page.locator(f".st-key-{key} {kind}")
        place.fill(text)
        place.press("Control+Enter" if kind == "textarea" else "Enter")
        expect(page.locator('[data-testid="stStatusWidget"]')).to_have_count(0)
    page.locator(".st-key-rule_preview button").click()
    expect(page.get_by_text("alerts now").first).to_be_visible()
    page.screenshot(path=folder / "rules-preview.png", full_page=True)
    page.locator(".st-key-rule_past button").click()
    expect(page.get_by_text(f"{NAME} would have").first).to_be_visible()
    page.screenshot(path=folder / "rules-backtest.png", full_page=True)
    page.locator(".st-key-rule_enable button").click()
    expect(page.get_by_text("version 1 is enabled").first).to_be_visible()


def _disable(page: Page, address: str) -> None:
    page.goto(f"{address}/rules")
    page.get_by_role("tab", name="Write a rule").click()
    page.locator(".st-key-rule_chosen input").click()
    page.get_by_role("option", name=NAME).click()
    page.locator(".st-key-rule_save button", has_text="Disable").click()
    expect(page.get_by_text("version 2 is stored").first).to_be_visible()
