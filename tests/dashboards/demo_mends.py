"""What a person does in the demo: finds five causes, repairs, runs again, changes the source, sees it work.

A part of `test_demo_live`, whose platform it uses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from bench.running import Platform
from tests.dashboards.browse import settle, visitor
from throughline.dashboards.demo.scenario import Plan

CAUSES = (
    "CUSTOMER_NAME_MISSING",
    "TAX_CODE_MISSING",
    "TOKEN_EXPIRED",
    "ERP_TIMEOUT",
    "DUPLICATE_EXTERNAL_ID",
)
LONGEST_SECONDS = 90.0
QUEUE = "/triage?process=opportunity-to-invoice"
"""Other processes see the same failures; what mends them in one mends them in all."""


def run_again(platform: Platform, folder: Path) -> None:
    """Five causes are in the queue; one, whose cause is gone, is run again as a group behind a canary."""
    address = platform.api.removesuffix("/api/v1")
    with visitor() as page:
        page.goto(f"{address}{QUEUE}")
        for code in CAUSES:
            expect(page.get_by_role("link", name=code)).to_be_visible()
        _shoot(page, folder, "triage")
        open_cause(page, address, "TOKEN_EXPIRED")
        ask(page, "the token is renewed", look=lambda: _shoot(page, folder, "triage-rerun"))
        ended(page, platform, "the token is renewed", "caused")
        expect(page.get_by_text("The canary begins.")).to_be_visible()
        _shoot(page, folder, "replay-rerun")


def mend(platform: Platform, systems: str, past: Plan, folder: Path) -> None:
    """The other four, on the pages; then every journey that was mended is complete."""
    address = platform.api.removesuffix("/api/v1")
    codes = {one.event.exception_code: one for one in past.events if one.mended}
    name = str(codes["CUSTOMER_NAME_MISSING"].event.customer)
    with visitor() as page:
        open_cause(page, address, "CUSTOMER_NAME_MISSING")
        choose_first_row(page)
        expect(page.get_by_role("tab", name=re.compile("Do it again .1 chosen"))).to_be_visible()
        choose(page, "What", "corrected payload")
        payload = page.get_by_label("Payload to send")
        expect(payload).not_to_have_value("")
        payload.fill(payload.input_value().replace('"name": ""', f'"name": "{name}"'))
        payload.press("Control+Enter")
        settle(page)
        ask(page, "the customer has a name now", look=lambda: _shoot(page, folder, "triage-repair"))
        expect(page.get_by_text("Verified, caused").first).to_be_visible()
        _shoot(page, folder, "replay-repaired")
        open_cause(page, address, "ERP_TIMEOUT")
        ask(page, "the ERP does not have them")
        ended(page, platform, "the ERP does not have them", "caused")
        for code, what in (
            ("TAX_CODE_MISSING", "Add the tax code of DE01"),
            ("DUPLICATE_EXTERNAL_ID", "Delete the drafts of US02"),
        ):
            open_cause(page, address, code)
            choose(page, "What", "changes it in the source")
            page.get_by_label("What is to change in the source").fill(what)
            ask(page, what)
            replay = page.url
            page.goto(systems)
            if code == "TAX_CODE_MISSING":
                page.screenshot(path=folder / "demo-source.png")
            page.get_by_role("button", name=what).click()
            page.goto(replay)
            ended(page, platform, what, "observed")
        _shoot(page, folder, "replay-source")
        page.goto(f"{address}/replays")
        expect(page.locator(".tl-table tbody tr")).to_have_count(5)
        _shoot(page, folder, "replays")
        page.goto(f"{address}{QUEUE}")
        expect(page.get_by_role("link", name="TEMPLATE_NOT_FOUND")).to_be_visible()
        expect(page.get_by_role("link", name="TOKEN_EXPIRED")).to_have_count(0)
        audited(page, platform, address)
        _shoot(page, folder, "audit")
    mended_are_complete(platform, past)


def _shoot(page: Page, folder: Path, what: str) -> None:
    """A picture of the whole page."""
    settle(page)
    page.screenshot(path=folder / f"demo-{what}.png", full_page=True)


def open_cause(page: Page, address: str, code: str) -> None:
    """From the queue to a cause."""
    page.goto(f"{address}{QUEUE}")
    page.get_by_role("link", name=code).click()
    expect(page.get_by_text(f"one cause: {code}")).to_be_visible()
    settle(page)


def choose_first_row(page: Page) -> None:
    """The box before the first exception: the table is a picture, so by its place."""
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 52)


def choose(page: Page, label: str, option: str) -> None:
    """An option of a list."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=re.compile(option)).click()
    settle(page)


def ask(page: Page, why: str, look: Callable[[], None] | None = None) -> None:
    """Say why, see what it would do, do it, and come to the replay."""
    reason = page.get_by_label("Why", exact=True)
    reason.fill(why)
    reason.press("Enter")
    settle(page)
    if look is not None:
        page.get_by_role("button", name="What would it do?").click()
        expect(page.get_by_text("It would do")).to_be_visible()
        look()
    page.get_by_role("button", name="Do it", exact=True).first.click()
    expect(page).to_have_url(re.compile(r"/replays\?id="))


def ended(page: Page, platform: Platform, why: str, outcome: str) -> None:
    """Every item of the replay is verified, as the page and the API say."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while (counts := replay_of(platform, why)["counts"]).keys() != {"verified"}:
        assert time.monotonic() < deadline, f"{why}: {counts}"
        time.sleep(0.5)
    expect(page.get_by_text(f"Verified, {outcome}").first).to_be_visible()
    items = platform.get(f"/replays/{replay_of(platform, why)['id']}")["items"]
    assert {one["outcome"] for one in items} == {outcome}


def audited(page: Page, platform: Platform, address: str) -> None:
    """The audit tells who asked for each of the five and why, and how each item ended."""
    replays = platform.get("/replays")["items"]
    assert len(replays) == len(CAUSES)
    for one in replays:
        page.goto(f"{address}/audit?id={one['id']}")
        expect(page.locator(".tl-table").get_by_text(one["reason"]).first).to_be_visible()
        expect(page.locator(".tl-table").get_by_text("verified").first).to_be_visible()


def replay_of(platform: Platform, why: str) -> Mapping[str, Any]:
    """The replay that was asked for with a reason."""
    (found,) = (one for one in platform.get("/replays")["items"] if one["reason"] == why)
    return dict(found)


def mended_are_complete(platform: Platform, past: Plan) -> None:
    """What was refused is posted and paid, in each journey of the mended causes; one project is made."""
    invoices = [
        one.journeys[0]
        for one in past.events
        if one.mended and one.event.exception_code in set(CAUSES) - {"CUSTOMER_NAME_MISSING"}
    ]
    assert len(invoices) > 15
    deadline = time.monotonic() + LONGEST_SECONDS
    waiting = dict.fromkeys(invoices, "")
    while waiting:
        for root in sorted(waiting):
            (journey,) = platform.get("/journeys", process="opportunity-to-invoice", key=root)["items"]
            waiting[root] = f"{journey['id']} is {journey['status']}"
            if journey["status"] == "completed":
                del waiting[root]
        assert time.monotonic() < deadline, f"not complete: {waiting}"
        time.sleep(0.5)
