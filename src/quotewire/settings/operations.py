"""What operators see."""

from quotewire.settings.variable import DAY_MS, Variable, boolean, choice, milliseconds, path

VARIABLES: tuple[Variable, ...] = (
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
