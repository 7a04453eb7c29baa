"""The gateway's own client tokens: short-lived, signed, good for the quote stream alone. No broker token is in them."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from quotewire.errors import UnauthorizedError

ISSUER = "quotewire"
SCOPE = "stream"
ALGORITHM = "HS256"
REMEMBERED_TOKENS = 4096
"""Tokens whose signature need not be checked again; when there are so many, all are forgotten."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says. `expires_at` in seconds since 1970.

    `key` is whom the token was given to, and what the limits count by: the person in whose name it was asked for,
    unless it was made for somebody in particular.
    """

    person: str
    expires_at: int
    key: str


def signing_key(shared: str | None, own: Callable[[], bytes]) -> bytes:
    """What signs client tokens: made from the secret that gateways share, else this one's own."""
    if shared is None:
        return own()
    return hashlib.blake2b(shared.encode(), digest_size=32, person=b"client tokens").digest()


class ClientTokens:
    """Makes and judges client tokens with one key, so that every node with that key accepts them."""

    def __init__(self, key: bytes, *, ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._ttl_s = ttl_s
        self._clock = clock
        self._verified: dict[str, Claims] = {}

    def mint(self, person: str, *, key: str | None = None) -> tuple[str, int]:
        """Make a token in `person`'s name, unlike any before; returns it with its expiry in seconds since 1970.

        `key` is whom it is given to; without one, whoever asks in that person's name is one to the limits.
        """
        now = self._clock()
        expires_at = int(now + self._ttl_s)
        claims: dict[str, str | int] = {
            "iss": ISSUER,
            "sub": person,
            "scope": SCOPE,
            "iat": int(now),
            "exp": expires_at,
            "jti": secrets.token_hex(8),
        }
        if key is not None:
            claims["key"] = key
        return jwt.encode(claims, self._key, algorithm=ALGORITHM), expires_at

    def verify(self, token: str) -> Claims:
        """Judge a token. Raises UnauthorizedError with the reason, which never repeats the token.

        A good signature is remembered: in a storm every client comes back with a token that was good before.
        """
        claims = self._verified.get(token) or self._read(token)
        if claims.expires_at <= self._clock():
            raise UnauthorizedError("the token has expired; get a new one from /api-auth")
        if len(self._verified) >= REMEMBERED_TOKENS:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def _read(self, token: str) -> Claims:
        """What a token says, when it is one of ours."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # The expiry is judged below, by the clock we were given.
                options={"require": ["exp", "sub", "scope"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise UnauthorizedError("this is not a token of this gateway; get one from /api-auth") from None
        if claims["scope"] != SCOPE or not isinstance(claims["exp"], int):
            raise UnauthorizedError("this token does not open the quote stream")
        person = str(claims["sub"])
        return Claims(person, claims["exp"], str(claims.get("key", person)))
