"""quotewire: one Questrade login, any number of screens.

errors, settings                                       what everything stands on
market, resilience, wire                               pure rules: quotes and books, living with failure, the protocol
questrade, upstream                                    Questrade's wire; several people's logins as one source
hub, edge                                              who wants what and is owed what; the one port
telemetry, simulator, client, testing                  exporters; a Questrade to run against; the SDK; public fakes
app, cli                                               where it all meets

What a user imports is below; it is loaded when first used, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quotewire.version import VERSION as __version__  # noqa: N811  the name Python packages use

if TYPE_CHECKING:
    from quotewire.client.api import Client, connect
    from quotewire.client.errors import ClientClosedError, GatewayUnreachableError, SymbolError
    from quotewire.client.state import ClientMetrics, ClientState
    from quotewire.client.sync import SyncClient, connect_sync
    from quotewire.errors import ConfigurationError, QuotewireError
    from quotewire.market.quote import Freshness, Quote, Source
    from quotewire.market.symbol import Symbol
    from quotewire.resilience.lifecycle_types import LifecycleConfig, Quality, State
    from quotewire.settings import Settings
    from quotewire.wire.options import Cause, Gap

__all__ = [
    "Cause",
    "Client",
    "ClientClosedError",
    "ClientMetrics",
    "ClientState",
    "ConfigurationError",
    "Freshness",
    "Gap",
    "GatewayUnreachableError",
    "LifecycleConfig",
    "Quality",
    "Quote",
    "QuotewireError",
    "Settings",
    "Source",
    "State",
    "Symbol",
    "SymbolError",
    "SyncClient",
    "__version__",
    "connect",
    "connect_sync",
]

_HOMES = {
    "quotewire.client.api": ("Client", "connect"),
    "quotewire.client.errors": ("ClientClosedError", "GatewayUnreachableError", "SymbolError"),
    "quotewire.client.state": ("ClientMetrics", "ClientState"),
    "quotewire.client.sync": ("SyncClient", "connect_sync"),
    "quotewire.errors": ("ConfigurationError", "QuotewireError"),
    "quotewire.market.quote": ("Freshness", "Quote", "Source"),
    "quotewire.market.symbol": ("Symbol",),
    "quotewire.resilience.lifecycle_types": ("LifecycleConfig", "Quality", "State"),
    "quotewire.settings": ("Settings",),
    "quotewire.wire.options": ("Cause", "Gap"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker is to know the names above, and no others

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'quotewire' has no attribute {name!r}")
        return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
