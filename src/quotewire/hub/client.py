"""What the hub needs of a connection."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from quotewire.wire.codec import Form
from quotewire.wire.messages import UpstreamState

if TYPE_CHECKING:
    from quotewire.hub.lane import Lane
    from quotewire.hub.outbox import Outbox

Send = Callable[[Any, bytes], int | None]
"""Writes to a sink, and tells how much of it was; None: all is seen to. Raises OSError where nothing was written."""


class Client(Protocol):
    """One client. `lane` and `outbox` are the hub's own marks: at most one of them is set."""

    form: Form
    send: Send
    sink: Any
    """What `send` writes to. Apart, so that many clients with the same `send` are written to in one go; both are to be
    changed by `Hub.rewire` once the client is attached."""

    lane: "Lane | None"
    outbox: "Outbox | None"

    @property
    def hears_gaps(self) -> bool:
        """Whether the client takes `gap` messages. Never changes once it is attached."""

    @property
    def blocked(self) -> bool:
        """Whether its socket takes nothing now."""

    def write_rest(self, data: bytes, sent: int) -> None:
        """See to what `send` has left of `data`, before anything else is written."""

    def failed(self, where: str, error: Exception) -> None:
        """Our own code raised while it served this client."""

    def tell_upstream(self, state: UpstreamState) -> None:
        """Tell the client that the upstream changed, if its dialect does."""
