"""A process that serves clients: hub and edge as in a gateway of one process, fed over the bus."""

import asyncio
import contextlib
import dataclasses
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from quotewire import app
from quotewire.bus.envelope import Reading, TokenView
from quotewire.bus.subscriber import Subscriber
from quotewire.edge.auth import ClientTokens
from quotewire.edge.samples import counters, samples
from quotewire.edge.services import Services
from quotewire.edge.shares import SharedLimiter
from quotewire.errors import BusError
from quotewire.hub.hub import Hub
from quotewire.market.quote import Freshness, Quote
from quotewire.resilience.accounts import Held
from quotewire.settings import Settings
from quotewire.telemetry.catalogue import Sample
from quotewire.wire.messages import UpstreamState
from quotewire.workers import child

CATCH_UP_S = 60.0
"""How long the owner may take to be there and to say what came before."""

UNSURE = (Freshness.LIVE, Freshness.QUIET, Freshness.RECOVERING, Freshness.HALTED)
"""What is no longer known when nothing comes from upstream; that a market is closed still is."""

log = logging.getLogger("quotewire.workers.worker")


class Node:
    """This process as the bus sees it. The services come with the edge, after the first quotes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.services: Services | None = None

    def publish(self, quotes: Sequence[Quote]) -> None:
        """Take updates, oldest first."""
        self._hub.publish(quotes)

    def tell(self, state: UpstreamState) -> None:
        """The upstream changed."""
        self._hub.tell_upstream(state)

    def lost(self, epoch: int) -> None:
        """Nothing comes any more: what is known is stale.

        The sequences go on in the new count, so that a client that moves to a worker that knows more is given that.
        """
        known = [quote for quote in self._hub.known() if quote.freshness in UNSURE]
        self._hub.publish(
            [replace(quote, epoch=epoch, sequence=quote.sequence + 1, freshness=Freshness.STALE) for quote in known]
        )

    def readings(self) -> list[Reading]:
        """The numbers of this process."""
        if self.services is None:
            return []
        return [Reading(each.name, each.value, each.labels) for each in samples(self.services)]

    def counters(self) -> list[Reading]:
        """Those of them that only grow."""
        if self.services is None:
            return []
        return [Reading(each.name, each.value, each.labels) for each in counters(self.services)]

    def held(self) -> list[Held]:
        """All that clients hold of what addresses and keys may have."""
        limiter = None if self.services is None else self.services.gate.limiter
        return limiter.held() if isinstance(limiter, SharedLimiter) else []


class Whole:
    """The whole gateway, asked over the bus; the edge's port of the same name."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.admit = subscriber.admit
        self.claim = subscriber.claim
        self.draw = subscriber.draw
        self.left = subscriber.left

    async def samples(self) -> list[Sample]:
        """Every metric, over all processes. Raises UpstreamError while the owner is away."""
        return [Sample(each.name, each.value, each.labels) for each in await self._subscriber.samples()]

    async def report(self) -> dict[str, Any]:
        """What operators see of the upstream. Raises UpstreamError."""
        return await self._subscriber.report()

    async def clients(self) -> dict[str, Any]:
        """What clients reported of themselves, added up. Raises UpstreamError."""
        return await self._subscriber.clients()

    def reported(self, client: str, counts: Mapping[str, float]) -> None:
        """A client reported of itself."""
        self._subscriber.reported(client, counts)


class Remote:
    """The upstream as the edge's port wants it; numbers and report are the owner's to tell."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.resolve = subscriber.resolve
        self.search = subscriber.search
        self.snapshot = subscriber.snapshot
        self.refresh = subscriber.refresh

    @property
    def state(self) -> UpstreamState:
        """The connection to Questrade as a whole."""
        return self._subscriber.state

    def persons(self) -> Sequence[TokenView]:
        """Everybody whose login is held."""
        return self._subscriber.persons()

    def report(self) -> dict[str, Any]:
        """Nothing of this process's own."""
        return {}

    def readings(self) -> list[Reading]:
        """Nothing of this process's own."""
        return []

    def counters(self) -> dict[str, int | float]:
        """Nothing of this process's own."""
        return {}


async def work(settings: Settings, directory: Path, number: int, port: int) -> None:
    """Serve clients on `port`, shared with the other workers, until told to stop and until the clients have moved on.

    Raises ConfigurationError when the port cannot be had, BusError when the owner cannot be understood.
    """
    early = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, early.set)
    shared = dataclasses.replace(settings, port=port, reuse_port=True)
    subscriber: Subscriber
    hub = app.new_hub(shared, lambda symbol_ids: subscriber.want(symbol_ids))
    node = Node(hub)
    subscriber = Subscriber(directory, number, node)
    parts = (
        asyncio.create_task(subscriber.run(), name="bus"),
        asyncio.create_task(child.beat(), name="beat"),
    )
    try:
        async with asyncio.timeout(CATCH_UP_S):
            await _first(subscriber.caught_up, early, parts)
        if not early.is_set():
            await _serve(shared, hub, node, subscriber, parts)
    except TimeoutError:
        raise BusError("the owner of the upstream is not there") from None
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


async def _serve(
    settings: Settings, hub: Hub, node: Node, subscriber: Subscriber, parts: Sequence[asyncio.Task[None]]
) -> None:
    signals = app.StopSignals()
    tokens = ClientTokens(subscriber.key, ttl_s=settings.token_ttl_ms / 1000)
    remote, whole = Remote(subscriber), Whole(subscriber)
    with contextlib.closing(app.listen(settings)) as listener:
        async with app.edge(settings, listener, hub, tokens, remote, whole, on_drain=_pass_on) as (_, services):
            node.services = services
            child.say(child.READY)
            log.info("the worker serves", extra={"event": "worker.serving", "port": settings.port})
            gone = signals.reach(services.gate.drain)
            await _first(gone, gone, parts)
        log.info("the worker has ended", extra={"event": "worker.ended"})


def _pass_on(hasten: bool) -> None:
    """An operator asked this worker for the end of the whole gateway: that is the parent's to do."""
    child.say(child.HASTEN if hasten else child.DRAIN)


async def _first(one: asyncio.Event, other: asyncio.Event, parts: Sequence[asyncio.Task[None]]) -> None:
    """Wait for either event. Raises what ended a part, should one end before."""
    waits = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait({*waits, *parts}, return_when=asyncio.FIRST_COMPLETED)
        for part in parts:
            if part.done():
                part.result()
                raise BusError(f"the {part.get_name()} ended")
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
