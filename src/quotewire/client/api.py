"""What a user of the SDK holds: `connect` and `Client`."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

from quotewire.client.encoding import ENCODINGS, EncodingName
from quotewire.client.entries import Reader, SymbolName
from quotewire.client.errors import ClientClosedError, GatewayUnreachableError, SymbolError
from quotewire.client.host import Host, Options, make_id
from quotewire.client.rest import address
from quotewire.client.state import ClientMetrics, ClientState
from quotewire.client.stream import OnError, OnGap, QuoteStream, StateStream
from quotewire.client.wishes import ModeName, wish
from quotewire.errors import ClientError
from quotewire.market.quote import Quote
from quotewire.market.symbol import Symbol
from quotewire.resilience.lifecycle_events import RefreshRequested
from quotewire.resilience.lifecycle_types import LifecycleConfig, State
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import SymbolResult

log = logging.getLogger("quotewire.client")

DEFAULT_URL: Final = "http://127.0.0.1:4005"
DEFAULT_QUEUE: Final = 1024
METRICS_PATH: Final = "/api/metrics/websocket"
CONNECTION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
MAX_NAME_LENGTH = 64
REFRESH_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 2.0

StateCallback = Callable[[ClientState], None]


def connect(
    url: str = DEFAULT_URL,
    *,
    token: str | None = None,
    person: str | None = None,
    connection_id: str | None = None,
    on_state: StateCallback | None = None,
    wait: bool = True,
    connect_timeout_s: float = 15.0,
    connect_attempts: int = 3,
    queue_size: int = DEFAULT_QUEUE,
    metrics_interval_s: float | None = 60.0,
    metrics_path: str = METRICS_PATH,
    lifecycle: LifecycleConfig | None = None,
    encoding: EncodingName = "json",
) -> "Client":
    """A client of the gateway at `url`, to be used with `async with`.

    Args:
        url: The gateway's base URL; every address is derived from it.
        token: A token of the gateway. Left out, the client gets one by itself, and new ones when they expire.
        person: Whose token to get. Left out: any person whose login works, else the first.
        connection_id: Names this client to the gateway, kept across reconnects. Left out, one is made.
        on_state: Called in the event loop with the state after each change.
        wait: Entering waits for the connection, and raises GatewayUnreachableError after `connect_attempts` failures in
            a row or `connect_timeout_s` seconds. False: entering returns at once, the client goes on trying.
        queue_size: Quotes each iterator holds before it keeps only the newest of each symbol.
        metrics_interval_s: Seconds between reports of `get_metrics()` to the gateway. None: no reports.
        metrics_path: Where they go, below `url`.
        lifecycle: Back-off, attempts, time-outs, ping, polling. Left out: the defaults, with 10 attempts.
        encoding: How messages travel, "json" or "msgpack".

    Raises ConfigurationError for a URL that cannot be one, ValueError for other arguments that cannot be right.
    """
    if connection_id is not None and not CONNECTION_ID.fullmatch(connection_id):
        raise ValueError(f"{connection_id!r} is no connection id: at most 128 of A-Z a-z 0-9 . _ -")
    if queue_size < 1 or (metrics_interval_s is not None and metrics_interval_s <= 0):
        raise ValueError("queue_size and metrics_interval_s must be positive")
    if encoding not in ENCODINGS:
        raise ValueError(f"{encoding!r} is no encoding; {' and '.join(ENCODINGS)} are")
    options = Options(
        where=address(url),
        connection_id=connection_id or make_id("ws"),
        token=token,
        person=person,
        lifecycle=lifecycle or LifecycleConfig(max_attempts=10),
        metrics_interval_s=metrics_interval_s,
        metrics_path=metrics_path,
        encoding=encoding,
    )
    return Client(options, on_state, queue_size, (connect_attempts, connect_timeout_s) if wait else None)


class Client:
    """One connection to a gateway, shared by any number of iterators. Made by `connect`.

    Not thread-safe: it belongs to the event loop it was entered in.
    """

    def __init__(
        self, options: Options, on_state: StateCallback | None, queue_size: int, patience: tuple[int, float] | None
    ) -> None:
        """`patience`: failed attempts and seconds until entering gives up; None to enter without waiting."""
        self._options = options
        self._on_state = on_state
        self._queue_size = queue_size
        self._patience = patience
        self._host: Host | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = State.DISCONNECTED if self._host is None else self._host.state().state
        return f"<quotewire.Client {self._options.connection_id} {state} {self._options.where.base}>"

    # --- life ---

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """Connect; a no-op while the client is connected or trying. Raises GatewayUnreachableError, see `connect`."""
        if self._task is None:
            self._host = Host(self._options)
            if self._on_state is not None:
                self._host.watchers.add(self)
            self._task = asyncio.create_task(self._host.run(), name=f"quotewire {self._options.connection_id}")
        if self._patience is not None:
            try:
                await self._connected(self._running, *self._patience)
            except BaseException:
                await self.disconnect()
                raise

    async def disconnect(self) -> None:
        """Close the connection and end every iterator; harmless when there is none."""
        host, task = self._host, self._task
        if host is None or task is None:
            return
        host.stop()
        try:
            await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)
        finally:
            task.cancel()
            self._task = None

    def changed(self, state: ClientState) -> None:
        """Hand a change on to `on_state`. A callback that fails is logged and does no harm."""
        if self._on_state is not None:
            try:
                self._on_state(state)
            except Exception:
                log.exception("the on_state callback failed")

    def over(self) -> None:
        """No change will follow."""

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
    ) -> QuoteStream:
        """Iterate over quotes of these symbols (text, or Questrade's ids): a snapshot of each, then every update.

        Any number of iterators share the connection; each symbol is subscribed once, and let go when its last reader
        has left. When an iterator holds more than `queue_size` quotes, only the newest of each symbol is kept, and
        `skipped` counts the rest.

        `fields` are the names of those wanted; the others of a `Quote` are None then. `max_rate` is updates a second
        and symbol, 0 for no limit. With `delta` only changes travel; quotes are whole all the same. `mode`: "adaptive"
        (every update while the line keeps up, else the newest), "latest" (the newest at each moment) or "every" (every
        update, and a `Gap` where that cannot be). A symbol that several iterators read comes as the most demanding of
        them asks. `on_gap` is called, in the event loop, when the iteration meets a `Gap`.

        Raises ValueError for a wish that cannot be. Raises SymbolError, from the iteration, when the gateway knows no
        such symbol: before the first quote where one of them is unknown from the start. With `on_error="skip"` only
        when none of them can be had; what was left out is in `refused`. A symbol that cannot be looked up at the moment
        is asked for again until it can.
        """
        if not symbols:
            raise ValueError("quotes() needs at least one symbol")
        bad = [_misnamed(name) for name in symbols if not _possible(name)]
        if bad:
            raise SymbolError(bad)
        reader = Reader(symbols, queue_size or self._queue_size, wish(fields, max_rate, delta, mode))
        return QuoteStream(self._running, reader, on_error, on_gap)

    def latest(self, symbol: SymbolName) -> Quote | None:
        """The last quote of a symbol that is being iterated over; None before the first.

        Once the connection is lost its freshness is `stale`, until the symbol is heard of again.
        """
        return self._known.session.subscriptions.latest(symbol)

    async def snapshot(self, *symbols: str) -> list[Quote]:
        """The quotes of these symbols as they stand, fetched once over HTTP; what cannot be served is missing."""
        return await self._running.rest.quotes(symbols)

    async def search(self, prefix: str) -> list[Symbol]:
        """Symbols whose name begins with `prefix`."""
        return await self._running.rest.search(prefix)

    async def lookup(self, *symbols: str) -> dict[str, Symbol]:
        """The record of each of these symbols, by the name asked for; those the gateway cannot find are missing."""
        return await self._running.rest.lookup(symbols)

    # --- how it stands ---

    @property
    def connection_id(self) -> str:
        """The name of this client in the gateway's logs."""
        return self._options.connection_id

    @property
    def state(self) -> ClientState:
        """How the connection stands."""
        return self._known.state()

    def states(self) -> StateStream:
        """Iterate over the state: as it is, then each change."""
        return StateStream(self._running)

    def get_metrics(self) -> ClientMetrics:
        """What this client counted since it was entered (R19)."""
        return self._known.metrics()

    async def refresh_token(self) -> None:
        """Have the gateway see to the person's login, get a new token, and reconnect with it (R2).

        Raises ClientError when the client was given a fixed token, GatewayUnreachableError when it does not succeed.
        """
        host = self._running
        if self._options.token is not None:
            raise ClientError("this client was given a fixed token; connect again with a new one")
        before = host.session.counters.token_refreshes
        host.feed(RefreshRequested())
        await self._connected(host, 1, REFRESH_TIMEOUT_S)
        if host.session.counters.token_refreshes == before:
            raise GatewayUnreachableError(f"the token was not refreshed: {host.session.detail or host.state().reason}")

    # --- inside ---

    @property
    def _running(self) -> Host:
        host = self._known
        if self._task is None:
            raise ClientClosedError("the client is disconnected")
        return host

    @property
    def _known(self) -> Host:
        if self._host is None:
            raise ClientClosedError("the client is not connected; use it inside `async with quotewire.connect(...)`")
        return self._host

    async def _connected(self, host: Host, attempts: int, timeout_s: float) -> None:
        """Wait for the connection; give up after so many failures in a row, or so many seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                async for state in StateStream(host):
                    if state.state is State.CONNECTED:
                        return
                    if host.session.failed or state.attempt >= attempts:
                        raise GatewayUnreachableError(host.session.detail or f"no connection: {host.state().reason}")
        except TimeoutError:
            detail = host.session.detail or "no answer"
            raise GatewayUnreachableError(f"no connection within {timeout_s:g} s: {detail}") from None
        if host.crash is not None:
            raise RuntimeError("the client failed; this is a defect") from host.crash
        raise ClientClosedError("the client was disconnected while it was connecting")


def _possible(name: SymbolName) -> bool:
    if isinstance(name, int):
        return not isinstance(name, bool) and 0 < name < 2**53
    return 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and bool(name.strip())


def _misnamed(name: SymbolName) -> SymbolResult:
    return SymbolResult(
        ok=False,
        symbol=str(name),
        code=ErrorCode.UNKNOWN_SYMBOL,
        reason=f"{name!r} is neither a symbol's name (1 to {MAX_NAME_LENGTH} characters) nor a Questrade id",
    )
