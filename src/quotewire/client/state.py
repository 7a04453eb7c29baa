"""What a client can tell about itself: its state (R7) and its metrics (R19). Pure values.

Times are milliseconds since 1970 UTC, durations milliseconds.
"""

import msgspec

from quotewire.resilience.lifecycle_types import Quality, Reason, State
from quotewire.wire.messages import UpstreamState


class ClientState(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """How the connection stands.

    `reason` is the stable name of why the state last changed, `detail` a sentence about the last failure (empty while
    all is well), `person` whose token is in use, `last_update` when the last quote came, `latency_ms` smoothed,
    `attempt` the number of failed attempts in a row, `next_attempt_at` when the next one is due. `upstream` is the
    gateway's own connection to Questrade, as it last told.
    """

    state: State
    reason: Reason
    since: int
    detail: str = ""
    person: str | None = None
    symbol_count: int = 0
    last_update: int | None = None
    latency_ms: float | None = None
    quality: Quality = Quality.POOR
    attempt: int = 0
    next_attempt_at: int | None = None
    upstream: UpstreamState | None = None

    def differs(self, other: "ClientState") -> bool:
        """True when something a watcher cares about changed; latency and the time of the last update always do."""
        return _essence(self) != _essence(other)


def _essence(state: ClientState) -> tuple[object, ...]:
    return (
        state.state,
        state.reason,
        state.detail,
        state.person,
        state.symbol_count,
        state.quality,
        state.attempt,
        state.upstream,
    )


class Counters(msgspec.Struct):
    """Plain counts of one session, from its start."""

    connections_attempted: int = 0
    connections_succeeded: int = 0
    messages_received: int = 0
    messages_sent: int = 0
    messages_unreadable: int = 0
    token_refreshes: int = 0
    quotes_received: int = 0
    gateway_skipped: int = 0
    lag_ms: int = 0


class ClientMetrics(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """R19, under the names existing front ends report.

    `quotes_skipped` were conflated by the gateway for this connection, or here for slow readers; `gaps_received` are
    holes the gateway told of; `lag` is how long quotes had waited when the gateway last told of it, in milliseconds;
    `queued` is what waits in the readers' queues now.
    """

    connection_id: str
    client_version: str
    connections_attempted: int
    connections_succeeded: int
    connections_failed: int
    messages_received: int
    messages_sent: int
    messages_unreadable: int
    reconnection_count: int
    average_latency: float | None
    last_quote_time: int | None
    token_refresh_count: int
    quotes_received: int
    quotes_skipped: int
    gaps_received: int
    lag: int
    queued: int
    uptime: int
    status: State
