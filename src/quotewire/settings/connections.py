"""How patient the gateway is with each client."""

from quotewire.settings.variable import DAY_MS, Variable, milliseconds

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "WS_PING_INTERVAL", "ping_interval_ms", *milliseconds(100, DAY_MS), "30000", "Between pings to each client."
    ),
    Variable(
        "WS_PONG_TIMEOUT",
        "pong_timeout_ms",
        *milliseconds(100, DAY_MS),
        "5000",
        "A ping must be answered within this.",
    ),
    Variable(
        "WS_UPGRADE_TIMEOUT",
        "upgrade_timeout_ms",
        *milliseconds(100, DAY_MS),
        "5000",
        "A new connection must have sent a whole HTTP request head within this.",
    ),
    Variable(
        "WS_AUTH_TIMEOUT",
        "auth_timeout_ms",
        *milliseconds(100, DAY_MS),
        "10000",
        "A client must authenticate within this.",
    ),
    Variable(
        "WS_CONNECTION_TIMEOUT",
        "connection_timeout_ms",
        *milliseconds(1000, DAY_MS),
        "300000",
        "A connection that says nothing at all, not even a pong, is closed after this.",
    ),
    Variable(
        "WS_SLOW_CONSUMER_TIMEOUT",
        "slow_consumer_timeout_ms",
        *milliseconds(100, DAY_MS),
        "30000",
        "A connection that takes no data at all is closed after this.",
    ),
)
