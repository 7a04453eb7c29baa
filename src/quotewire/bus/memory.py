"""The bus of a gateway in one process: publishing is a call of the sink's own method, and costs nothing more."""

from collections.abc import Callable
from typing import Protocol

from quotewire.market.quote import Quote
from quotewire.wire.messages import UpstreamState


class NearSink(Protocol):
    """What of a `Sink` matters in one process."""

    def publish(self, quotes: list[Quote]) -> None:
        """Take updates, oldest first."""

    def tell_upstream(self, state: UpstreamState) -> None:
        """The upstream changed."""


class MemoryBus:
    """From the upstream to the hub beside it. Subscribe before anything is published."""

    publish: Callable[[list[Quote]], None]

    def __init__(self, schedule: Callable[..., object]) -> None:
        self._schedule = schedule

    def subscribe(self, sink: NearSink) -> None:
        """Give `sink` all that is published from now on."""
        self.publish = sink.publish
        self._tell = sink.tell_upstream

    def tell(self, state: UpstreamState) -> None:
        """The upstream changed. Not at once: a client's own command may have done it, and its answer goes first."""
        self._schedule(self._tell, state)
