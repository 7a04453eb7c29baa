"""How much each client, each address and each key may have. Rates are in units a second."""

from quotewire.settings.variable import Variable, integer

MILLION = 1_000_000


def _count(name: str, field: str, default: str | None, purpose: str, *, high: int = MILLION) -> Variable:
    return Variable(name, field, integer(1, high), f"a number, 1 to {high}", default, purpose)


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "WS_MAX_MESSAGE_BYTES",
        "max_message_bytes",
        integer(1024, 16_777_216),
        "bytes, 1024 to 16777216",
        "262144",
        "The longest message a client may send.",
    ),
    _count(
        "MAX_SYMBOLS_PER_CLIENT", "max_symbols_per_client", "5000", "Symbols one connection may want.", high=100_000
    ),
    _count(
        "MAX_SYMBOLS_PER_IP",
        "max_symbols_per_ip",
        None,
        "Symbols the connections of one address may want together. Unset: each as many as a client may.",
        high=1000 * MILLION,
    ),
    _count(
        "MAX_SYMBOLS_PER_KEY",
        "max_symbols_per_key",
        "5000000",
        "Symbols the connections of one key may want together.",
        high=1000 * MILLION,
    ),
    _count(
        "MAX_CONNECTIONS_PER_IP",
        "max_connections_per_ip",
        "5",
        "WebSockets and event streams open at once from one address.",
    ),
    _count(
        "MAX_CONNECTIONS_PER_KEY",
        "max_connections_per_key",
        "100000",
        "WebSockets and event streams open at once with tokens of one key.",
    ),
    _count(
        "WS_HANDSHAKE_RATE_PER_IP",
        "handshake_rate_per_ip",
        "50",
        "Openings a second from one address, refused ones included; `MAX_CONNECTIONS_PER_IP` may come at once.",
    ),
    _count(
        "WS_HANDSHAKE_RATE_PER_KEY",
        "handshake_rate_per_key",
        "5000",
        "Authentications a second with tokens of one key.",
    ),
    _count(
        "WS_COMMAND_RATE_PER_CLIENT",
        "command_rate_per_client",
        "100",
        "Messages and pings a second of one connection; twice as many may come at once.",
    ),
    _count(
        "WS_COMMAND_RATE_PER_IP",
        "command_rate_per_ip",
        None,
        "Messages and pings a second of the connections of one address. Unset: each as many as a client may.",
        high=1000 * MILLION,
    ),
    _count(
        "WS_COMMAND_RATE_PER_KEY",
        "command_rate_per_key",
        "50000",
        "Messages and pings a second of the connections of one key.",
        high=1000 * MILLION,
    ),
    _count(
        "WS_SYMBOL_RATE_PER_CLIENT",
        "symbol_rate_per_client",
        "1000",
        "Symbols a second that the commands of one connection may name; twice `MAX_SYMBOLS_PER_CLIENT` at once.",
    ),
    _count(
        "WS_SYMBOL_RATE_PER_IP",
        "symbol_rate_per_ip",
        "10000",
        "Symbols a second that the commands of all connections of one address may name; ten times as many at once, and"
        " never less than one connection may: raise it with `MAX_CONNECTIONS_PER_IP` for a fleet behind one address.",
        high=1000 * MILLION,
    ),
    _count(
        "WS_SYMBOL_RATE_PER_KEY",
        "symbol_rate_per_key",
        "1000000",
        "Symbols a second that the commands of all connections of one key may name; ten times as many at once.",
        high=1000 * MILLION,
    ),
    _count(
        "WS_FAULT_RATE_PER_IP",
        "fault_rate_per_ip",
        "10",
        "Connections a second of one address that may be closed for what the client did; five times as many at once."
        " Beyond that the address waits before it may open another.",
    ),
    _count(
        "QUOTEWIRE_TOKEN_RATE_PER_IP",
        "token_rate_per_ip",
        "50",
        "Requests for client tokens a second from one address; `MAX_CONNECTIONS_PER_IP` may come at once.",
    ),
    Variable(
        "QUOTEWIRE_IPV6_PREFIX",
        "ipv6_prefix",
        integer(16, 128),
        "a number, 16 to 128",
        "64",
        "So many leading bits of an IPv6 address are one address to the limits: a customer is given a whole /64.",
    ),
)
