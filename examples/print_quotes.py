"""Print quotes as they come. Start a gateway first: `quotewire demo`.

python examples/print_quotes.py AAPL SHOP.TO
"""

import asyncio
import sys

import quotewire


async def main(symbols: list[str]) -> None:
    """Until interrupted."""
    async with quotewire.connect() as client:
        async for quote in client.quotes(*symbols):
            print(f"{quote.symbol:10} {quote.bid_price} / {quote.ask_price}   {quote.freshness}")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:] or ["AAPL", "SHOP.TO"]))
    except quotewire.QuotewireError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
