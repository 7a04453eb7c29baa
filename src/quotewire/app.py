"""Where everything meets: settings in, a running gateway out. The only module that knows both edge and upstream."""

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from quotewire.bus.memory import MemoryBus
from quotewire.edge import api, health
from quotewire.edge.auth import ClientTokens, signing_key
from quotewire.edge.drain import Phase
from quotewire.edge.draining import Draining
from quotewire.edge.gate import Gate
from quotewire.edge.listening import bind
from quotewire.edge.ports import UpstreamPort, WholePort
from quotewire.edge.server import serving
from quotewire.edge.services import Services
from quotewire.hub.hub import Delivery, Hub
from quotewire.process import sole_owner
from quotewire.settings import Settings
from quotewire.upstream.supervisor import Upstream
from quotewire.upstream.tuning import DEFAULT, Tuning
from quotewire.upstream.vault import Vault
from quotewire.upstream.world import REAL, World

log = logging.getLogger("quotewire.app")

GRACE_S = 2.0
"""How long clients have to answer their close frame when the gateway stops."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs. `url` is how this machine reaches it."""

    url: str
    services: Services
    source: asyncio.Task[None]

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`. Raises what ended the upstream, should a defect ever do that: there is no gateway then."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({stopping, self.source}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if self.source.done() and not stop.is_set():
            log.critical("the upstream ended by a defect; stopping", extra={"event": "upstream_ended"})
            await self.source


def listen(settings: Settings) -> socket.socket:
    """Bind the settings' host and port. Raises ConfigurationError when they cannot be had."""
    return bind(settings.host, settings.port, shared=settings.reuse_port)


@contextlib.asynccontextmanager
async def running(
    settings: Settings, listener: socket.socket | None = None, *, tuning: Tuning = DEFAULT, world: World = REAL
) -> AsyncIterator[Gateway]:
    """Run a gateway while the block runs.

    `listener` is a bound socket; without one, the settings' host and port are bound. `tuning` and `world` are the
    upstream's patience and surroundings. Raises ConfigurationError and StorageError before anything is sent upstream.
    """
    with contextlib.ExitStack() as stack:
        bound = listener or stack.enter_context(contextlib.closing(listen(settings)))
        stack.enter_context(sole_owner(settings.data_dir))
        vault = stack.enter_context(contextlib.closing(Vault.open(settings.data_dir, settings.vault_key)))
        async with _composed(settings, bound, vault, tuning, world) as gateway:
            yield gateway


@contextlib.asynccontextmanager
async def _composed(
    settings: Settings, listener: socket.socket, vault: Vault, tuning: Tuning, world: World
) -> AsyncIterator[Gateway]:
    bus = MemoryBus(asyncio.get_running_loop().call_soon)
    upstream = Upstream(
        settings,
        vault,
        on_quotes=lambda quotes: bus.publish(quotes),
        on_state=bus.tell,
        tuning=tuning,
        world=world,
    )
    hub = new_hub(settings, upstream.want)
    bus.subscribe(hub)
    key = signing_key(settings.token_key, lambda: vault.derive_key("client tokens"))
    tokens = ClientTokens(key, ttl_s=settings.token_ttl_ms / 1000)
    source = asyncio.create_task(upstream.run(), name="upstream")
    try:
        async with edge(settings, listener, hub, tokens, upstream) as (url, services):
            log.info("serving", extra={"event": "serving", "url": url, "environment": settings.environment})
            yield Gateway(url, services, source)
    finally:
        source.cancel()
        await upstream.close()
        await asyncio.gather(source, return_exceptions=True)
        log.info("stopped", extra={"event": "stopped"})


def new_hub(settings: Settings, on_wanted: Callable[[frozenset[int]], None]) -> Hub:
    """The hub of this process; `on_wanted` hears of every change of what its clients want."""
    delivery = Delivery(
        max_window_s=settings.flush_window_ms / 1000,
        ring_size=settings.every_tick_backlog,
        history_depth=settings.history_depth,
        history_symbols=settings.history_symbols,
    )
    loop = asyncio.get_running_loop()
    return Hub(schedule=loop.call_later, clock=time.monotonic, on_wanted=on_wanted, delivery=delivery)


@contextlib.asynccontextmanager
async def edge(
    settings: Settings,
    listener: socket.socket,
    hub: Hub,
    tokens: ClientTokens,
    upstream: UpstreamPort,
    whole: WholePort | None = None,
    on_drain: Callable[[bool], None] | None = None,
) -> AsyncIterator[tuple[str, Services]]:
    """Serve clients on `listener` while the block runs; how this machine reaches it, and what it is made of.

    `whole` is the gateway this process is one part of, where there are several; `on_drain` is told to end all of it.
    """
    host, port = listener.getsockname()[:2]
    gate = Gate(settings, hub, tokens, upstream, whole)
    services = Services(settings, hub, gate, tokens, upstream, bound_port=lambda: port, on_drain=on_drain)
    watching = asyncio.create_task(health.watch(services), name="health")
    try:
        async with serving(api.create(services), gate, listener, grace_s=GRACE_S):
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}", services
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


class StopSignals:
    """SIGTERM sends the clients away one by one, a second one or SIGINT all at once.

    Made before there is a gateway, so that a signal that comes early is not lost.
    """

    def __init__(self) -> None:
        self._received: list[signal.Signals] = []
        self._drain: Draining | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._take, number)

    def reach(self, drain: Draining) -> asyncio.Event:
        """From here on signals reach this gateway. What is returned is set once it has gone."""
        self._drain = drain
        received, self._received = self._received, []
        for number in received:
            self._take(number)
        return drain.gone

    def _take(self, number: signal.Signals) -> None:
        if self._drain is None:
            self._received.append(number)
        elif number is signal.SIGINT or self._drain.phase is not Phase.SERVING:
            self._drain.hasten()
        else:
            self._drain.ask()


async def serve(settings: Settings) -> None:
    """Run a gateway until SIGTERM, SIGINT or `POST /admin/drain`, and until its clients are gone."""
    signals = StopSignals()
    async with running(settings) as gateway:
        await gateway.until(signals.reach(gateway.services.gate.drain))
