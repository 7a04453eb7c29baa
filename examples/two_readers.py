"""Two parts of a program share one connection: one prints spreads, one watches for halts, a third tells how it stands.

python examples/two_readers.py [URL]
"""

import asyncio
import sys

import quotewire


async def spreads(client: quotewire.Client) -> None:
    """The spread of each symbol, whenever it may be traded on."""
    async for quote in client.quotes("AAPL", "SHOP.TO"):
        if quote.tradable and quote.bid_price and quote.ask_price:
            print(f"{quote.symbol}: {quote.ask_price - quote.bid_price:.2f}")


async def halts(client: quotewire.Client) -> None:
    """A line for each halt. `AAPL` is read by both; the gateway is asked for it once."""
    async for quote in client.quotes("AAPL", "MSFT"):
        if quote.freshness is quotewire.Freshness.HALTED:
            print(f"{quote.symbol} is halted")


async def connection(client: quotewire.Client) -> None:
    """Every change of the connection."""
    async for state in client.states():
        print(f"[{state.state}] {state.detail or state.reason}")


async def main(url: str) -> None:
    """All three until interrupted."""
    async with quotewire.connect(url) as client, asyncio.TaskGroup() as group:
        for work in (spreads, halts, connection):
            group.create_task(work(client))


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4005"))
    except quotewire.QuotewireError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
