"""How much each client may have."""

from quotewire.settings.variable import Variable, integer

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "WS_MAX_MESSAGE_BYTES",
        "max_message_bytes",
        integer(1024, 16_777_216),
        "bytes, 1024 to 16777216",
        "262144",
        "The longest message a client may send.",
    ),
    Variable(
        "MAX_SYMBOLS_PER_CLIENT",
        "max_symbols_per_client",
        integer(1, 100_000),
        "a number, 1 to 100000",
        "5000",
        "Symbols one connection may want.",
    ),
    Variable(
        "MAX_CONNECTIONS_PER_IP",
        "max_connections_per_ip",
        integer(1, 1_000_000),
        "a number, 1 to 1000000",
        "5",
        "WebSockets open at once from one address.",
    ),
)
