"""Who holds which token: single-use refresh tokens and the access tokens they buy. Pure: `now` is epoch seconds."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")
REMEMBERED: Final = 5_000  # dead tokens kept per kind, so that reuse can be told from invention


class RefreshState(StrEnum):
    """What a refresh token is now."""

    FRESH = "fresh"
    SPENT = "spent"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class AccessState(StrEnum):
    """What an access token is now. Questrade's answer is the same for all but `VALID`."""

    VALID = "valid"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class _Refresh:
    person: str
    expires_at: float
    state: RefreshState


@dataclass(slots=True)
class _Access:
    person: str
    issued_at: float
    expires_at: float
    state: AccessState


@dataclass(frozen=True, slots=True)
class Bought:
    """What a refresh token bought. `refresh_token` is the next one."""

    person: str
    access_token: str
    refresh_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Bought(person={self.person!r}, expires_in={self.expires_in})"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a refresh token bought nothing, and whose it was if known."""

    state: RefreshState
    person: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """An access token's person and its state."""

    person: str | None
    state: AccessState
    issued_at: float = 0.0


class TokenDesk:
    """The broker's token book. `mint` makes a new token text."""

    def __init__(
        self, mint: Callable[[], str], *, expires_in: int, refresh_life_s: float, refresh_kills_access: bool
    ) -> None:
        self._mint = mint
        self._expires_in = expires_in
        self._refresh_life_s = refresh_life_s
        self._refresh_kills_access = refresh_kills_access
        self._refresh: OrderedDict[str, _Refresh] = OrderedDict()
        self._access: OrderedDict[str, _Access] = OrderedDict()

    def issue(self, person: str, now: float) -> str:
        """A new refresh token, as made by hand in the App Hub. Older ones stay good."""
        token = self._mint()
        _remember(self._refresh, token, _Refresh(person, now + self._refresh_life_s, RefreshState.FRESH))
        return token

    def look(self, token: str, now: float) -> Refused:
        """The state of a refresh token and whose it is; nothing changes."""
        held = self._refresh.get(token)
        if held is None:
            return Refused(RefreshState.UNKNOWN, None)
        if held.state is RefreshState.FRESH and now >= held.expires_at:
            held.state = RefreshState.EXPIRED
        return Refused(held.state, held.person)

    def redeem(self, token: str, now: float, expires_in: int | None = None) -> Bought | Refused:
        """Spend a refresh token. The older access tokens of the person die unless the switch says otherwise."""
        found = self.look(token, now)
        if found.state is not RefreshState.FRESH or found.person is None:
            return found
        self._refresh[token].state = RefreshState.SPENT
        if self._refresh_kills_access:
            self._kill(found.person, AccessState.REPLACED)
        life = self._expires_in if expires_in is None else expires_in
        access = self._mint()
        _remember(self._access, access, _Access(found.person, now, now + life, AccessState.VALID))
        return Bought(found.person, access, self.issue(found.person, now), life)

    def spend(self, token: str) -> None:
        """Mark a refresh token spent without giving anything for it."""
        if token in self._refresh:
            self._refresh[token].state = RefreshState.SPENT

    def holder(self, access_token: str, now: float) -> Holder:
        """Whose access token it is, and whether it is good."""
        held = self._access.get(access_token)
        if held is None:
            return Holder(None, AccessState.UNKNOWN)
        if held.state is AccessState.VALID and now >= held.expires_at:
            held.state = AccessState.EXPIRED
        return Holder(held.person, held.state, held.issued_at)

    def expire_access(self, person: str | None) -> None:
        """End a person's (or everybody's) access tokens now."""
        self._kill(person, AccessState.EXPIRED)

    def expire_refresh(self, person: str | None) -> None:
        """End a person's (or everybody's) refresh tokens now."""
        for held in self._refresh.values():
            if held.state is RefreshState.FRESH and person in (None, held.person):
                held.state = RefreshState.EXPIRED

    def revoke(self, token: str, now: float) -> str | None:
        """End the grant a token of either kind belongs to: all the person's tokens. The person, or None if unknown."""
        person = self.look(token, now).person or self.holder(token, now).person
        if person is None:
            return None
        self._kill(person, AccessState.REVOKED)
        for held in self._refresh.values():
            if held.person == person and held.state is RefreshState.FRESH:
                held.state = RefreshState.REVOKED
        return person

    def _kill(self, person: str | None, state: AccessState) -> None:
        for held in self._access.values():
            if held.state is AccessState.VALID and person in (None, held.person):
                held.state = state


def fingerprint(token: str) -> str:
    """A short digest that identifies a token in statistics without giving it away."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:12]


def _remember(book: OrderedDict[str, T], token: str, held: T) -> None:
    book[token] = held
    while len(book) > REMEMBERED:
        book.popitem(last=False)
