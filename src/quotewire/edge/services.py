"""What the REST paths work with, gathered in one value."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from quotewire.edge.auth import ClientTokens
from quotewire.edge.client_reports import ClientReports
from quotewire.edge.gate import Gate
from quotewire.edge.ports import UpstreamPort
from quotewire.hub.hub import Hub
from quotewire.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Built once by the application. `bound_port` tells the port the server really listens on.

    `on_drain(hasten)` is told that the gateway is to go, where this process is one of several; without it, it goes.
    """

    settings: Settings
    hub: Hub
    gate: Gate
    tokens: ClientTokens
    upstream: UpstreamPort
    bound_port: Callable[[], int]
    on_drain: Callable[[bool], None] | None = None
    reports: ClientReports = field(default_factory=ClientReports)
    started_at: float = field(default_factory=time.monotonic)

    def uptime_s(self) -> float:
        """Seconds since the gateway began."""
        return time.monotonic() - self.started_at

    def ask_drain(self, *, hasten: bool = False) -> None:
        """The gateway is to go; with `hasten`, at once."""
        if self.on_drain is not None:
            self.on_drain(hasten)
        elif hasten:
            self.gate.drain.hasten()
        else:
            self.gate.drain.ask()
