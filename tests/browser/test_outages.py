"""The dashboard never shows as live what it cannot know to be live."""

from pathlib import Path

import httpx
import pytest
from playwright.async_api import WebSocketRoute, expect

from quotewire import app, demo
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.testing import running_gateway
from tests.browser.conftest import OpenPage
from tests.browser.dashboard import NO_VALUE

pytestmark = pytest.mark.browser

MARKET = SimulatorConfig(persons=("alice",), seed=1, rate=200.0)
WATCHED = ("AAPL", "RY.TO")


async def test_a_stopped_gateway_makes_rows_stale_and_its_return_makes_them_live(
    page: OpenPage, tmp_path: Path
) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    await dashboard.configure(VITE_WS_RECONNECT_TIMEOUT="500", VITE_WS_RECONNECT_MAX_ATTEMPTS="1000")
    async with Simulator(MARKET) as simulator:
        first = demo.settings_for(simulator, {}, tmp_path, port=0)
        async with app.running(first) as gateway:
            url = gateway.url
            await dashboard.open(url)
            for symbol in WATCHED:
                await dashboard.shows(symbol, "freshness", "live")
            connection = await dashboard.page.locator("#connection").get_attribute("title")

        await dashboard.state_is("connecting")
        for symbol in WATCHED:
            await dashboard.shows(symbol, "freshness", "stale")
        await expect(dashboard.part("upstream")).to_have_text("unknown")
        await expect(dashboard.part("latency")).to_have_text(NO_VALUE)
        await dashboard.picture("gateway-stopped")

        again = demo.settings_for(simulator, {}, tmp_path, port=int(url.rsplit(":", 1)[1]))
        async with app.running(again):
            await dashboard.state_is("connected")
            for symbol in WATCHED:
                await dashboard.shows(symbol, "freshness", "live")
            assert len(set(await dashboard.moves("AAPL", "bid"))) >= 2
            assert await dashboard.page.locator("#connection").get_attribute("title") == connection


async def test_a_page_left_open_follows_another_gateway_with_a_new_data_directory(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    await dashboard.configure(VITE_WS_RECONNECT_TIMEOUT="500", VITE_WS_RECONNECT_MAX_ATTEMPTS="1000")
    # The first counts far, the second slowly: with equal epochs the page would not believe the second in time.
    busy, calm = (SimulatorConfig(persons=("alice",), seed=1, rate=rate) for rate in (3000.0, 50.0))
    async with running_gateway(busy) as running:
        await dashboard.open(running.url)
        await dashboard.moves("AAPL", "bid", changes=100)

    await dashboard.state_is("connecting")

    async with running_gateway(calm, PORT=running.url.rsplit(":", 1)[1]):
        await dashboard.shows("AAPL", "freshness", "live")
        assert len(set(await dashboard.moves("AAPL", "bid"))) >= 2


async def test_reconnect_now_does_not_wait(page: OpenPage, tmp_path: Path) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    await dashboard.configure(VITE_WS_RECONNECT_MAX_ATTEMPTS="0", VITE_ENABLE_POLLING_FALLBACK="false")
    async with Simulator(MARKET) as simulator:
        first = demo.settings_for(simulator, {}, tmp_path, port=0)
        async with app.running(first) as gateway:
            url = gateway.url
            await dashboard.open(url)
            await dashboard.state_is("connected")

        await dashboard.state_is("error")
        again = demo.settings_for(simulator, {}, tmp_path, port=int(url.rsplit(":", 1)[1]))
        async with app.running(again):
            await dashboard.part("retry").click()
            await dashboard.state_is("connected")
            await expect(dashboard.part("retry")).to_be_hidden()


async def test_without_websockets_it_polls_and_returns_to_the_socket_by_itself(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    await dashboard.configure(
        VITE_WS_RECONNECT_MAX_ATTEMPTS="0", VITE_WS_RECONNECT_TIMEOUT="1000", VITE_POLLING_INTERVAL="300"
    )
    blocked = True

    async def route(socket: WebSocketRoute) -> None:
        if blocked:
            await socket.close(code=1011, reason="no WebSockets here")
        else:
            socket.connect_to_server()

    await dashboard.page.route_web_socket("**/ws?*", route)
    async with running_gateway(MARKET) as running:
        await dashboard.open(running.url)

        await dashboard.state_is("degraded")
        await dashboard.shows("AAPL", "freshness", "polled")
        assert len(set(await dashboard.moves("AAPL", "bid"))) >= 2
        await dashboard.picture("polling")

        blocked = False
        await dashboard.state_is("connected")
        await dashboard.shows("AAPL", "freshness", "live")


async def test_a_lost_upstream_is_told_and_every_row_is_stale(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(MARKET) as running:
        await dashboard.open(running.url)
        await dashboard.shows("AAPL", "freshness", "live")

        async with httpx.AsyncClient() as client:
            fault = {"fault": "down"}
            answer = await client.post(f"{running.simulator.control_url}/fault", json=fault)
            assert answer.status_code == 200, answer.text

        for symbol in WATCHED:
            await dashboard.shows(symbol, "freshness", "stale")
        await dashboard.state_is("connected")
        await expect(dashboard.part("upstream")).not_to_have_text("connected")
        await dashboard.picture("upstream-lost")
