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
    """Built once by the application. `bound_port` tells the port the server really listens on."""

    settings: Settings
    hub: Hub
    gate: Gate
    tokens: ClientTokens
    upstream: UpstreamPort
    bound_port: Callable[[], int]
    reports: ClientReports = field(default_factory=ClientReports)
    started_at: float = field(default_factory=time.monotonic)

    def uptime_s(self) -> float:
        """Seconds since the gateway began."""
        return time.monotonic() - self.started_at
