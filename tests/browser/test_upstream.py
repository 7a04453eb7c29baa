"""The dashboard shows how the gateway stands with Questrade: in the rows, in the header, and in the upstream panel."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import expect

from quotewire.simulator import SimulatorConfig
from quotewire.testing import RunningGateway, running_gateway
from tests.browser.conftest import OpenPage
from tests.browser.dashboard import PATIENCE_MS, Dashboard

pytestmark = pytest.mark.browser

ONE = SimulatorConfig(persons=("alice",), seed=1, rate=200.0)
TWO = SimulatorConfig(persons=("alice", "bob"), seed=1, rate=200.0)
WATCHED = ("AAPL", "RY.TO", "SPY", "SHOP.TO")


SET_HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def later(dashboard: Dashboard) -> float:
    """A moment of the page's clock by which an open panel would have asked twice more."""
    now: float = await dashboard.page.evaluate("performance.now()")
    return now + 5_000


async def open_panel(dashboard: Dashboard) -> None:
    await dashboard.part("panel-toggle").click()
    await expect(dashboard.part("panel")).to_be_visible()


async def revoke(running: RunningGateway, person: str) -> None:
    """The person's login ends for good: the access token dies, and the refresh token is refused."""
    await running.simulator.fault("refresh_expired", person=person)
    await running.simulator.fault("access_expired", person=person)


async def all_live(dashboard: Dashboard) -> None:
    for symbol in WATCHED:
        await dashboard.shows(symbol, "freshness", "live")


def number(text: str) -> int:
    """The first number of a text."""
    found = re.match(r"[\d,]+", text)
    assert found is not None, text
    return int(found[0].replace(",", ""))


