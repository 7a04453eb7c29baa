"""The outside world as the upstream sees it: clocks, chance, REST, sockets, token exchanges.

Everything that the upstream cannot decide for itself comes in through here, so that a simulation can be the world.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from quotewire.questrade.rest import RestClient
from quotewire.questrade.stream import QuoteSocket
from quotewire.resilience.backoff import Chance
from quotewire.upstream.redeemer import Errand, Report
from quotewire.upstream.spawn import exchange


class SocketOpener(Protocol):
    """`QuoteSocket.open`, or something that stands for it."""

    async def __call__(self, url: str, *, timeout_s: float = ...) -> QuoteSocket:
        """An open socket. Raises UpstreamUnavailableError."""


@dataclass(frozen=True, slots=True)
class World:
    """`monotonic` and `wall` (epoch) are clocks in seconds. `exchange` must outlive whoever is cancelled waiting."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    chance: Chance = random.random
    rest: Callable[[], RestClient] = RestClient
    open_socket: SocketOpener = QuoteSocket.open
    exchange: Callable[[Errand], Awaitable[Report]] = exchange


REAL: Final = World()
