"""Where the gateway listens, and whom it believes."""

from quotewire.settings.variable import Variable, boolean, choice, integer, networks, origins, public_url, text

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "QUOTEWIRE_ENV",
        "environment",
        choice("production", "development"),
        "production or development",
        "production",
        "Picks the defaults below. `NODE_ENV` is read where this is unset.",
    ),
    Variable("QUOTEWIRE_HOST", "host", text, "an address or host name to listen on", "127.0.0.1", "Where to listen."),
    Variable(
        "PORT",
        "port",
        integer(0, 65535),
        "a port number, 0 to 65535 (0: any free one)",
        "4005",
        "One port for everything.",
    ),
    Variable(
        "QUOTEWIRE_WORKERS",
        "workers",
        integer(1, 64),
        "a number, 1 to 64",
        "1",
        "Processes that serve clients. 1: one process does everything; more: one process for the logins, and that many"
        " for clients, on the one port. `quotewire serve --workers N` goes before it.",
    ),
    Variable(
        "QUOTEWIRE_REUSE_PORT",
        "reuse_port",
        boolean,
        "true or false",
        "false",
        "Share the port with other gateways that say so too (SO_REUSEPORT): start the next, then stop this one.",
    ),
    Variable(
        "QUOTEWIRE_PUBLIC_URL",
        "public_url",
        public_url,
        "an http or https URL without a path",
        None,
        "How browsers reach this gateway, where a proxy stands before it. Unset: taken from each request.",
    ),
    Variable(
        "CORS_ORIGIN",
        "cors_origins",
        origins,
        "origins such as https://app.example.com, separated by commas, or *",
        "",
        "Web pages of other origins that may call the REST paths.",
        development="*",
    ),
    Variable(
        "QUOTEWIRE_TRUSTED_PROXIES",
        "trusted_proxies",
        networks,
        "addresses or networks such as 10.0.0.0/8, separated by commas",
        "",
        "Proxies whose X-Forwarded-* headers are believed.",
    ),
)
