"""How symbols are carried."""

from quotewire.settings.variable import DAY_MS, Variable, integer, milliseconds, names, switch

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "QUOTEWIRE_NO_STREAM",
        "no_stream",
        names,
        "persons' names, separated by commas",
        "",
        "Persons whose login carries no stream, because a stream freezes the quotes of their other platforms. They"
        " serve look-ups and polls. What `quotewire persons stream NAME on|off` said of a person goes before this.",
    ),
    Variable(
        "QUOTEWIRE_SYMBOLS_PER_STREAM",
        "symbols_per_stream",
        integer(1, 10_000),
        "a number, 1 to 10000",
        "400",
        "The most symbols one person's stream carries. Questrade documents no limit; a list it refuses is halved.",
    ),
    Variable(
        "QUOTEWIRE_LINGER",
        "linger_ms",
        *milliseconds(0, DAY_MS),
        "30000",
        "A symbol nobody wants any more is carried on for this long, in case somebody comes back.",
    ),
    Variable(
        "QUOTEWIRE_POLL_INTERVAL",
        "poll_interval_ms",
        *milliseconds(1000, 60_000),
        "5000",
        "Between two polls of a symbol that no stream carries; longer where the rate budget asks for it.",
    ),
    Variable(
        "QUOTEWIRE_AB",
        "ab",
        switch,
        "on or off",
        "off",
        "Carry each symbol on two persons' streams; what comes first counts. Needs two persons who can stream.",
    ),
)
