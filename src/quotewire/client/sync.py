"""The SDK for programs without an event loop: the same client, run in a thread of its own.

    with quotewire.connect_sync("http://127.0.0.1:4005") as client:
        for quote in client.quotes("AAPL"):
            print(quote.bid_price)

May be used from any thread. Each call waits for its answer; none waits longer than the asynchronous call it stands for.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from quotewire.client.api import Client, connect
from quotewire.client.entries import SymbolName
from quotewire.client.errors import ClientClosedError
from quotewire.client.state import ClientMetrics, ClientState
from quotewire.client.stream import OnError, OnGap, QuoteStream
from quotewire.client.wishes import ModeName
from quotewire.market.quote import Quote
from quotewire.market.symbol import Symbol
from quotewire.wire.messages import SymbolResult
from quotewire.wire.options import Gap

T = TypeVar("T")
P = ParamSpec("P")

STOP_TIMEOUT_S = 5.0


def _synchronous(make: Callable[P, Client]) -> Callable[P, "SyncClient"]:
    def made(*args: P.args, **keys: P.kwargs) -> "SyncClient":
        """A client of the gateway at `url`, to be used with `with`. Takes and raises what `connect` does.

        Callbacks (`on_state`, `on_gap`) are called in the client's own thread.
        """
        return SyncClient(make(*args, **keys))

    return made


connect_sync = _synchronous(connect)


class SyncClient:
    """A `Client` and the thread its event loop runs in. Made by `connect_sync`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return repr(self._client).replace("quotewire.Client", "quotewire.SyncClient")

    # --- life ---

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def connect(self) -> None:
        """Connect; a no-op while the client is connected or trying. Raises GatewayUnreachableError, see `connect`."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            name = f"quotewire {self._client.connection_id}"
            self._thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
            self._thread.start()
        try:
            self._wait(self._client.connect())
        except BaseException:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Close the connection, end every iterator and the thread; harmless when there is none."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._wait(self._client.disconnect())
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_TIMEOUT_S)

    # --- quotes ---

    def quotes(
        self,
        *symbols: SymbolName,
        on_error: OnError = "raise",
        queue_size: int | None = None,
        fields: Iterable[str] | None = None,
        max_rate: float = 0.0,
        delta: bool = False,
        mode: ModeName = "adaptive",
        on_gap: OnGap | None = None,
    ) -> "SyncQuotes":
        """Iterate over quotes of these symbols. Takes and raises what `Client.quotes` does."""

        def made() -> QuoteStream:
            return self._client.quotes(
                *symbols,
                on_error=on_error,
                queue_size=queue_size,
                fields=fields,
                max_rate=max_rate,
                delta=delta,
                mode=mode,
                on_gap=on_gap,
            )

        return SyncQuotes(self._wait, self._call(made))

    def latest(self, symbol: SymbolName) -> Quote | None:
        """The last quote of a symbol that is being iterated over; see `Client.latest`."""
        return self._call(lambda: self._client.latest(symbol))

    def snapshot(self, *symbols: str) -> list[Quote]:
        """The quotes of these symbols as they stand; see `Client.snapshot`."""
        return self._wait(self._client.snapshot(*symbols))

    def search(self, prefix: str) -> list[Symbol]:
        """Symbols whose name begins with `prefix`."""
        return self._wait(self._client.search(prefix))

    def lookup(self, *symbols: str) -> dict[str, Symbol]:
        """The record of each of these symbols, by the name asked for."""
        return self._wait(self._client.lookup(*symbols))

    # --- how it stands ---

    @property
    def connection_id(self) -> str:
        """The name of this client in the gateway's logs."""
        return self._client.connection_id

    @property
    def state(self) -> ClientState:
        """How the connection stands."""
        return self._call(lambda: self._client.state)

    def get_metrics(self) -> ClientMetrics:
        """What this client counted since it was entered (R19)."""
        return self._call(self._client.get_metrics)

    def refresh_token(self) -> None:
        """Have the gateway see to the person's login, get a new token, and reconnect with it."""
        self._wait(self._client.refresh_token())

    # --- inside ---

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it in the client's thread and wait for it; an interrupt of this thread cancels it."""
        loop = self._loop
        if loop is None or loop.is_closed():
            work.close()
            raise ClientClosedError("the client is not connected; use it inside `with quotewire.connect_sync(...)`")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ClientClosedError("the client was disconnected") from None
        finally:
            future.cancel()

    def _call(self, what: Callable[[], T]) -> T:
        async def call() -> T:
            return what()

        return self._wait(call())


class SyncQuotes(Iterator[Quote]):
    """Quotes of some symbols, as `QuoteStream` has them. To be closed, or used with `with`, unless the client ends."""

    def __init__(self, wait: Callable[[Coroutine[Any, Any, Any]], Any], stream: QuoteStream) -> None:
        self._wait = wait
        self._stream = stream

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Quote:
        """The next quote; waits for it."""
        quote = self._wait(self._step())
        if quote is None:
            raise StopIteration
        assert isinstance(quote, Quote)
        return quote

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def subscribe(self) -> None:
        """Subscribe now, and wait for the gateway's verdict on each symbol."""
        self._wait(self._stream.subscribe())

    def close(self) -> None:
        """Stop; twice is harmless."""
        self._wait(self._stream.aclose())

    @property
    def refused(self) -> tuple[SymbolResult, ...]:
        """The symbols that cannot be had, so far."""
        return self._stream.refused

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The holes met so far by the iteration."""
        return self._stream.gaps

    @property
    def pending(self) -> int:
        """Quotes that wait to be taken."""
        return self._stream.pending

    @property
    def skipped(self) -> int:
        """Updates replaced by newer ones because they were not taken in time."""
        return self._stream.skipped

    async def _step(self) -> Quote | None:
        # A StopAsyncIteration would not cross to the other thread as itself.
        return await anext(self._stream, None)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """The thread: the loop until it is stopped, then its last tasks."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=STOP_TIMEOUT_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
