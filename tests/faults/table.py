"""Every fault the simulator knows, how it is brought about, and what it may do to clients. One row, one test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final


class Harm(Enum):
    """What clients may see of a fault."""

    NONE = "none"  # nothing: every update comes, and every symbol stays live
    LOST = "lost"  # quotes lose their label, and get it back
    EITHER = "either"  # depends on what happened to be under way
    OPERATOR = "operator"  # as LOST, and only a new token made by hand helps


@dataclass(frozen=True, slots=True)
class Case:
    """One way one fault can strike.

    `trigger` are faults that follow it at once and lead to where it acts; with `asks` a client asks for another symbol.
    `lasts_s`: cleared after so long; None: it ends by itself. `reasons` must all be told by `GET /api/upstream`, each
    as `event:reason`. `sends`: how often a refresh token may have been presented. `refused`: 429s it provokes.
    `within_s`: from its end until every symbol is live again. `fields`: those of which client and record are compared.
    """

    fault: str
    params: Mapping[str, Any] = field(default_factory=dict)
    harm: Harm = Harm.LOST
    reasons: frozenset[str] = frozenset()
    trigger: tuple[str, ...] = ()
    asks: bool = False
    lasts_s: float | None = None
    person: str | None = None
    persons: tuple[str, ...] = ("alice",)
    sends: int = 1
    refused: int = 0
    within_s: float = 15.0
    fields: tuple[str, ...] = ("volume", "bidPrice", "askPrice", "lastTradePrice")
    login: bool = False

    @property
    def name(self) -> str:
        """For the test's id."""
        told = [str(value) for value in self.params.values() if isinstance(value, str | int | float)]
        return "-".join([self.fault, *told, *(["pair"] if len(self.persons) > 1 else [])])


def _login(fault: str, harm: Harm = Harm.LOST, sends: int = 2, reasons: tuple[str, ...] = (), **params: Any) -> Case:
    """A fault of the login, met when an access token has died."""
    told = frozenset({"stream:token_refused", "reconnect:token_refused", "token:access_refused", *reasons})
    if harm is Harm.OPERATOR:
        told |= {"upstream:all_tokens_refused"}
    return Case(fault, params, harm, told, ("access_expired",), sends=sends, login=True)


def _rest(fault: str, *reasons: str, count: int = 1, harm: Harm = Harm.LOST, **params: Any) -> Case:
    """A fault of the request that names a stream's symbols, met when a stream was lost."""
    told = frozenset({"stream:connection_lost", "reconnect:connection_lost", *reasons})
    return Case(fault, {"count": count, "path": "markets/quotes", **params}, harm, told, ("stream_abort",))


def _opening(fault: str, *reasons: str, **params: Any) -> Case:
    """A fault of opening a socket, met when a stream was lost."""
    told = frozenset({"stream:connection_lost", "reconnect:connection_lost", *reasons})
    return Case(fault, {"count": 1, **params}, Harm.LOST, told, ("stream_abort",))


def _ending(fault: str, *reasons: str, harm: Harm = Harm.LOST, **params: Any) -> Case:
    """A fault that ends a socket in mid-stream."""
    return Case(
        fault, params, harm, frozenset(f"{event}:{reason}" for reason in reasons for event in ("stream", "reconnect"))
    )


def _harmless(fault: str, lasts_s: float | None = None, **params: Any) -> Case:
    return Case(fault, params, Harm.NONE, lasts_s=lasts_s)


TRADES: Final = ("volume", "lastTradePrice")
OPERATOR: Final = Harm.OPERATOR

