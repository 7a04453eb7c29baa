"""The modelled Questrade: tokens, limits, REST answers, who may stream what. `now` is virtual seconds."""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from quotewire.simulator.limits import ALLOWANCES, HOUR_S, Category
from quotewire.simulator.tokens import AccessState, Bought, RefreshState, TokenDesk
from tests.simulation.faults import Nature
from tests.simulation.market import Market, symbol_row

BAD_REQUEST: Final = b"Bad Request"
WEEK_S: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of HTTP. `versions` are those of the quotes in it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    is_whole: bool = True  # what a client of Questrade's can read


class Peer(Protocol):
    """The server's end of a socket."""

    person: str | None
    token: str
    host: int
    muted: set[int]
    fixed: frozenset[int]

    def send(self, data: bytes, versions: dict[int, int]) -> None:
        """Send a frame."""

    def end(self, code: int) -> None:
        """Close; 0 without a status."""


@dataclass(slots=True)
class Bucket:
    """One person's calls of one category."""

    recent: deque[float] = field(default_factory=deque)
    hour_ends: float = 0.0
    used: int = 0
    capped_until: float = 0.0  # somebody else used the hour up


@dataclass(slots=True)
class Account:
    """One person at Questrade. `sockets` are those that gave their token."""

    person: str
    host: int
    port: int
    next_host: int = 0  # what the next token will name
    subscription: frozenset[int] = frozenset()
    asked: frozenset[int] = frozenset()  # by the last request that the gateway saw answered
    sockets: list[Peer] = field(default_factory=list)
    buckets: dict[Category, Bucket] = field(default_factory=lambda: {category: Bucket() for category in Category})
    grants: int = 0
    calls: Counter[str] = field(default_factory=Counter)


