"""What the dashboard shows while all is well."""

import re

import httpx
import pytest
from playwright.async_api import expect

from quotewire.testing import running_gateway
from tests.browser.conftest import OpenPage
from tests.browser.dashboard import NO_VALUE

pytestmark = pytest.mark.browser

FIRST_WATCH_LIST = ("AAPL", "MSFT", "SHOP.TO", "RY.TO", "XIU.TO", "SPY")


def number(text: str) -> float:
    """The number a cell shows."""
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace("%", ""))


async def test_a_first_visit_shows_quotes_that_move(page: OpenPage) -> None:
    dashboard = await page()
    async with running_gateway() as running:
        await dashboard.open(running.url)

        await dashboard.state_is("connected")
        for symbol in FIRST_WATCH_LIST:
            await dashboard.shows(symbol, "freshness", "live")
        for name in ("bid", "ask", "last", "volume"):
            seen = await dashboard.moves("AAPL", name)
            assert len(set(seen)) >= 2, f"{name} never changed: {seen}"
        await expect(dashboard.part("person")).to_have_text("alice")
        await expect(dashboard.part("symbol-count")).to_have_text("6")
        await expect(dashboard.part("latency")).to_have_text(re.compile(r"^(under 1|\d+) ms good$"))
        await expect(dashboard.part("last-update")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
        await expect(dashboard.part("upstream")).to_have_text("connected")
        await expect(dashboard.cell("AAPL", "spark").locator("path")).to_have_attribute("d", re.compile("^M.+L"))
        await dashboard.picture("quotes")

    assert dashboard.hosts == {"127.0.0.1"}, "the page asked hosts other than its gateway"


async def test_change_is_measured_against_the_previous_close(page: OpenPage) -> None:
    dashboard = await page()
    async with running_gateway() as running:
        async with httpx.AsyncClient(base_url=running.url) as client:
            await dashboard.open(running.url)
            await dashboard.shows("RY.TO", "freshness", "live")
            answer = await client.post("/api-market/symbols/lookup", json={"symbols": ["RY.TO"]})
            close = answer.json()["data"]["RY.TO"]["prevDayClosePrice"]
        await expect(dashboard.cell("RY.TO", "change")).not_to_have_text(NO_VALUE)

        # Read in one turn of the page, so that no update comes between.
        last, change, percent = await dashboard.row("RY.TO").evaluate(
            "row => ['last', 'change', 'percent'].map(name => row.querySelector(`[data-testid=${name}]`).textContent)"
        )

    assert number(change) == pytest.approx(number(last) - close, abs=0.006)
    assert number(percent) == pytest.approx(100 * (number(last) - close) / close, abs=0.006)


async def test_an_unknown_symbol_says_why_and_disturbs_no_other(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(["NO.SUCH", "SPY"])
    async with running_gateway() as running:
        await dashboard.open(running.url)

        await dashboard.shows("NO.SUCH", "freshness", "refused")
        await expect(dashboard.row("NO.SUCH")).to_contain_text("NO.SUCH")
        await expect(dashboard.row("NO.SUCH").locator(".description")).to_contain_text("Questrade knows no symbol")
        await dashboard.shows("SPY", "freshness", "live")
        await expect(dashboard.part("symbol-count")).to_have_text("1 of 2")


async def test_a_phone_shows_all_without_scrolling_sideways(page: OpenPage) -> None:
    dashboard = await page(width=375, height=667)
    async with running_gateway() as running:
        await dashboard.open(running.url)

        await dashboard.shows("SHOP.TO", "freshness", "live")
        for name in ("bid", "ask", "last", "percent"):
            await expect(dashboard.cell("SHOP.TO", name)).to_be_in_viewport(ratio=1)
        assert await dashboard.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        await dashboard.picture("phone")
