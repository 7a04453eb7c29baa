"""The gateway's own tokens: short-lived, signed, good for the stream alone, and never repeated in a refusal."""

from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from quotewire.edge.auth import ALGORITHM, ISSUER, SCOPE, Claims, ClientTokens, signing_key
from quotewire.errors import UnauthorizedError

KEY = b"k" * 32
NOW = 1_764_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def make(key: bytes = KEY) -> tuple[ClientTokens, Clock]:
    clock = Clock()
    return ClientTokens(key, ttl_s=1800, clock=clock), clock


def signed(key: bytes = KEY, algorithm: str = ALGORITHM, **claims: Any) -> str:
    base = {"iss": ISSUER, "sub": "alice", "scope": SCOPE, "exp": int(NOW) + 100}
    return jwt.encode({k: v for k, v in {**base, **claims}.items() if v is not None}, key, algorithm=algorithm)


def refusal(token: str, tokens: ClientTokens | None = None) -> str:
    with pytest.raises(UnauthorizedError) as caught:
        (tokens or make()[0]).verify(token)
    assert len(token) < 8 or token not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_minted_token_is_good_until_it_expires() -> None:
    tokens, clock = make()
    token, expires_at = tokens.mint("alice")
    assert expires_at == int(NOW) + 1800
    assert tokens.verify(token) == Claims("alice", expires_at, "alice")
    given, _ = tokens.mint("alice", key="desk 4")
    assert tokens.verify(given).key == "desk 4"
    clock.now = expires_at - 0.1
    tokens.verify(token)
    clock.now = float(expires_at)
    assert "expired" in refusal(token, tokens)


def test_every_node_with_the_key_accepts_it_and_no_other_does() -> None:
    token, _ = make()[0].mint("alice")
    make()[0].verify(token)
    assert "not a token of this gateway" in refusal(token, make(b"x" * 32)[0])


def test_a_token_holds_nothing_but_whom_it_is_for_and_until_when() -> None:
    token, _ = make()[0].mint("alice")
    claims: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"iss", "sub", "scope", "iat", "exp", "jti"}


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        "x",
        "a.b.c",
        "é" * 10,
        "\ud800",
        "\x00",
        "eyJhbGciOiJub25lIn0.e30.",
        "." * 1000,
        "A" * 4096,
        signed()[:-3] + "AAA",
        signed(iss="somebody else"),
        signed(iss=None),
        signed(exp=None),
        signed(sub=None),
        signed(scope=None),
        signed(sub=5),
        signed(algorithm="HS512", key=b"k" * 64),
        jwt.encode({"iss": ISSUER, "sub": "a", "scope": SCOPE, "exp": 2**40}, "", algorithm="none"),
        jwt.encode({"iss": ISSUER, "sub": "a", "scope": SCOPE, "exp": 2**40}, KEY, headers={"kid": "../../x"}) + "x",
    ],
)
def test_what_is_not_ours_is_refused(token: str) -> None:
    assert "get one from /api-auth" in refusal(token)


@pytest.mark.parametrize(
    "claims", [{"scope": "everything"}, {"scope": ["stream"]}, {"exp": "9999999999"}, {"exp": 1e300}]
)
def test_a_token_of_ours_for_something_else_does_not_open_the_stream(claims: dict[str, Any]) -> None:
    assert refusal(signed(**claims))


def test_times_are_judged_by_the_gateways_own_clock() -> None:
    tokens, clock = make()
    clock.now = 4_000_000_000.0
    token, _ = tokens.mint("alice")
    tokens.verify(token)


def test_gateways_that_share_a_secret_take_each_others_tokens() -> None:
    def own() -> bytes:
        return b"o" * 32

    here, there = (ClientTokens(signing_key("0123456789abcdef", own), ttl_s=60) for _ in range(2))
    token, expires_at = here.mint("alice")
    assert there.verify(token) == Claims("alice", expires_at, "alice")
    for other in (signing_key(None, own), signing_key("0123456789abcdeg", own)):
        with pytest.raises(UnauthorizedError):
            ClientTokens(other, ttl_s=60).verify(token)
    assert signing_key(None, own) == own()


def test_a_token_that_was_good_before_still_expires_and_no_other_is_taken_for_it() -> None:
    tokens, clock = make()
    token, expires_at = tokens.mint("alice")
    assert tokens.verify(token) == tokens.verify(token)
    assert "not a token" in refusal(token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), tokens)
    clock.now = float(expires_at)
    assert "expired" in refusal(token, tokens)