class Broker:
    """Questrade. `note` writes the log of the run."""

    def __init__(self, nature: Nature, market: Market, chance: random.Random, note: Callable[[str], None]) -> None:
        self.nature = nature
        self.market = market
        self._chance = chance
        self._note = note
        self._minted = 0
        self.tokens = TokenDesk(
            self._mint, expires_in=nature.expires_in, refresh_life_s=WEEK_S, refresh_kills_access=True
        )
        self.accounts = {
            person: Account(person, host=1 + at, port=18_100 + at) for at, person in enumerate(nature.persons)
        }
        self.over_second: list[str] = []
        self._hosts = len(nature.persons)
        self.after_refresh: Callable[[str], None] = lambda person: None

    def _mint(self) -> str:
        self._minted += 1
        return f"token-{self._minted:05d}-{self._chance.getrandbits(48):012x}"

    def new_host(self) -> int:
        """The number of a host that was never used."""
        self._hosts += 1
        return self._hosts

    def issue(self, person: str, now: float) -> str:
        """A refresh token made by hand."""
        return self.tokens.issue(person, now)

    # --- the login server ---

    def login(self, token: str | None, now: float) -> Reply:
        """Redeem a refresh token; None is an empty request."""
        if token is None:
            return Reply(400, BAD_REQUEST)
        bought = self.tokens.redeem(token, now)
        if not isinstance(bought, Bought):
            self._note(f"login refused {bought.person} {bought.state}")
            return Reply(400, BAD_REQUEST)
        account = self.accounts[bought.person]
        account.grants += 1
        account.host = account.next_host or account.host
        self._note(f"login granted {bought.person} {account.grants}")
        self.after_refresh(bought.person)
        body = {
            "access_token": bought.access_token,
            "api_server": self.nature.api_server.format(account.host),
            "expires_in": bought.expires_in,
            "refresh_token": bought.refresh_token,
            "token_type": "Bearer",
        }
        return Reply(200, msgspec.json.encode(body), {"Content-Type": "application/json"})

    def is_good(self, token: str, now: float) -> bool:
        """Whether a refresh token would be taken."""
        return self.tokens.look(token, now).state is RefreshState.FRESH

    def revoke(self, person: str, token: str, now: float) -> None:
        """End the person's grant, and all its tokens."""
        self.tokens.revoke(token, now)
        self.end_streams(person, 0)

    # --- REST ---

    def rest(self, host: int, token: str, path: str, params: dict[str, str], now: float) -> Reply:
        """Answer a request."""
        holder = self.tokens.holder(token, now)
        if holder.state is not AccessState.VALID or holder.person is None:
            return error(401, 1017, "Access token is invalid")
        account = self.accounts[holder.person]
        category = Category.MARKET if path.startswith("markets") else Category.ACCOUNT
        account.calls[path] += 1
        headers = self._count(account, category, now)
        if headers is None:
            return error(429, 1006, "Too many requests", self._limits(account, category, now))
        if path == "time":
            return ok({"time": self.market.clock_text(now)}, headers)
        if path == "markets/quotes":
            return self._quotes(account, params, headers, now)
        if path == "symbols":
            return ok({"symbols": self._symbols(params)}, headers)
        if path == "symbols/search":
            return ok({"symbols": [symbol_row(each) for each in self.market.ids[:3]]}, headers)
        return error(404, 1001, "Endpoint not found", headers)

    def _quotes(self, account: Account, params: dict[str, str], headers: dict[str, str], now: float) -> Reply:
        ids = [int(each) for each in params["ids"].split(",")]
        known = [each for each in ids if each in self.market.ids]
        if params.get("stream") == "true":
            self._subscribe(account, frozenset(known), now)
            return ok({"streamPort": account.port}, headers)
        versions = {each: self.market.version(each) for each in known}
        reply = ok({"quotes": [self.market.row(each) for each in known]}, headers)
        return Reply(reply.status, reply.body, reply.headers, versions)

    def _symbols(self, params: dict[str, str]) -> list[dict[str, Any]]:
        if "ids" in params:
            asked = {int(each) for each in params["ids"].split(",")}
            return [symbol_row(each) for each in self.market.ids if each in asked]
        rows = {row["symbol"]: row for row in map(symbol_row, self.market.ids)}
        return [rows[each] for each in params["names"].split(",") if each in rows]

    def _count(self, account: Account, category: Category, now: float) -> dict[str, str] | None:
        bucket, allowance = self._bucket(account, category, now), ALLOWANCES[category]
        while bucket.recent and bucket.recent[0] <= now - 1.0:
            bucket.recent.popleft()
        if len(bucket.recent) >= allowance.per_second:
            self.over_second.append(account.person)
            return None
        if bucket.used >= allowance.per_hour or now < bucket.capped_until:
            return None
        bucket.recent.append(now)
        bucket.used += 1
        return self._limits(account, category, now)

    def _limits(self, account: Account, category: Category, now: float) -> dict[str, str]:
        bucket = self._bucket(account, category, now)
        capped = now < bucket.capped_until
        left = 0 if capped else ALLOWANCES[category].per_hour - bucket.used
        reset = self.market.epoch + (bucket.capped_until if capped else bucket.hour_ends)
        return {"X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(int(reset) + 1)}

    def _bucket(self, account: Account, category: Category, now: float) -> Bucket:
        bucket = account.buckets[category]
        if now >= bucket.hour_ends:
            bucket.hour_ends, bucket.used = now + HOUR_S, 0
        return bucket

    # --- streams ---

    def listens(self, host: int, port: int) -> bool:
        """Whether a stream port is open."""
        return any(account.host == host and account.port == port for account in self.accounts.values())

    def hello(self, peer: Peer, token: str, now: float) -> None:
        """A socket's first frame."""
        holder = self.tokens.holder(token, now)
        if holder.state is not AccessState.VALID or holder.person is None:
            peer.send(error(401, 1017, "Access token is invalid").body, {})
            peer.end(1008)
            return
        account = self.accounts[holder.person]
        for old in list(account.sockets):
            old.end(self.nature.evict_code)
        peer.person, peer.token, peer.fixed = holder.person, token, account.subscription
        account.sockets.append(peer)
        peer.send(b'{"success":true}', {})
        self._show(peer, account.subscription)

    def gone(self, peer: Peer) -> None:
        """A socket has ended."""
        if peer.person is not None and peer in self.accounts[peer.person].sockets:
            self.accounts[peer.person].sockets.remove(peer)

    def end_streams(self, person: str, code: int) -> None:
        """End the person's sockets."""
        for peer in list(self.accounts[person].sockets):
            peer.end(code)

    def carries(self, peer: Peer) -> frozenset[int]:
        """What a socket carries."""
        if peer.person is None:
            return frozenset()
        return peer.fixed if self.nature.second_get == "reconnect" else self.accounts[peer.person].subscription

    def tick(self, now: float, step_s: float) -> None:
        """The market moves, and the streams tell it; sessions that ran out end."""
        changed = frozenset(self.market.tick(now, step_s))
        for account in self.accounts.values():
            for peer in list(account.sockets):
                if self.nature.expiry_ends_stream and self.tokens.holder(peer.token, now).state is AccessState.EXPIRED:
                    peer.end(0)
                elif changed:
                    self._show(peer, changed & self.carries(peer))

    def _subscribe(self, account: Account, ids: frozenset[int], now: float) -> None:
        before = account.subscription
        account.subscription = ids | before if self.nature.second_get == "add" else ids
        for peer in account.sockets:
            peer.muted -= ids
            if self.nature.second_get != "reconnect" and self.nature.get_shows_new:
                self._show(peer, account.subscription - before)

    def _show(self, peer: Peer, ids: Iterable[int]) -> None:
        shown = sorted(set(ids) - peer.muted)
        if shown:
            body = msgspec.json.encode({"quotes": [self.market.row(each) for each in shown]})
            peer.send(body, {each: self.market.version(each) for each in shown})


def ok(body: Any, headers: dict[str, str]) -> Reply:
    """A success."""
    return Reply(200, msgspec.json.encode(body), {"Content-Type": "application/json", **headers})


def error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    """An error as Questrade writes it."""
    body = msgspec.json.encode({"code": code, "message": message})
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})
