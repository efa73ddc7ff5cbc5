"""Three people at once: each sees a true place in the queue, and a cancel lets the next begin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.test_pages import rest, words
from mitoem import jobs


def ask(page: Page) -> str:
    """Run the model on the proposed crop; returns the run."""
    page.goto("/inference?volume=phantom-h")
    rest(page)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile("run="))
    return words(page)["run"]


@pytest.mark.long
def test_three_people_see_their_places_and_a_cancel_lets_the_next_begin(
    chromium: Browser, base_url: str, browser_root: Path
) -> None:
    contexts = [chromium.new_context(base_url=base_url) for _ in range(3)]
    pages = [one.new_page() for one in contexts]
    long = jobs.submit(browser_root, "probe", {"seconds": 600})
    try:
        pages[0].goto(f"/inference?volume=phantom-h&run={ask(pages[0])}")
        ask(pages[1])
        ask(pages[2])
        expect(pages[0].get_by_text("1 run before it")).to_be_visible()
        expect(pages[1].get_by_text("2 runs before it")).to_be_visible()
        expect(pages[2].get_by_text("3 runs before it")).to_be_visible()
        pages[1].get_by_role("button", name="Cancel").click()
        expect(pages[1].get_by_text("You stopped this run.")).to_be_visible()
        expect(pages[2].get_by_text("2 runs before it")).to_be_visible()
        jobs.cancel(browser_root, long)
        for page in (pages[0], pages[2]):
            page.locator(".stack[data-ready]").wait_for(timeout=60_000)
    finally:
        jobs.cancel(browser_root, long)
        for one in contexts:
            one.close()
        jobs.stop_worker(browser_root)