LOGIN: Final = (
    _login("token_spent", OPERATOR, 1),
    _login("token_spent", OPERATOR, 1, keep=True),
    _login("token_lost_answer", OPERATOR),
    _login("token_lost_answer", OPERATOR, style="close"),
    _login("token_drop"),
    _login("token_drop", style="close"),
    _login("token_500"),
    _login("token_500", OPERATOR, spend=True),
    _login("token_524", after_s=0.2),
    _login("token_429"),
    _login("token_hang", after_s=3600),
    _login("token_hang", OPERATOR, after_s=3600, spend=True),
    _login("token_slow", sends=1, after_s=0.6),
    _login("token_slow", sends=1, after_s=0.6, spend="at_once"),
    _login("token_maintenance", status=503),
    _login("token_maintenance", status=200),
    _login("token_garbage", OPERATOR),
    _login("token_garbage", spend=False),
    _login("token_status", status=403),
    _login("user_agent_403", status=403),
    _login("user_agent_403", status=400),
    _login("expires_in", sends=1),
    _login("api_server", sends=1, reasons=("token:untrusted_host",)),
    _login("api_server_shape", sends=1, shape="none"),
    _login("api_server_shape", sends=1, shape="slash"),
    _login("api_server_shape", sends=1, shape="v1"),
    _login("api_host_change", sends=1, old="keep"),
    Case("api_host_change", {"old": "close"}, reasons=frozenset({"token:host_unreachable"}), login=True),
    Case("access_expired", {}, reasons=frozenset({"stream:token_refused", "token:access_refused"}), login=True),
    Case(
        "access_expired",
        {"streams": False},
        Harm.EITHER,
        frozenset({"token:access_refused"}),
        asks=True,
        login=True,
    ),
    Case("refresh_expired", {}, OPERATOR, frozenset({"token:access_refused"}), ("access_expired",), login=True),
)
REST: Final = (
    _rest("rest_error", "call:upstream_unavailable", count=2, code=1009),
    _rest("rest_error", "call:upstream_unavailable", code=1011),
    _rest("rest_error", "call:upstream_refused", code=1002),
    _rest("rest_status", "call:upstream_unavailable", count=2, status=502),
    _rest("rest_hang", "call:upstream_unavailable", after_s=3600),
    _rest("rest_slow", after_s=0.7),
    _rest("rest_garbage", "call:upstream_unavailable"),
    _rest("rest_maintenance", "call:upstream_unavailable", status=503),
    _rest("rest_maintenance", "call:upstream_unavailable", status=200),
    _rest("rest_drop", "call:upstream_unavailable", style="reset"),
    _rest("rest_drop", "call:upstream_unavailable", style="close"),
    _rest("rest_unauthorized", "call:access_token", "token:access_refused"),
    _rest("rest_scope", "call:upstream_refused"),
    _rest("user_agent_403", "call:upstream_unavailable"),
    _rest("rate_limit_second", "call:rate_limited", count=2),
    _rest("rate_limit_hour", "call:rate_limited", reset_s=3.0),
    Case(
        "rate_limit_hour",
        {"path": "markets/quotes", "reset_s": 3600.0},
        Harm.LOST,
        frozenset({"failover:person_failed"}),
        ("stream_abort",),
        lasts_s=2.0,
        person="alice",
        persons=("alice", "bob"),
        within_s=3.0,
    ),
    Case(
        "hour_spent",
        {"category": "market"},
        Harm.LOST,
        frozenset({"failover:person_failed"}),
        ("stream_abort",),
        person="alice",
        persons=("alice", "bob"),
        refused=1,
        within_s=3.0,
    ),
    Case("hour_spent", {"category": "market"}, Harm.NONE),
    Case("stream_port_dead", {"count": 1}, Harm.LOST, frozenset({"stream:connection_lost"}), ("stream_abort",)),
)
SOCKETS: Final = (
    _opening("upgrade_hang", "stream:upgrade_timeout", after_s=60),
    _opening("upgrade_refused", status=503),
    _opening("upgrade_refused", status=401),
    _opening("upgrade_drop"),
    _opening("auth_refused", "stream:token_refused", "token:access_refused"),
    _opening("auth_hang", "stream:auth_timeout"),
    _opening("auth_drop"),
    _ending("stream_close", "closed_by_peer", code=1000),
    _ending("stream_close", "closed_by_peer", code=1011),
    _ending("stream_close", "closed_by_peer", code=4500),
    _ending("stream_close_no_status", "connection_lost"),
    _ending("stream_abort", "connection_lost"),
    _ending("stream_unauthorized", "token_refused"),
    _ending("evict", "connection_lost"),
    _ending("port_change", "connection_lost"),
    _ending("stream_garbage", "connection_lost", shape="raw"),
    _ending("stream_garbage", harm=Harm.EITHER, shape="utf8"),
    Case("port_change", {"drop": False}, Harm.NONE),
)
SILENCE: Final = (
    Case("silent_socket", {}, Harm.LOST, frozenset({"watch:stream_mute", "reconnect:stream_mute"}), lasts_s=5.0),
    Case("silent_symbol", {"symbols": ["AAPL"]}, Harm.LOST, frozenset({"watch:symbol_mute"}), lasts_s=4.0),
    Case("silent_symbol", {}, Harm.LOST, frozenset({"watch:stream_mute"}), lasts_s=4.0),
    Case("stream_slow", {"after_s": 2.5}, Harm.EITHER, lasts_s=5.0),
    _harmless("stream_slow", 1.5, after_s=0.3),
)
CONTENT: Final = (
    Case("delayed", {}, Harm.NONE, lasts_s=0.6),
    Case("nulls", {}, Harm.NONE, lasts_s=0.6, fields=TRADES),
    Case("unknown_keys", {}, Harm.NONE, lasts_s=0.6),
    Case("missing_keys", {}, Harm.NONE, lasts_s=0.6),
    _harmless("stream_garbage", shape="text"),
    _harmless("stream_garbage", shape="binary"),
    _harmless("stream_garbage", shape="json"),
    _harmless("stream_garbage", shape="half"),
    _harmless("burst", rounds=3),
    _harmless("huge_frame", quotes=2000),
)
MARKET: Final = (
    Case("halt", {"symbols": ["AAPL"]}, Harm.LOST, lasts_s=1.5),
    Case("resume", {}, Harm.NONE),
)
OUTAGES: Final = (
    Case("down", {}, Harm.LOST, frozenset({"stream:connection_lost"}), lasts_s=3.0),
    Case("down", {"mode": "reset"}, Harm.LOST, frozenset({"stream:connection_lost"}), lasts_s=3.0),
    Case("down", {"parts": ["stream"]}, Harm.LOST, frozenset({"stream:connection_lost"}), lasts_s=2.0),
    Case("down", {"parts": ["login"]}, Harm.NONE, lasts_s=1.0),
    Case("down", {"parts": ["api"]}, Harm.NONE, lasts_s=1.0),
    Case(
        "down",
        {},
        Harm.LOST,
        frozenset({"failover:person_failed"}),
        lasts_s=2.0,
        person="alice",
        persons=("alice", "bob"),
    ),
)
Quote = Mapping[str, Any]
SHOWN: Final[dict[str, Callable[[Quote], bool]]] = {
    "delayed": lambda quote: quote["delayed"] is True and quote["delay"] == 1,
    "nulls": lambda quote: quote["bidPrice"] is None and quote["bidSize"] == 0 and quote["lastTradePrice"] is not None,
    "halt": lambda quote: quote["freshness"] == "halted" and quote["isHalted"] is True,
}
"""What some quote must say while the fault lasts."""
HIDDEN: Final[dict[str, Callable[[Quote], bool]]] = {
    "unknown_keys": lambda quote: "marketMaker" in quote or "extra" in quote,
    "missing_keys": lambda quote: quote.get("high52w") is None or quote.get("VWAP") is None,
}
"""What no quote may say."""
CASES: Final = (*LOGIN, *REST, *SOCKETS, *SILENCE, *CONTENT, *MARKET, *OUTAGES)
