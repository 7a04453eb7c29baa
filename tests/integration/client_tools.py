"""What the SDK's tests share."""

import asyncio
from collections.abc import Callable

from quotewire.client.stream import QuoteStream
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.testing.scripted_gateway import Conversation, ScriptedGateway

PATIENCE_S = 10.0
SYMBOLS = {"AAPL": 8049, "SHOP.TO": 7, "WEED.TO": 16529510}
FAST = LifecycleConfig(
    backoff=Backoff(base_s=0.05, cap_s=0.1, jitter=Jitter.OFF),
    max_attempts=100,
    refreshed_delay_s=0.02,
    refresh_cooldown_s=0.05,
    probe_interval_s=0.1,
)
"""The SDK's behaviour with delays a test can wait for."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def take(stream: QuoteStream, count: int) -> list[tuple[str, int]]:
    """The next quotes of a stream, as symbol and sequence."""
    async with asyncio.timeout(PATIENCE_S):
        return [(quote.symbol, quote.sequence) for quote in [await anext(stream) for _ in range(count)]]


def only(gateway: ScriptedGateway) -> Conversation:
    """The one connection that is open."""
    (conversation,) = gateway.open
    return conversation
