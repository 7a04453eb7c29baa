"""The dashboard as a person sees it: the page, and what can be read off it. Nothing here sleeps; everything waits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Locator, Page, expect

SCREENSHOTS = Path("var") / "screenshots"
PATIENCE_MS = 15_000
NO_VALUE = "\N{EN DASH}"
"""What a cell shows where there is no value."""

MOVES = """([selector, changes]) => new Promise((done) => {
  const cell = document.querySelector(selector);
  const seen = [cell.textContent];
  new MutationObserver((_, watcher) => {
    if (cell.textContent !== seen[seen.length - 1]) seen.push(cell.textContent);
    if (seen.length > changes) { watcher.disconnect(); done(seen); }
  }).observe(cell, { subtree: true, childList: true, characterData: true });
})"""

KEEP_WORDS = """(symbols) => {
  window.words = Object.fromEntries(symbols.map((symbol) => {
    const word = document.querySelector(`[data-testid="row-${symbol}"] [data-testid="freshness"]`);
    const seen = [word.textContent];
    new MutationObserver(() => {
      if (word.textContent !== seen[seen.length - 1]) seen.push(word.textContent);
    }).observe(word, { subtree: true, childList: true, characterData: true });
    return [symbol, seen];
  }));
}"""


@dataclass(slots=True)
class Dashboard:
    """One page in one browser context. `problems` gathers script errors and error lines of the console."""

    page: Page
    problems: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def listen(self) -> None:
        """Note what goes wrong, and every host the page talks to."""
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        self.page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).hostname or ""))

    async def configure(self, **variables: str) -> None:
        """Set VITE_* variables, as whoever serves the page can."""
        await self.page.add_init_script(f"window.QUOTEWIRE_ENV = {json.dumps(variables)}")

    async def watch(self, symbols: Sequence[str]) -> None:
        """Start with these symbols, unless the page has stored others."""
        stored = json.dumps(json.dumps(list(symbols)))
        await self.page.add_init_script(f"localStorage['quotewire.watchlist'] ??= {stored}")

    async def open(self, url: str) -> None:
        await self.page.goto(url)

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def row(self, symbol: str) -> Locator:
        return self.page.get_by_test_id(f"row-{symbol}")

    def cell(self, symbol: str, name: str) -> Locator:
        return self.row(symbol).get_by_test_id(name)

    async def state_is(self, state: str) -> None:
        await expect(self.part("state")).to_have_text(state, timeout=PATIENCE_MS)

    async def shows(self, symbol: str, name: str, text: str) -> None:
        await expect(self.cell(symbol, name)).to_have_text(text, timeout=PATIENCE_MS)

    async def moves(self, symbol: str, name: str, changes: int = 2) -> list[str]:
        """Wait until a cell has changed that often; returns what it showed, in order."""
        selector = f'[data-testid="row-{symbol}"] [data-testid="{name}"]'
        await expect(self.cell(symbol, name)).not_to_have_text(NO_VALUE, timeout=PATIENCE_MS)
        seen: list[str] = await self.page.evaluate(MOVES, [selector, changes])
        return seen

    async def keep_words(self, symbols: Sequence[str]) -> None:
        """From now on note every freshness these rows show, however briefly."""
        await self.page.evaluate(KEEP_WORDS, list(symbols))

    async def words(self) -> dict[str, list[str]]:
        """What was noted, in order, for each symbol."""
        seen: dict[str, list[str]] = await self.page.evaluate("window.words")
        return seen

    def person(self, name: str) -> Locator:
        """The person's card in the upstream panel."""
        return self.part(f"person-{name}")

    def fact(self, name: str, fact: str) -> Locator:
        """One line of a person's card."""
        return self.person(name).locator(f'[data-fact="{fact}"]')

    async def picture(self, name: str) -> None:
        """Keep a screenshot for people; git does not see it."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
