"""A real Chromium, and pages in it."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard

ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

expect.set_options(timeout=PATIENCE_MS)

OpenPage = Callable[..., Awaitable[Dashboard]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("No Chromium found: scripts/system_packages.sh installs it.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Make a page of a browser profile of its own; at the end none may have had a script error."""
    pages: list[Dashboard] = []

    async def make(*, width: int = 1280, height: int = 800) -> Dashboard:
        context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark")
        context.set_default_timeout(PATIENCE_MS)
        dashboard = Dashboard(await context.new_page())
        dashboard.listen()
        pages.append(dashboard)
        return dashboard

    yield make
    assert [dashboard.problems for dashboard in pages if dashboard.problems] == []
