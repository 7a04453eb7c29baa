"""Whose logins are held, where, and what opens the stream."""

from quotewire.settings.variable import DAY_MS, Variable, directory, hosts, milliseconds, persons, secret, text, url

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "QUOTEWIRE_TOKEN_TTL",
        "token_ttl_ms",
        *milliseconds(1000, DAY_MS),
        "1800000",
        "Life of the tokens this gateway gives its own clients.",
    ),
    Variable(
        "QUOTEWIRE_TOKEN_KEY",
        "token_key",
        secret,
        "at least 16 printable characters, no blanks",
        None,
        "Signs those tokens: gateways that share it take each other's. Unset: each takes its own alone.",
        secret=True,
    ),
    Variable(
        "QUOTEWIRE_LOGIN_URL",
        "login_url",
        url,
        "an https URL (http only for loopback)",
        "https://login.questrade.com",
        "Questrade's login host. The practice one is https://practicelogin.questrade.com.",
    ),
    Variable(
        "QUOTEWIRE_API_HOSTS",
        "api_hosts",
        hosts,
        "host names, `*.` allowed in front, separated by commas",
        "*.iq.questrade.com",
        "API hosts a token may be sent to; plain http only where the host is loopback.",
    ),
    Variable(
        "QUOTEWIRE_DATA_DIR",
        "data_dir",
        directory,
        "a directory that can be written",
        "~/.local/share/quotewire",
        "Where tokens (encrypted), symbols and keys are kept.",
    ),
    Variable(
        "QUOTEWIRE_VAULT_KEY",
        "vault_key",
        text,
        "any passphrase",
        None,
        "Seals the tokens at rest. Unset: a key file of mode 0600 is made in the data directory.",
        secret=True,
    ),
    Variable(
        "QUOTEWIRE_PERSONS",
        "persons",
        persons,
        "name=refresh-token pairs, separated by commas",
        "",
        "First refresh tokens; used only for a person of whom the vault holds none.",
        secret=True,
    ),
)
