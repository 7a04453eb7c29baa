"""Make docs/dashboard.png from the running demo: `.venv/bin/python scripts/screenshot.py [path]`. Needs Chromium."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

from playwright.async_api import Page, async_playwright

from quotewire import demo
from quotewire.simulator import SimulatorConfig

WATCHED = [
    "AAPL",
    "MSFT",
    "NVDA",
    "AMZN",
    "TSLA",
    "SHOP.TO",
    "RY.TO",
    "TD.TO",
    "BNS.TO",
    "ENB.TO",
    "CNQ.TO",
    "CNR.TO",
    "CSU.TO",
    "BCE.TO",
    "BB.TO",
    "WEED.TO",
    "EMH.VN",
    "XIU.TO",
    "SPY",
    "QQQ",
]
MARKET = SimulatorConfig(persons=("alice", "bob"), seed=1, rate=250.0)
DRAWN_TRADES = 20
"""Most rows have a spark line of this many trades before the picture is taken."""
DEADLINE_MS = 120_000

HISTORY_IS_DRAWN = """(trades) => {
  const paths = [...document.querySelectorAll("[data-testid=spark] path")].map((path) => path.getAttribute("d") ?? "");
  const long = paths.filter((path) => path.split("L").length > trades).length;
  return paths.length > 0 && long >= 0.8 * paths.length;
}"""


async def take(page: Page, url: str, target: Path) -> None:
    """Open the dashboard at `url` and write its picture once it has something to show."""
    await page.add_init_script(f"localStorage['quotewire.watchlist'] = {json.dumps(json.dumps(WATCHED))}")
    await page.goto(url)
    await page.wait_for_function(HISTORY_IS_DRAWN, arg=DRAWN_TRADES, timeout=DEADLINE_MS)
    await page.screenshot(path=target)


async def main(target: Path) -> None:
    """Run the demo and a browser, and write `target`."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("No Chromium found: scripts/system_packages.sh installs it.")
    async with demo.running(MARKET, {}, port=0) as running, async_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        context = await browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark")
        await take(await context.new_page(), running.gateway.url, target)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/dashboard.png")))
