"""How `quotewire watch` looks on a terminal: a header line and a table, painted with rich."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, JustifyMethod
from rich.live import Live
from rich.table import Table
from rich.text import Text

from quotewire.client.api import Client
from quotewire.client.entries import SymbolName
from quotewire.client.state import ClientState
from quotewire.client.stream import QuoteStream
from quotewire.market.quote import Freshness, Quote
from quotewire.market.symbol import Symbol
from quotewire.resilience.lifecycle_types import State

NOTHING: Final = "–"  # noqa: RUF001  an en dash stands for "no value"

STATE_STYLES: Final[dict[State, str]] = {
    State.CONNECTED: "bold green",
    State.CONNECTING: "bold yellow",
    State.DEGRADED: "bold yellow",
    State.DISCONNECTED: "bold red",
    State.ERROR: "bold red",
}
FRESHNESS_STYLES: Final[dict[Freshness, str]] = {
    Freshness.LIVE: "green",
    Freshness.QUIET: "cyan",
    Freshness.STALE: "bold red",
    Freshness.HALTED: "bold magenta",
    Freshness.CLOSED: "dim",
    Freshness.RECOVERING: "yellow",
}


COLUMNS: Final = ("symbol", "bid", "ask", "last", "change", "volume", "freshness", "age")
JUSTIFIED: Final[dict[str, JustifyMethod]] = {
    title: "left" if title in ("symbol", "freshness") else "right" for title in COLUMNS
}
LEAVE_FIRST: Final = (("age", 76), ("volume", 66), ("change", 54), ("ask", 44), ("bid", 34))
"""A terminal narrower than this does without the column. Whether a price can be trusted always shows."""


class Screen:
    """The table on the terminal, for as long as its context lasts."""

    def __init__(
        self,
        client: Client,
        stream: QuoteStream,
        url: str,
        names: Sequence[SymbolName],
        records: Mapping[str, Symbol],
        console: Console | None = None,
    ) -> None:
        """`records` tells what each symbol closed at the day before, where it is known."""
        self._client = client
        self._stream = stream
        self._url = url
        self._names = names
        self._closes = {record.symbol: record.prev_day_close_price for record in records.values()}
        self._live = Live(console=console or Console(), auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def paint(self) -> None:
        """Show how things stand."""
        now_ms = time.time() * 1000
        console = self._live.console
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        shown = columns(console.width)
        for title in shown:
            table.add_column(title, style="bold" if title == "symbol" else "", no_wrap=True, justify=JUSTIFIED[title])
        for name in self._names:
            quote = self._client.latest(name)
            close = self._closes.get(quote.symbol) if quote else None
            cells = dict(zip(COLUMNS, row(str(name), quote, close, now_ms), strict=True))
            table.add_row(*(cells[title] for title in shown))
        head = header(self._client.state, self._url, self._stream.skipped, len(self._stream.gaps))
        self._live.update(Group(head, table), refresh=True)


def columns(width: int) -> tuple[str, ...]:
    """The columns a terminal of this width has room for."""
    left_out = {title for title, needed in LEAVE_FIRST if width < needed}
    return tuple(title for title in COLUMNS if title not in left_out)


def header(state: ClientState, url: str, skipped: int, gaps: int = 0) -> Text:
    """The connection in a line or two: state, person, latency, and what is wrong if something is."""
    line = Text.assemble((f"● {state.state}", STATE_STYLES[state.state]))
    line.append(f"  {state.person or NOTHING}  {url}")
    if state.latency_ms is not None:
        line.append(f"  {state.latency_ms:.0f} ms", "red" if state.quality == "poor" else "")
    if skipped:
        line.append(f"  {skipped} skipped", "dim")
    if gaps:
        line.append(f"  {gaps} gaps", "yellow")
    if state.upstream is not None and state.upstream.state != State.CONNECTED:
        line.append(f"\nthe gateway's own connection: {state.upstream.state} ({state.upstream.reason})", "yellow")
    if state.detail and state.state is not State.CONNECTED:
        line.append(f"\n{state.detail}", "yellow")
    return line


def row(name: str, quote: Quote | None, close: float | None, now_ms: float) -> tuple[Text, ...]:
    """One symbol's cells. Freshness has a word as well as a colour."""
    if quote is None:
        return (Text(name), *(Text(NOTHING, "dim") for _ in range(7)))
    dim = "" if quote.tradable else "dim"
    prices = (quote.bid_price, quote.ask_price, quote.last_trade_price)
    return (
        Text(quote.symbol),
        *(Text(price(value), dim) for value in prices),
        change(quote.last_trade_price, close),
        Text(NOTHING if quote.volume is None else f"{quote.volume:,}", dim),
        Text(quote.freshness + (" (delayed)" if quote.delayed else ""), FRESHNESS_STYLES[quote.freshness]),
        Text(age(now_ms - quote.received_at), "dim"),
    )


def price(value: float | None) -> str:
    """Two decimals, or up to four where the price has them."""
    if value is None:
        return NOTHING
    text = f"{value:,.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def change(last: float | None, close: float | None) -> Text:
    """The day's change, in money and per cent; its sign is written, not only coloured."""
    if last is None or not close:
        return Text(NOTHING, "dim")
    moved = last - close
    style = "green" if moved > 0 else "red" if moved < 0 else ""
    return Text(f"{moved:+,.2f} {moved / close:+.2%}", style)


def age(milliseconds: float) -> str:
    """How long ago, in the largest unit that fits; clocks that disagree never make it negative."""
    seconds = max(0.0, milliseconds / 1000)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
