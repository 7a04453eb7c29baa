"""What the SDK raises, beside the tree in `quotewire.errors`.

ClientError
├── SymbolError             one or more symbols cannot be had; `results` says which and why
└── ClientClosedError       the client was disconnected while something was awaited
UpstreamUnavailableError
└── GatewayUnreachableError the gateway could not be reached, or refused to be
"""

from collections.abc import Sequence
from typing import ClassVar

from quotewire.errors import ClientError, Fault, UpstreamUnavailableError
from quotewire.wire.messages import SymbolResult


class SymbolError(ClientError):
    """Symbols that cannot be had. `results` holds the gateway's verdict on each of them, all with `ok` false."""

    code: ClassVar[str] = "unknown_symbol"

    def __init__(self, results: Sequence[SymbolResult]) -> None:
        self.results = tuple(results)
        super().__init__("; ".join(describe(result) for result in self.results))


class ClientClosedError(ClientError):
    """The client was disconnected, by `disconnect()` or by leaving its context."""

    code: ClassVar[str] = "client_closed"


class GatewayUnreachableError(UpstreamUnavailableError):
    """No connection to the gateway: it cannot be reached, or it refuses this client. The message says which."""

    code: ClassVar[str] = "gateway_unreachable"
    fault: ClassVar[Fault] = Fault.UPSTREAM


def describe(result: SymbolResult) -> str:
    """One refused symbol as a sentence: the gateway's reason, or the symbol and the code where it gave none."""
    name = result.symbol if result.symbol is not None else result.symbol_id
    reason = result.reason or str(result.code or "refused without a reason")
    return reason if str(name) in reason else f"{name}: {reason}"
