"""What operators see."""

from quotewire.settings.variable import DAY_MS, Variable, boolean, choice, milliseconds, path, secret

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "DRAIN_SPREAD_MS",
        "drain_spread_ms",
        *milliseconds(0, DAY_MS),
        "2000",
        "When the gateway is to go, its clients are sent away one by one over this time.",
    ),
    Variable(
        "DRAIN_DEADLINE_MS",
        "drain_deadline_ms",
        *milliseconds(0, DAY_MS),
        None,
        "So long after the gateway was told to go, all connections are closed. Unset: 5000 more than the spread.",
    ),
    Variable(
        "QUOTEWIRE_ADMIN_TOKEN",
        "admin_token",
        secret,
        "at least 16 printable characters, no blanks",
        None,
        "Opens the paths under /admin, as `Authorization: Bearer …`. Unset: there are no such paths.",
        secret=True,
    ),
    Variable(
        "HEALTH_CHECK_INTERVAL",
        "health_check_interval_ms",
        *milliseconds(100, DAY_MS),
        "10000",
        "Between the gateway's checks of itself and of its connections.",
    ),
    Variable(
        "ENABLE_METRICS", "enable_metrics", boolean, "true or false", "true", "Serve `/metrics` and the metrics paths."
    ),
    Variable(
        "METRICS_ENDPOINT",
        "metrics_endpoint",
        path,
        "a path such as /api/metrics that serves nothing else",
        "/api/metrics",
        "Where clients report theirs.",
    ),
    Variable(
        "LOG_LEVEL",
        "log_level",
        choice("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "info",
        "The least severe line that is logged.",
    ),
)