async def test_a_stream_that_is_closed_makes_rows_stale_until_it_is_back(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(ONE) as running:
        await dashboard.open(running.url)
        await all_live(dashboard)
        await expect(dashboard.part("reason")).to_have_text(re.compile("^quotes come over live streams, since "))
        await expect(dashboard.part("tally")).to_be_hidden()
        await dashboard.keep_words(WATCHED)

        await running.simulator.fault("upgrade_refused", seconds=600)
        await running.simulator.fault("stream_close", person="alice", code=1011)

        for symbol in WATCHED:
            await expect(dashboard.cell(symbol, "freshness")).to_have_text(re.compile("^(stale|recovering)$"))
        await expect(dashboard.part("tally")).to_have_text(re.compile(r"^4 (stale|recovering|polled)$"))
        await expect(dashboard.row("AAPL").locator("td.freshness")).to_have_attribute(
            "title", re.compile(r"^(stale|recovering) since \d\d:\d\d:\d\d: .+ last data at \d\d:\d\d:\d\d$")
        )
        await dashboard.picture("stream-closed")

        await running.simulator.clear("upgrade_refused")
        await all_live(dashboard)
        await expect(dashboard.part("tally")).to_be_hidden()
        words = await dashboard.words()

    for symbol, seen in words.items():
        assert [seen[0], seen[-1]] == ["live", "live"], (symbol, seen)
        assert {"stale", "recovering"} & set(seen), (symbol, seen)


async def test_a_refused_login_names_the_person_and_what_to_do_without_any_secret(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(ONE) as running:
        secrets = set(running.simulator.refresh_tokens.values())
        async with httpx.AsyncClient(base_url=running.url) as client:
            answer = await client.get("/api-auth/auth/access-token/alice")
            secrets.add(answer.json()["data"]["accessToken"])
        await dashboard.open(running.url)
        await all_live(dashboard)
        await open_panel(dashboard)
        await expect(dashboard.person("alice").get_by_test_id("person-word")).to_have_text("works")
        await expect(dashboard.fact("alice", "token")).to_have_text(
            re.compile(r"^fresh, made \d+ s ago, valid for \d+ min$")
        )
        await expect(dashboard.fact("alice", "stream")).to_have_text(re.compile(r"^connected \(live\)"))
        await expect(dashboard.fact("alice", "symbols")).to_have_text("4")

        await revoke(running, "alice")

        await expect(dashboard.person("alice").get_by_test_id("person-word")).to_have_text("needs you")
        await expect(dashboard.person("alice").get_by_test_id("person-error")).to_contain_text(
            "make a new token for alice in Questrade's App Hub, then run: quotewire persons add alice"
        )
        await expect(dashboard.fact("alice", "token")).to_have_text(re.compile("^revoked"))
        await expect(dashboard.part("reason")).to_contain_text("every login was refused")
        await expect(dashboard.part("upstream")).to_have_text("error")
        first = dashboard.part("happenings").locator("li").filter(has_text="token").first
        await expect(first).to_contain_text("alice")
        for symbol in WATCHED:
            await dashboard.shows(symbol, "freshness", "stale")
        await dashboard.picture("login-refused")

        shown = await dashboard.page.content()
        async with httpx.AsyncClient(base_url=running.url) as client:
            report = (await client.get("/api/upstream")).text

    assert len(secrets) == 2
    assert [secret for secret in secrets if secret in shown or secret in report] == []


async def test_of_two_persons_one_dies_and_the_other_carries_all_symbols(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(TWO) as running:
        await dashboard.open(running.url)
        await all_live(dashboard)
        await open_panel(dashboard)
        carried = {name: number(await dashboard.fact(name, "symbols").inner_text()) for name in TWO.persons}
        assert sum(carried.values()) >= len(WATCHED)
        victim, survivor = sorted(carried, key=lambda name: -carried[name])

        await revoke(running, victim)

        await expect(dashboard.person(victim)).to_have_attribute("data-standing", "operator")
        await expect(dashboard.person(survivor)).to_have_attribute("data-standing", "working")
        await expect(dashboard.fact(victim, "symbols")).to_have_text("0")
        await expect(dashboard.fact(survivor, "symbols")).to_have_text("4")
        await expect(dashboard.part("panel-headline")).to_contain_text("1 of 2 logins work")
        await all_live(dashboard)
        for symbol in WATCHED[:2]:
            assert len(set(await dashboard.moves(symbol, "bid"))) >= 2
        await expect(dashboard.part("person")).to_have_text(survivor)
        await dashboard.picture("one-of-two")


async def test_budgets_move_with_the_calls_made(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(ONE) as running:
        await dashboard.open(running.url)
        await all_live(dashboard)
        await open_panel(dashboard)
        hour = dashboard.person("alice").get_by_test_id("budget-account-hour")
        await expect(hour).to_have_text(re.compile(r"^\d+ of 30,000 / h$"))
        before = number(await hour.inner_text())

        for prefix in ("T", "EN", "CN"):
            await dashboard.part("search").fill(prefix)
            await expect(dashboard.page.locator("#search-results [role=option]").first).to_be_visible()

        await expect(hour).not_to_have_text(f"{before} of 30,000 / h")
        assert number(await hour.inner_text()) > before

        await running.simulator.fault("hour_spent", person="alice", category="account", left=0)
        await dashboard.part("search").fill("Q")

        await expect(hour).to_have_text(re.compile(r"^30,000 of 30,000 / h, blocked for \d+ s$"))
        await expect(dashboard.part("happenings")).to_contain_text("Questrade's hourly limit is used up")
        await dashboard.shows("AAPL", "freshness", "live")
        await dashboard.picture("hour-spent")


async def test_the_panel_is_opened_by_keyboard_remembered_and_quiet_when_closed(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    asked: list[str] = []
    dashboard.page.on("request", lambda request: asked.append(request.url) if "/api/upstream" in request.url else None)
    async with running_gateway(TWO) as running:
        await dashboard.open(running.url)
        await all_live(dashboard)
        assert asked == []

        await dashboard.part("search").focus()
        await dashboard.page.keyboard.press("Tab")
        await expect(dashboard.part("panel-toggle")).to_be_focused()
        await dashboard.page.keyboard.press("Enter")
        await expect(dashboard.person("bob")).to_be_visible()
        await expect(dashboard.part("panel-toggle")).to_have_attribute("aria-expanded", "true")
        await expect(dashboard.cell("AAPL", "bid")).to_be_in_viewport(ratio=1)
        assert len(set(await dashboard.moves("AAPL", "bid"))) >= 2
        await dashboard.picture("upstream-panel")

        await dashboard.page.reload()
        await expect(dashboard.person("bob")).to_be_visible()

        await dashboard.page.evaluate(SET_HIDDEN, True)
        hidden_at = len(asked)
        await dashboard.page.wait_for_function("(until) => performance.now() > until", arg=await later(dashboard))
        assert len(asked) == hidden_at
        async with dashboard.page.expect_request("**/api/upstream"):
            await dashboard.page.evaluate(SET_HIDDEN, False)

        await dashboard.part("panel-toggle").press("Enter")
        await expect(dashboard.part("panel")).to_be_hidden()
        closed_at = len(asked)
        await dashboard.page.reload()
        await all_live(dashboard)
        await expect(dashboard.part("panel")).to_be_hidden()
        assert len(asked) == closed_at


async def test_a_phone_shows_panel_and_quotes_without_scrolling_sideways(page: OpenPage) -> None:
    dashboard = await page(width=375, height=667)
    async with running_gateway(TWO) as running:
        await dashboard.open(running.url)
        await dashboard.shows("AAPL", "freshness", "live")
        await open_panel(dashboard)

        await expect(dashboard.person("alice")).to_be_in_viewport()
        await expect(dashboard.cell("AAPL", "bid")).to_be_in_viewport(ratio=1)
        assert await dashboard.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        await dashboard.picture("phone-panel")


async def test_a_gateway_that_is_gone_leaves_the_panel_readable_and_says_so(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(ONE) as running:
        await dashboard.open(running.url)
        await all_live(dashboard)
        await open_panel(dashboard)
        await expect(dashboard.fact("alice", "symbols")).to_have_text("4")

    await expect(dashboard.part("panel-trouble")).to_have_text("Not up to date: the gateway cannot be reached.")
    await expect(dashboard.fact("alice", "symbols")).to_have_text("4")


async def test_a_page_that_is_left_reports_its_metrics(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(ONE) as running, httpx.AsyncClient(base_url=running.url) as client:
        await dashboard.open(running.url)
        await all_live(dashboard)
        await open_panel(dashboard)
        await expect(dashboard.part("health").locator('[data-fact="connections"]')).to_have_text(
            "1 attempted, 1 succeeded, 0 failed"
        )
        await dashboard.page.goto(f"{running.url}/health")

        async with asyncio.timeout(PATIENCE_MS / 1000):
            while (summary := (await client.get("/api/metrics")).json()["data"])["reports"] == 0:
                await asyncio.sleep(0.05)

    told = {name: summary[f"connections{name}"] for name in ("Attempted", "Succeeded", "Failed")}
    assert told == {"Attempted": 1, "Succeeded": 1, "Failed": 0}
    assert min(summary["messagesReceived"], summary["messagesSent"]) >= 3
    assert (summary["clients"], summary["reports"]) == (1, 1)


async def test_a_halted_symbol_differs_from_its_neighbours(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(WATCHED)
    async with running_gateway(ONE) as running:
        await dashboard.open(running.url)
        await all_live(dashboard)

        await running.simulator.fault("halt", symbols=["SPY"])

        await dashboard.shows("SPY", "freshness", "halted")
        await dashboard.shows("AAPL", "freshness", "live")


async def test_each_freshness_has_a_look_of_its_own(page: OpenPage) -> None:
    dashboard = await page()
    await dashboard.watch(["AAPL"])
    async with running_gateway(ONE) as running:
        await dashboard.open(running.url)
        await dashboard.shows("AAPL", "freshness", "live")
        looks = await dashboard.page.evaluate(
            """(words) => words.map((word) => {
              const row = document.createElement("tr");
              row.dataset.freshness = word;
              row.innerHTML = '<td class="freshness"></td><td class="number last">1</td>';
              document.querySelector("#rows").append(row);
              const [cell, value] = row.children;
              const look = [getComputedStyle(cell).color, getComputedStyle(value).opacity];
              row.remove();
              return look;
            })""",
            ["live", "quiet", "recovering", "halted", "closed", "stale"],
        )

    colours, opacities = zip(*looks, strict=True)
    assert len(set(colours)) == len(colours), looks
    current, doubtful = opacities[:2], opacities[2:]
    assert set(current) == {"1"}
    assert len(set(doubtful)) == len(doubtful), looks
    assert max(float(opacity) for opacity in doubtful) < 1
