"""Every fault that can be scripted, as data. Marks: W seen on the wire, D documented, C from clients, invented."""

from typing import Any, Final

from quotewire.simulator.config import CLOSE_CODES
from quotewire.simulator.faults import FaultSpec, Param, Seam

NUMBER: Final = (int, float)


UPGRADE_STATUSES: Final = frozenset({400, 401, 403, 404, 429, 500, 502, 503, 504})
STATUSES: Final = range(200, 600)


def _param(
    name: str,
    default: Any,
    text: str,
    *kinds: type,
    choices: tuple[str, ...] = (),
    allowed: range | frozenset[int] | None = None,
) -> Param:
    return Param(name, default, text, kinds or (type(default),), choices, allowed)


def _status(default: int, text: str = "HTTP status") -> Param:
    return Param("status", default, text, (int,), allowed=STATUSES)


_PATH = _param("path", "", "only calls whose path after /v1/ starts with this")
_AFTER = _param("after_s", 5.0, "seconds", *NUMBER)
_SPEND = _param("spend", False, "the refresh token is spent all the same")
_STYLE = _param("style", "reset", "how the connection ends", choices=("reset", "close"))
_SYMBOLS = _param("symbols", [], "symbols or ids; none: all", list)
_KIND = _param("kind", "quotes", "which sockets", choices=("quotes", "notifications", "any"))

_MODIFIERS: Final = frozenset(
    {"expires_in", "api_server", "api_server_shape", "token_slow", "rest_slow", "stream_port_dead"}
)

_IMPERSONAL: Final = frozenset(  # the upgrade comes before the token; hosts, ports and the market are everybody's
    {"upgrade_hang", "upgrade_refused", "upgrade_drop", "api_host_change", "port_change", "burst", "halt", "resume"}
)

TOKEN, REST, CONTENT, UPGRADE, AUTH = Seam.TOKEN, Seam.REST, Seam.CONTENT, Seam.UPGRADE, Seam.AUTH
STREAM, NOW, MARKET, DOWN = Seam.STREAM, Seam.NOW, Seam.MARKET, Seam.DOWN


def _fault(name: str, seams: tuple[Seam, ...] | Seam, text: str, fact: str, *params: Param) -> FaultSpec:
    where = frozenset(seams if isinstance(seams, tuple) else (seams,))
    return FaultSpec(name, where, text, fact, params, name not in _IMPERSONAL, name in _MODIFIERS)


