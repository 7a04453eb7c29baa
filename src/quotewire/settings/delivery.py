"""How quotes are delivered to clients."""

from quotewire.settings.variable import Variable, integer

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "QUOTEWIRE_FLUSH_WINDOW_MS",
        "flush_window_ms",
        integer(0, 1000),
        "milliseconds, 0 to 1000",
        "10",
        "How long updates may be gathered before they are written, under load. A calm gateway gathers nothing;"
        " 0: never gather.",
    ),
    Variable(
        "QUOTEWIRE_HISTORY_DEPTH",
        "history_depth",
        integer(0, 10_000),
        "a number, 0 to 10000",
        "64",
        "Updates kept of each symbol, for clients that come back. 0: they get a gap and a snapshot instead.",
    ),
    Variable(
        "QUOTEWIRE_HISTORY_SYMBOLS",
        "history_symbols",
        integer(0, 1_000_000),
        "a number, 0 to 1000000",
        "2000",
        "Symbols such updates are kept of; the one unchanged for longest makes room.",
    ),
    Variable(
        "QUOTEWIRE_EVERY_TICK_BACKLOG",
        "every_tick_backlog",
        integer(1, 1_000_000),
        "a number, 1 to 1000000",
        "4096",
        "Updates held for a slow client that wants every one; what it is further behind is told as a gap.",
    ),
)
