"""Every setting and switch of the simulator, as one frozen value. Pure.

A switch stands for a fact about Questrade that nobody outside has verified; its default is the likeliest or harshest
reading. The command line and `docs/simulator.md` are made from the metadata here.
"""

from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from quotewire.errors import ConfigurationError
from quotewire.settings import PERSON_NAME

CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})  # may be sent
SCOPES: Final = ("read_acc", "read_md", "trade")
FASTEST: Final = 86_400
YEAR_S: Final = 31_536_000

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "symbols": (1, 50_000),
    "rate": (0, 100_000),
    "halts_per_day": (0, 100_000),
    "port": (0, 65_535),
    "control_port": (0, 65_535),
    "api_port": (0, 65_535),
    "stream_port": (0, 65_535),
    "tick_s": (0.001, 60),
    "expires_in": (1, YEAR_S),
    "refresh_token_days": (0, 3650),
    "refresh_ends_stream_s": (-1, YEAR_S),
    "max_argument_length": (1, 1_000_000),
    "json_close_s": (0, YEAR_S),
    "auth_timeout_s": (0.01, YEAR_S),
    "session_idle_s": (0.01, YEAR_S),
    "ping_s": (0, YEAR_S),
    "outbox": (1, 10_000_000),
    "frame_quotes": (1, 50_000),
}
"""The least and the most of every number but the seed, the speed and the close codes."""


def _setting(default: Any, text: str, *, choices: tuple[str, ...] = (), switch: bool = False) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices, "switch": switch})


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """How to simulate. Times in seconds of real time unless the name says otherwise. Raises ConfigurationError."""

    persons: tuple[str, ...] = _setting(("alice",), "comma-separated names, each with a login of its own")
    seed: int = _setting(1, "the same seed, start and list give the same market")
    symbols: int | None = _setting(None, "how many symbols move: the default list, cut or extended by invented names")
    rate: float = _setting(50.0, "mean quote changes per second over the whole list at mid-day")
    start: str = _setting("open", "open (10:00 Toronto on the latest trading day), now, or an ISO 8601 time")
    speed: float = _setting(1.0, "market seconds per real second")
    halts_per_day: float = _setting(2.0, "trading halts per day over the whole list")
    host: str = _setting("127.0.0.1", "the address to listen on")
    public_host: str = _setting("", "the host written into URLs (default: the address listened on)")
    port: int = _setting(0, "the login port (0: any free one); the control paths answer here too")
    control_port: int = _setting(0, "a control port that no fault can take down (0: any free one)")
    api_port: int = _setting(0, "the first API host's port (0: any free one)")
    stream_port: int = _setting(0, "the first API host's quote streaming port (0: any free one)")
    tick_s: float = _setting(0.02, "how often the market's changes are sent out")
    conflate: bool = _setting(False, "send only the latest of several changes of a symbol within one tick")
    record: bool = _setting(False, "keep the ordered list of quotes sent, for GET /control/stats")

    expires_in: int = _setting(1800, "seconds an access token lives; Questrade's pages show 300 too", switch=True)
    refresh_token_days: float = _setting(7.0, "days a refresh token lives; some saw 3", switch=True)
    refresh_kills_access: bool = _setting(True, "a refresh kills the older access token (one source)", switch=True)
    refresh_ends_stream_s: float = _setting(
        0.0, "seconds after a refresh until the older token's stream ends; negative: it stays", switch=True
    )
    api_server: str = _setting(
        "slash", "the shape of api_server in token answers", choices=("slash", "none", "v1"), switch=True
    )
    token_alphabet: str = _setting(
        "urlsafe", "urlsafe (seen), or base64 with + and / (documented)", choices=("urlsafe", "base64"), switch=True
    )
    refuse_default_agents: bool = _setting(
        False, "403 for the default User-Agent of programming libraries and for none", switch=True
    )
    scopes: tuple[str, ...] = _setting(("read_acc", "read_md"), "what tokens may do", switch=True)
    unknown_ids: str = _setting(
        "omit",
        "an unknown id among several: omit it, or fail the call with 1019",
        choices=("omit", "fail"),
        switch=True,
    )
    max_argument_length: int = _setting(8000, "longer query values are refused with 1003", switch=True)
    limits: bool = _setting(True, "apply the rate limits")
    limit_scope: str = _setting("person", "who shares a rate budget", choices=("person", "everyone"), switch=True)
    second_get: str = _setting(
        "replace",
        "a second subscription GET: replace or add to the live stream, or count only after a reconnect",
        choices=("replace", "add", "reconnect"),
        switch=True,
    )
    evict_style: str = _setting(
        "no_status", "how a second socket ends the first", choices=("no_status", "code", "abort"), switch=True
    )
    evict_code: int = _setting(1000, "the close code when evict_style is code", switch=True)
    bad_token_code: int = _setting(1008, "the close code after error 1017; 0: no status", switch=True)
    json_close_s: float = _setting(2.0, "seconds until JSON sent to a socket closes it without status", switch=True)
    auth_timeout_s: float = _setting(10.0, "seconds a socket may stay without its token", switch=True)
    session_idle_s: float = _setting(1800.0, "seconds without a REST call until a person's sockets are cut")
    ping_s: float = _setting(0.0, "seconds between WebSocket pings the server sends; 0: none", switch=True)
    outbox: int = _setting(100_000, "changes a stream may owe before the oldest are dropped and counted")
    frame_quotes: int = _setting(200, "quotes in one frame at most", switch=True)

    def __post_init__(self) -> None:
        named = all(PERSON_NAME.fullmatch(name) for name in self.persons)
        if not named or not self.persons or len(set(self.persons)) != len(self.persons):
            told = "persons must be one or more different names, such as alice,bob, of letters, digits, dots and dashes"
            raise ConfigurationError(told)
        for name, (lowest, highest) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:  # neither holds for NaN
                raise ConfigurationError(f"{name} is {value}: it must be {lowest} to {highest}")
        if not 0 < self.speed <= FASTEST:
            raise ConfigurationError(f"speed is {self.speed}: it must be above 0, and at most {FASTEST}")
        unknown = [scope for scope in self.scopes if scope not in SCOPES]
        if unknown:
            raise ConfigurationError(f"scopes has {unknown[0]!r}: use {', '.join(SCOPES)}")
        for each in settings():
            choices = each.metadata["choices"]
            if choices and getattr(self, each.name) not in choices:
                raise ConfigurationError(f"{each.name} is {getattr(self, each.name)!r}: use {', '.join(choices)}")
        for name, code in (("evict_code", self.evict_code), ("bad_token_code", self.bad_token_code or 1000)):
            if code not in CLOSE_CODES:
                raise ConfigurationError(f"{name} is {code}: no server may send that close code")

    @property
    def url_host(self) -> str:
        """The host for URLs."""
        return self.public_host or ("127.0.0.1" if self.host in ("", "0.0.0.0") else self.host)  # noqa: S104


def settings() -> tuple[Field[Any], ...]:
    """The fields of SimulatorConfig; their metadata has `help`, `choices` and `switch` (True: an unverified fact)."""
    return fields(SimulatorConfig)
