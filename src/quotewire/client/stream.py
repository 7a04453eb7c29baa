"""The iterators a user holds: quotes, and states."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Literal, Self

from quotewire.client.entries import Reader
from quotewire.client.errors import GatewayUnreachableError, SymbolError
from quotewire.client.host import Host
from quotewire.client.state import ClientState
from quotewire.market.quote import Quote
from quotewire.wire.messages import SymbolResult
from quotewire.wire.options import Gap

OnError = Literal["raise", "skip"]
OnGap = Callable[[Gap], None]

STATES_KEPT = 64
GAPS_KEPT = 256

log = logging.getLogger("quotewire.client")


class QuoteStream(AsyncIterator[Quote]):
    """Quotes of some symbols, as they come: for each symbol the snapshot first, then every update in sequence.

    Subscribes with the first step of the iteration; unsubscribes when it is closed, or no longer referred to, as after
    a loop that was left. `async with` makes the moment explicit. While the connection is away it waits, and goes on
    after the reconnect from where it was: what it missed comes first. What it cannot be given any more is told as a
    `Gap`, at its place between the quotes. Ends when the client is disconnected.

    Raises SymbolError as `quotes()` says, and GatewayUnreachableError when the gateway turns this client away for good.
    """

    def __init__(self, host: Host, reader: Reader, on_error: OnError, on_gap: OnGap | None = None) -> None:
        self._news: asyncio.Event | None = None
        self._gaps: deque[Gap] = deque(maxlen=GAPS_KEPT)
        self._on_gap = on_gap
        self._over = False
        self._host = host
        self._reader = reader
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()

    @property
    def refused(self) -> tuple[SymbolResult, ...]:
        """The symbols that cannot be had, so far."""
        return tuple(self._reader.refused)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The holes met so far by the iteration, the last `GAPS_KEPT` of them."""
        return tuple(self._gaps)

    @property
    def pending(self) -> int:
        """Quotes that wait to be taken."""
        return len(self._reader.mailbox)

    @property
    def skipped(self) -> int:
        """Updates replaced by newer ones because they were not taken in time."""
        return self._reader.mailbox.skipped

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Quote:
        """The next quote."""
        while not self._over:
            self._judge()
            if (quote := self._take()) is not None:
                return quote
            await self._wait()
        raise StopAsyncIteration

    async def subscribe(self) -> None:
        """Subscribe now, and wait for the gateway's verdict on each symbol. Iterating does it by itself.

        Raises as iterating does.
        """
        while not self._over and (self._news is None or self._reader.undecided):
            await self._wait()
        self._judge()

    async def aclose(self) -> None:
        """Stop; what waits is dropped, and whoever waits for a quote sees the end. Twice is harmless."""
        self._over = True
        self._host.leave(self._reader)
        if self._news is not None:
            self._news.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Leaving `async for` tells an iterator nothing; being forgotten does. Another thread may be the one to collect.
        if self._news is not None and not self._over and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._host.leave, self._reader)

    async def _wait(self) -> None:
        """Join at the first time; else wait for news, unless none can come."""
        if self._news is None:
            self._news = self._host.join(self._reader)
        elif self._host.ended or self._host.session.failed:
            self._end()
        else:
            self._news.clear()
            await self._news.wait()

    def _judge(self) -> None:
        reader = self._reader
        if reader.refused and not reader.undecided and (self._on_error == "raise" or reader.hopeless):
            self._over = True
            self._host.leave(reader)
            raise SymbolError(reader.refused)

    def _take(self) -> Quote | None:
        if self._reader.undecided and self._on_error == "raise":
            return None  # the verdicts come first
        while isinstance(item := self._reader.mailbox.get(), Gap):
            self._tell(item)
        return item

    def _tell(self, gap: Gap) -> None:
        self._gaps.append(gap)
        if self._on_gap is not None:
            try:
                self._on_gap(gap)
            except Exception:
                log.exception("the on_gap callback failed")

    def _end(self) -> None:
        self._over = True
        self._host.leave(self._reader)
        if self._host.crash is not None:
            raise RuntimeError("the client failed; this is a defect") from self._host.crash
        if not self._host.ended:
            raise GatewayUnreachableError(self._host.session.detail)


class StateStream(AsyncIterator[ClientState]):
    """The state as it is, then each change of it. Keeps the last `STATES_KEPT` changes; older ones are dropped.

    Ends when the client is disconnected.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._states: deque[ClientState] = deque([host.state()], STATES_KEPT)
        self._news = asyncio.Event()
        host.watchers.add(self)

    def changed(self, state: ClientState) -> None:
        """Called on each change."""
        self._states.append(state)
        self._news.set()

    def over(self) -> None:
        """No change will follow."""
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ClientState:
        """The next change."""
        while not self._states:
            if self._host.ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._states.popleft()
