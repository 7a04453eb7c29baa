"""Symbols are found, added and removed, and the browser remembers them."""

import pytest
from playwright.async_api import expect

from quotewire.testing import running_gateway
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser


async def test_a_symbol_is_found_added_and_remembered_then_removed(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(["AAPL"])
    async with running_gateway() as running:
        await dashboard.open(running.url)
        await dashboard.shows("AAPL", "freshness", "live")

        await dashboard.page.keyboard.press("/")
        await expect(dashboard.part("search")).to_be_focused()
        await dashboard.page.keyboard.type("td")
        await expect(dashboard.part("search-result-TD.TO")).to_be_visible()
        await dashboard.picture("search")
        await dashboard.part("search-result-TD.TO").click()
        await dashboard.shows("TD.TO", "freshness", "live")
        assert len(set(await dashboard.moves("TD.TO", "bid"))) >= 2
        await expect(dashboard.part("symbol-count")).to_have_text("2")

        await dashboard.page.reload()
        await dashboard.shows("TD.TO", "freshness", "live")

        await dashboard.row("TD.TO").get_by_role("button", name="Remove TD.TO").click()
        await expect(dashboard.row("TD.TO")).to_have_count(0)
        await expect(dashboard.part("symbol-count")).to_have_text("1")

        await dashboard.page.reload()
        await dashboard.shows("AAPL", "freshness", "live")
        await expect(dashboard.row("TD.TO")).to_have_count(0)


async def test_a_name_typed_quickly_and_entered_is_added(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch([])
    async with running_gateway() as running:
        await dashboard.open(running.url)
        await dashboard.state_is("connected")
        await expect(dashboard.page.get_by_text("Nothing is watched.")).to_be_visible()

        await dashboard.part("search").fill("shop.to")
        await dashboard.part("search").press("Enter")

        await dashboard.shows("SHOP.TO", "freshness", "live")
        await expect(dashboard.part("search")).to_have_value("")


async def test_a_search_without_result_says_so(page: OpenPage) -> None:
    dashboard = await page()
    async with running_gateway() as running:
        await dashboard.open(running.url)
        await dashboard.state_is("connected")

        await dashboard.part("search").fill("QQQQQQ")

        await expect(dashboard.page.locator("#search-note")).to_have_text("No symbol found for “QQQQQQ”")


async def test_removing_by_keyboard_goes_on_with_the_next_row(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(["AAPL", "MSFT"])
    async with running_gateway() as running:
        await dashboard.open(running.url)
        await dashboard.state_is("connected")

        await dashboard.cell("AAPL", "remove").focus()
        await dashboard.page.keyboard.press("Enter")
        await expect(dashboard.cell("MSFT", "remove")).to_be_focused()
        await dashboard.page.keyboard.press("Enter")

        await expect(dashboard.part("search")).to_be_focused()
        await expect(dashboard.part("symbol-count")).to_have_text("0")
