"""The token desk: single use, expiry, replacement, revocation."""

from itertools import count

import pytest

from quotewire.simulator.tokens import (
    REMEMBERED,
    AccessState,
    Bought,
    RefreshState,
    Refused,
    TokenDesk,
    fingerprint,
)

DAY = 86_400.0


def desk(**settings: bool) -> TokenDesk:
    numbers = count(1)
    return TokenDesk(
        lambda: f"token-{next(numbers)}",
        expires_in=1800,
        refresh_life_s=7 * DAY,
        refresh_kills_access=settings.get("refresh_kills_access", True),
    )


def bought(result: Bought | Refused) -> Bought:
    assert isinstance(result, Bought)
    return result


def test_a_refresh_token_buys_once() -> None:
    book = desk()
    first = book.issue("alice", 0.0)
    got = bought(book.redeem(first, 1.0))
    assert (got.person, got.expires_in) == ("alice", 1800)
    assert book.redeem(first, 2.0) == Refused(RefreshState.SPENT, "alice")
    assert bought(book.redeem(got.refresh_token, 3.0)).person == "alice"
    assert book.redeem("unheard of", 3.0) == Refused(RefreshState.UNKNOWN, None)


def test_tokens_expire() -> None:
    book = desk()
    token = book.issue("alice", 0.0)
    got = bought(book.redeem(token, 0.0, expires_in=300))
    assert book.holder(got.access_token, 299.9).state is AccessState.VALID
    assert book.holder(got.access_token, 300.0).state is AccessState.EXPIRED
    assert book.redeem(got.refresh_token, 7 * DAY) == Refused(RefreshState.EXPIRED, "alice")


@pytest.mark.parametrize(("kills", "state"), [(True, AccessState.REPLACED), (False, AccessState.VALID)])
def test_a_refresh_replaces_only_that_persons_access_token(kills: bool, state: AccessState) -> None:
    book = desk(refresh_kills_access=kills)
    alice = bought(book.redeem(book.issue("alice", 0.0), 0.0))
    bob = bought(book.redeem(book.issue("bob", 0.0), 0.0))
    bought(book.redeem(alice.refresh_token, 1.0))
    assert book.holder(alice.access_token, 1.0).state is state
    assert book.holder(bob.access_token, 1.0).state is AccessState.VALID


def test_an_older_hand_made_token_stays_good() -> None:
    book = desk()
    first, second = book.issue("alice", 0.0), book.issue("alice", 1.0)
    bought(book.redeem(second, 2.0))
    bought(book.redeem(first, 3.0))


def test_spend_expire_and_revoke() -> None:
    book = desk()
    token = book.issue("alice", 0.0)
    book.spend(token)
    book.spend("unheard of")
    assert book.redeem(token, 1.0) == Refused(RefreshState.SPENT, "alice")
    got = bought(book.redeem(book.issue("alice", 0.0), 1.0))
    bob = bought(book.redeem(book.issue("bob", 0.0), 1.0))
    book.expire_access("alice")
    assert book.holder(got.access_token, 2.0).state is AccessState.EXPIRED
    book.expire_refresh("alice")
    assert book.look(got.refresh_token, 2.0).state is RefreshState.EXPIRED
    assert book.revoke(bob.access_token, 2.0) == "bob"
    assert book.holder(bob.access_token, 2.0).state is AccessState.REVOKED
    assert book.redeem(bob.refresh_token, 2.0) == Refused(RefreshState.REVOKED, "bob")
    assert book.revoke("unheard of", 2.0) is None
    assert book.holder("unheard of", 2.0).state is AccessState.UNKNOWN


def test_the_book_is_bounded_and_reprs_keep_secrets() -> None:
    book = desk()
    first = book.issue("alice", 0.0)
    for _ in range(REMEMBERED):
        book.issue("alice", 0.0)
    assert book.look(first, 0.0).state is RefreshState.UNKNOWN
    got = bought(book.redeem(book.issue("alice", 0.0), 0.0))
    assert got.access_token not in repr(got)
    assert got.refresh_token not in repr(got)
    assert len(fingerprint(first)) == 12
    assert fingerprint(first) != fingerprint(got.refresh_token)