_LIST: Final = (
    # the login
    _fault(
        "token_spent",
        TOKEN,
        "the refresh token is refused as used: 400, the text Bad Request",
        "W",
        _param("keep", False, "refuse it, but let it stay good"),
    ),
    _fault("token_lost_answer", TOKEN, "the token is spent, the connection ends without an answer", "invented", _STYLE),
    _fault("token_drop", TOKEN, "the connection ends before the token is looked at", "invented", _STYLE),
    _fault("token_500", TOKEN, "500 from the login", "W", _SPEND),
    _fault("token_524", TOKEN, "524 from the proxy in front of the login, after a delay", "C", _SPEND, _AFTER),
    _fault("token_429", TOKEN, "429 from the login", "C", _SPEND),
    _fault("token_hang", TOKEN, "no answer for `after_s` seconds, then the connection ends", "W", _SPEND,
           _param("after_s", 3600.0, "seconds", *NUMBER)),
    _fault("token_slow", TOKEN, "the right answer, late", "invented", _AFTER,
           _param("spend", "late", "spent with the answer (and not if the client left), or at once",
                  choices=("late", "at_once"))),
    _fault("token_maintenance", TOKEN, "an HTML maintenance page instead of JSON", "C",
           _status(503, "HTTP status (unverified)"), _SPEND),
    _fault("token_garbage", TOKEN, "200 with half a JSON object", "invented",
           _param("spend", True, "the refresh token is spent all the same")),
    _fault("token_status", TOKEN, "any status and body", "invented", _status(500),
           _param("body", "", "the body"), _SPEND),
    _fault("user_agent_403", (TOKEN, REST), "refused as if for its User-Agent", "W",
           _status(403, "403 or 400 were reported"), _PATH),
    _fault("expires_in", TOKEN, "the token answer says, and the token lives, this long", "D",
           _param("value", 300, "seconds")),
    _fault("api_server", TOKEN, "the token answer names this API server, word for word", "invented",
           _param("value", "https://api09.iq.example.com/", "the text")),
    _fault("api_server_shape", TOKEN, "the API server in another of its three shapes", "D",
           _param("shape", "none", "with a slash, without, or with /v1", choices=("slash", "none", "v1"))),
    _fault("api_host_change", NOW, "token answers name a new API host, with its own streaming ports", "W",
           _param("old", "keep", "what happens to the old host", choices=("keep", "close"))),
    _fault("access_expired", NOW, "the access token dies now: 401 on REST, 1017 on sockets", "W",
           _param("streams", True, "its sockets get the error and are closed")),
    _fault("refresh_expired", NOW, "the refresh tokens die now, as after 3 or 7 idle days", "D"),
    # REST
    _fault("rest_error", REST, "one of Questrade's errors", "C",
           _param("code", 1009, "such as 1007-1011, 1021"), _param("message", "", "the text (a usual one)"), _PATH),
    _fault("rest_status", REST, "any status and body", "invented", _status(502),
           _param("body", "", "the body"), _PATH),
    _fault("rest_hang", REST, "no answer for `after_s` seconds, then the connection ends", "invented", _PATH,
           _param("after_s", 3600.0, "seconds", *NUMBER)),
    _fault("rest_slow", REST, "the right answer, late", "invented", _AFTER, _PATH),
    _fault("rest_garbage", REST, "200 with half a JSON object", "invented", _PATH),
    _fault("rest_maintenance", REST, "an HTML maintenance page instead of JSON", "C",
           _status(503, "HTTP status (unverified)"), _PATH),
    _fault("rest_drop", REST, "the connection ends without an answer", "invented", _STYLE, _PATH),
    _fault("rest_unauthorized", REST, "401, code 1017, although the token is good", "W", _PATH),
    _fault("rest_scope", REST, "403, code 1016: out of scope", "W", _PATH),
    _fault("rate_limit_second", REST, "429 of the second; the header still shows thousands left", "W", _PATH),
    _fault("rate_limit_hour", REST, "429 of the hour: nothing left, Reset ahead", "D", _PATH,
           _param("reset_s", 3600.0, "seconds until the hour ends", *NUMBER)),
    _fault("hour_spent", NOW, "the hourly budget is used up, all but `left` calls", "D",
           _param("category", "market", "which budget", choices=("market", "account")),
           _param("left", 0, "calls left")),
    _fault("stream_port_dead", REST, "a streaming port is named on which nobody listens", "invented",
           _param("path", "markets/quotes", "markets/quotes or notifications")),
    # sockets
    _fault("upgrade_hang", UPGRADE, "the WebSocket upgrade is not answered", "invented",
           _param("after_s", 60.0, "seconds", *NUMBER), _KIND),
    _fault("upgrade_refused", UPGRADE, "the WebSocket upgrade is answered with a status", "invented",
           _param("status", 503, "HTTP status", allowed=UPGRADE_STATUSES), _KIND),
    _fault("upgrade_drop", UPGRADE, "the connection is reset instead of upgraded", "W", _KIND),
    _fault("auth_refused", AUTH, "the token is refused on the socket: 1017, then close", "C", _KIND),
    _fault("auth_hang", AUTH, "the token gets no answer", "invented",
           _param("after_s", 3600.0, "seconds", *NUMBER), _KIND),
    _fault("auth_drop", AUTH, "the connection is reset after the token", "invented", _KIND),
    _fault("stream_close", NOW, "the socket is closed with a code", "invented", _KIND,
           _param("code", 1000, "close code", allowed=CLOSE_CODES), _param("reason", "", "close reason")),
    _fault("stream_close_no_status", NOW, "the socket is closed without a status (seen as 1005)", "W", _KIND),
    _fault("stream_abort", NOW, "the socket's connection is reset (seen as 1006)", "W", _KIND),
    _fault("stream_unauthorized", NOW, "error 1017 in mid-stream, then close; the token itself stays good", "C", _KIND),
    _fault("stream_garbage", NOW, "a frame that is no quote", "invented", _KIND,
           _param("shape", "text", "which garbage", choices=("text", "binary", "json", "half", "utf8", "raw"))),
    _fault("evict", NOW, "as if another program had opened this person's stream", "D", _KIND),
    _fault("burst", NOW, "every symbol changes at once, `rounds` times", "invented", _SYMBOLS,
           _param("rounds", 1, "how often", allowed=range(1, 1001))),
    _fault("huge_frame", NOW, "one frame with `quotes` quotes, repeating what the stream carries", "invented",
           _param("quotes", 2000, "how many", allowed=range(1, 200_001))),
    _fault("port_change", NOW, "new streaming ports, as at the turn of the day", "D", _KIND,
           _param("drop", True, "the old ports close and their sockets end without status")),
    _fault("silent_socket", STREAM, "sockets stay open and say nothing", "C", _KIND),
    _fault("silent_symbol", STREAM, "mute on the stream, moving on REST", "invented", _SYMBOLS),
    _fault("stream_slow", STREAM, "every frame is late", "invented", _AFTER),
    # what quotes say
    _fault("delayed", CONTENT, "quotes carry the delayed flag", "D", _SYMBOLS, _param("value", 1, "the flag")),
    _fault("nulls", CONTENT, "these fields are null (sizes: 0)", "W", _SYMBOLS,
           _param("fields", ["bidPrice", "bidSize", "askPrice", "askSize", "lastTradePriceTrHrs"], "wire names", list)),
    _fault("unknown_keys", CONTENT, "quotes carry keys nobody knows", "invented", _SYMBOLS,
           _param("keys", {"marketMaker": "XQSI", "flags": [1, 2], "extra": {"a": None}}, "key and value", dict)),
    _fault("missing_keys", CONTENT, "quotes lack these fields", "C", _SYMBOLS,
           _param("fields", ["high52w", "low52w", "VWAP"], "wire names", list)),
    # the market and the whole
    _fault("halt", MARKET, "trading in these symbols is halted until it is cleared or `seconds` are over", "D",
           _param("symbols", [], "symbols or ids", list)),
    _fault("resume", MARKET, "trading in symbols halted by the fault goes on", "D",
           _param("symbols", [], "symbols or ids; none: all", list)),
    _fault("down", DOWN, "nothing answers. For one person: that person's calls and sockets are reset", "invented",
           _param("mode", "refuse", "refuse connections, or accept and reset them", choices=("refuse", "reset")),
           _param("parts", ["login", "api", "stream"], "what is down", list, choices=("login", "api", "stream"))),
)  # fmt: skip

FAULTS: Final = {each.name: each for each in _LIST}
