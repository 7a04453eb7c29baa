"""The process that owns the upstream: logins, streams, the book, and the head of the bus. It serves no clients."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

from quotewire.bus.envelope import Reading
from quotewire.bus.publisher import Publisher
from quotewire.edge.auth import signing_key
from quotewire.edge.client_reports import ClientReports
from quotewire.errors import BusError
from quotewire.market.history import History
from quotewire.market.quote import Quote
from quotewire.process import sole_owner
from quotewire.resilience.accounts import Limits
from quotewire.settings import Settings
from quotewire.upstream.supervisor import Upstream
from quotewire.upstream.vault import Vault
from quotewire.workers import child

log = logging.getLogger("quotewire.workers.owner")


def own_readings(upstream: Upstream, reports: ClientReports) -> list[Reading]:
    """What the owner alone can count."""
    persons = upstream.persons()
    active = sum(person.is_active for person in persons)
    latency = reports.mean_latency_ms()
    return [
        Reading("quotewire_upstream_connected", float(upstream.state.state == "connected")),
        Reading("quotewire_persons", active, ("true",)),
        Reading("quotewire_persons", len(persons) - active, ("false",)),
        *(Reading("quotewire_upstream", float(value), (name,)) for name, value in upstream.counters().items()),
        *(Reading(each.name, float(each.value), each.labels) for each in upstream.readings()),
        Reading("quotewire_client_reports_total", reports.reports),
        *(Reading("quotewire_client_reported_total", count, (name,)) for name, count in reports.totals.items()),
        *([] if latency is None else [Reading("quotewire_client_latency_milliseconds", latency)]),
    ]


async def own(settings: Settings, directory: Path, stop: asyncio.Event) -> None:
    """Own the upstream until `stop`. `directory` is where the workers find the bus.

    Raises ConfigurationError and StorageError before anything is sent upstream, and BusError when the workers hold this
    owner for gone, so that another, of a new epoch, has to take its place.
    """
    with sole_owner(settings.data_dir), contextlib.closing(Vault.open(settings.data_dir, settings.vault_key)) as vault:
        # The count after the last owner's is left free: its workers told their clients "stale" in it.
        vault.next_epoch()
        publisher: Publisher
        reports = ClientReports()
        upstream = Upstream(
            settings,
            vault,
            on_quotes=lambda quotes: publisher.publish(quotes),
            on_state=lambda state: publisher.tell(state),
        )
        publisher = Publisher(
            upstream,
            reports,
            new_history(settings),
            key=signing_key(settings.token_key, lambda: vault.derive_key("client tokens")),
            epoch=upstream.epoch,
            limits=Limits.of(settings),
            own=lambda: own_readings(upstream, reports),
        )
        try:
            async with publisher.listening(directory):
                await _run(upstream, publisher, stop)
        finally:
            await upstream.close()
            log.info("the owner has ended", extra={"event": "owner.ended"})


def new_history(settings: Settings) -> History[Quote]:
    """What the owner keeps for workers that start or lag: as much as each of them keeps for its clients."""
    return History(depth=settings.history_depth, max_symbols=settings.history_symbols)


async def _run(upstream: Upstream, publisher: Publisher, stop: asyncio.Event) -> None:
    """Run until `stop`, or until one of the parts ends by a defect or a fence."""
    parts: set[asyncio.Task[Any]] = {
        asyncio.create_task(upstream.run(), name="upstream"),
        asyncio.create_task(publisher.fenced(), name="fence"),
        asyncio.create_task(child.beat(), name="beat"),
    }
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait(), name="stop")
    child.say(child.READY)
    log.info("the owner runs", extra={"event": "owner.running", "epoch": upstream.epoch})
    try:
        await asyncio.wait({stopping, *parts}, return_when=asyncio.FIRST_COMPLETED)
        for part in parts:
            if part.done():
                part.result()
                raise BusError(f"the {part.get_name()} ended")
    finally:
        for part in (stopping, *parts):
            part.cancel()
        await asyncio.gather(stopping, *parts, return_exceptions=True)
