"""`quotewire watch`: live quotes in the terminal, as a table or as one JSON object a line."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

import quotewire
from quotewire.cli.watch_table import Screen
from quotewire.client.api import DEFAULT_URL
from quotewire.client.errors import describe
from quotewire.client.stream import QuoteStream
from quotewire.client.wishes import wish
from quotewire.errors import ConfigurationError, QuotewireError
from quotewire.market.symbol import Symbol
from quotewire.resilience.backoff import Backoff
from quotewire.wire.options import Mode
from quotewire.wire.wishes import MAX_RATE, MIN_RATE

NAME: Final = "watch"
HELP: Final = "show live quotes in the terminal"

FIELDS: Final = tuple(field.encode_name for field in msgspec.structs.fields(quotewire.Quote))
LIFECYCLE: Final = quotewire.LifecycleConfig(backoff=Backoff(base_s=0.5), max_attempts=10, ping_interval_s=10.0)
"""Somebody is looking at the screen: the first attempts follow one another quickly, and the latency is wanted soon."""
PAINT_INTERVAL_S: Final = 0.25

encode = msgspec.json.Encoder().encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to watch, where, and how to show it."""
    parser.add_argument(
        "symbols", nargs="+", metavar="SYMBOL", help="a symbol such as SHOP.TO, or Questrade's id of it"
    )
    parser.add_argument("--url", metavar="U", help=f"the gateway (default: QUOTEWIRE_URL, else {DEFAULT_URL})")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object per update, a line each, instead of a table"
    )
    parser.add_argument("--count", type=_count, metavar="N", help="end after N updates")
    parser.add_argument("--mode", choices=[*Mode], default=Mode.ADAPTIVE, help="which updates come (default: adaptive)")
    parser.add_argument(
        "--max-rate", type=_rate, default=0.0, metavar="R", help="at most R updates a second and symbol"
    )
    parser.add_argument("--delta", action="store_true", help="only changes travel; what is shown is whole")
    parser.add_argument("--fields", type=_fields, metavar="A,B", help="with --json: only these fields of each quote")


def run(args: argparse.Namespace) -> int:
    """Watch until interrupted, or until `--count` updates were seen."""
    if args.fields and not args.json:
        raise ConfigurationError("--fields goes with --json")
    if args.max_rate and args.mode == Mode.EVERY:
        raise ConfigurationError("--max-rate goes with no --mode every")
    asyncio.run(_watch(args, address(args.url, os.environ)))
    return 0


def address(url: str | None, environ: Mapping[str, str]) -> str:
    """Where the gateway is: the option, else the environment, else this machine."""
    return url or environ.get("QUOTEWIRE_URL") or DEFAULT_URL


async def _watch(args: argparse.Namespace, url: str) -> None:
    names = [int(name) if name.isdecimal() else name for name in dict.fromkeys(args.symbols)]
    notes = Notes()
    async with quotewire.connect(url, lifecycle=LIFECYCLE, on_state=notes.changed) as client:
        stream = client.quotes(
            *names,
            on_error="skip",
            fields=args.fields,
            max_rate=args.max_rate,
            delta=args.delta,
            mode=args.mode,
            on_gap=notes.missed,
        )
        await stream.subscribe()
        for result in stream.refused:
            notes.say(describe(result))
        if args.json:
            await _lines(stream, args.count, args.fields)
        elif not sys.stdout.isatty():
            await _plain(stream, args.count)
        else:
            notes.quiet = True  # the table has a header for that
            screen = Screen(client, stream, url, names, await _records(client, names))
            await _table(screen, stream, args.count)


async def _lines(stream: QuoteStream, count: int | None, fields: tuple[str, ...] | None) -> None:
    """One JSON object per update on standard output, and nothing else."""
    seen = 0
    async for quote in stream:
        text = encode(quote if fields is None else _only(quote, fields))
        sys.stdout.buffer.write(text + b"\n")
        sys.stdout.buffer.flush()
        seen += 1
        if seen == count:
            return


async def _plain(stream: QuoteStream, count: int | None) -> None:
    """One readable line per update, for standard output that is no terminal."""
    seen = 0
    async for quote in stream:
        prices = f"bid {quote.bid_price}  ask {quote.ask_price}  last {quote.last_trade_price}  volume {quote.volume}"
        print(f"{quote.symbol}  {prices}  {quote.freshness}", flush=True)
        seen += 1
        if seen == count:
            return


async def _table(screen: Screen, stream: QuoteStream, count: int | None) -> None:
    """The table, painted a few times a second while quotes are taken as they come."""
    with screen:
        async with asyncio.TaskGroup() as group:
            painter = group.create_task(_paint(screen))
            seen = 0
            async for _ in stream:
                seen += 1
                if seen == count:
                    break
            painter.cancel()
        screen.paint()


async def _paint(screen: Screen) -> None:
    while True:
        screen.paint()
        await asyncio.sleep(PAINT_INTERVAL_S)


async def _records(client: quotewire.Client, names: list[int | str]) -> dict[str, Symbol]:
    """What the day's change is measured against. Without it the table has no change to show, and is a table still."""
    try:
        return await client.lookup(*(name for name in names if isinstance(name, str)))
    except QuotewireError:
        return {}


class Notes:
    """Lines on standard error. Of the connection only what is news: that it was lost, and that it is back."""

    def __init__(self) -> None:
        self.quiet = False
        self._shown: quotewire.State | None = None

    def say(self, text: str) -> None:
        """One line."""
        print(f"quotewire watch: {text}", file=sys.stderr, flush=True)

    def missed(self, gap: quotewire.Gap) -> None:
        """Called by the client for each hole."""
        if not self.quiet:
            span = f"updates {gap.from_sequence} to {gap.to_sequence} of epoch {gap.epoch}"
            self.say(f"{gap.symbol or gap.symbol_id}: {span} will not come ({gap.cause})")

    def changed(self, state: quotewire.ClientState) -> None:
        """Called by the client on each change."""
        known, lost = self._shown is not None, state.state not in (self._shown, quotewire.State.DISCONNECTED)
        if known and lost and not self.quiet:
            self.say(f"{state.state}: {state.detail}" if state.detail else str(state.state))
        if known or state.state is quotewire.State.CONNECTED:
            self._shown = state.state


def _only(quote: quotewire.Quote, fields: tuple[str, ...]) -> dict[str, object]:
    values = msgspec.to_builtins(quote)
    return {name: values[name] for name in fields}


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; a whole number from 1 is")
    return int(text)


def _rate(text: str) -> float:
    try:
        return wish(None, float(text), False, Mode.ADAPTIVE).max_rate
    except ValueError:
        told = f"{text!r} is no rate; {MIN_RATE:g} to {MAX_RATE:g} updates a second are, and 0 for no limit"
        raise argparse.ArgumentTypeError(told) from None


def _fields(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in FIELDS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'}: the fields are {', '.join(FIELDS)}")
    return names
