import pytest

from quotewire.errors import IllegalEventError
from quotewire.questrade.tokens import (
    TRANSITIONS,
    Aged,
    Declined,
    Event,
    Grant,
    Granted,
    Lost,
    RefreshPolicy,
    Refused,
    Replaced,
    Sent,
    Token,
    TokenState,
    Unsent,
    advice,
    cool_down_ends,
    due_at,
    step,
)

NEW = Token(TokenState.EXPIRING, "r0")
GRANT = Granted(100.0, Grant("a1", "r1", "https://api01.iq.questrade.com/", 1800))
EVENTS: list[Event] = [
    Aged(),
    Sent(1.0),
    GRANT,
    Refused("400"),
    Declined("503"),
    Lost("hang"),
    Unsent("dns"),
    Replaced("r9"),
]


def after(*events: Event, token: Token = NEW) -> Token:
    for event in events:
        token = step(token, event)
    return token


def test_a_grant_makes_a_fresh_pair() -> None:
    token = after(Sent(99.0), GRANT)

    assert token.state is TokenState.FRESH
    assert (token.refresh_token, token.access_token, token.expires_at) == ("r1", "a1", 1900.0)
    assert token.doubtful_sends == 0
    assert token.usable(1899.9)
    assert not token.usable(1900.0)


def test_a_refusal_is_final() -> None:
    token = after(Sent(1.0), Refused("Bad Request"))

    assert token.is_dead
    assert not token.can_be_sent
    assert "quotewire persons add alice" in advice("alice", token)


def test_a_lost_answer_allows_one_more_try() -> None:
    token = after(Sent(1.0), Lost("reset"))

    assert token.state is TokenState.SPENT_UNKNOWN
    assert token.can_be_sent
    assert not token.is_dead
    assert after(Sent(2.0), GRANT, token=token).state is TokenState.FRESH


def test_two_lost_answers_end_it() -> None:
    token = after(Sent(1.0), Lost("reset"), Sent(2.0), Lost("reset"))

    assert token.state is TokenState.SPENT_UNKNOWN
    assert token.is_dead
    with pytest.raises(IllegalEventError, match=r"token machine.*spent-unknown.*Sent"):
        step(token, Sent(3.0))


def test_a_refusal_after_a_lost_answer_says_when_it_was_spent() -> None:
    token = after(Sent(1.0), Lost("reset"), Sent(2.0), Refused("Bad Request"))

    assert token.state is TokenState.REVOKED
    assert "answer to its first use was lost" in token.last_error


@pytest.mark.parametrize("outcome", [Declined("503"), Unsent("dns")])
def test_what_did_not_take_the_token_may_be_repeated(outcome: Event) -> None:
    token = NEW
    for at in range(5):
        token = after(Sent(float(at)), outcome, token=token)

    assert (token.state, token.doubtful_sends) == (TokenState.EXPIRING, 0)


def test_a_declined_retry_leaves_the_earlier_doubt() -> None:
    token = after(Sent(1.0), Lost("hang"), Sent(2.0), Declined("503"))

    assert (token.state, token.doubtful_sends) == (TokenState.SPENT_UNKNOWN, 1)
    assert token.can_be_sent


@pytest.mark.parametrize("state", list(TokenState))
def test_a_new_token_by_hand_heals_every_state(state: TokenState) -> None:
    token = step(Token(state, "old", doubtful_sends=2, last_error="x"), Replaced("new"))

    assert token == Token(TokenState.EXPIRING, "new")


@pytest.mark.parametrize("state", list(TokenState))
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_pairs_outside_the_table_are_illegal(state: TokenState, event: Event) -> None:
    token = Token(state, "r", doubtful_sends=1 if state is TokenState.REFRESHING else 0)
    if (state, type(event)) in TRANSITIONS:
        assert step(token, event).state in TokenState
    else:
        with pytest.raises(IllegalEventError, match=type(event).__name__):
            step(token, event)


def test_no_secret_is_shown() -> None:
    token = after(Sent(1.0), GRANT)

    assert "r1" not in repr(token)
    assert "a1" not in repr(token)
    assert "r9" not in repr(Replaced("r9"))
    assert "a1" not in repr(GRANT)


@pytest.mark.parametrize(("life", "due"), [(1800.0, 1530.0), (300.0, 255.0), (1.0, 5.0), (0.0, 5.0), (1e9, 86_400.0)])
def test_the_refresh_is_due_well_before_expiry_whatever_the_life(life: float, due: float) -> None:
    token = Token(TokenState.FRESH, "r", "a", obtained_at=0.0, expires_at=life)

    assert due_at(token) == due


def test_a_token_that_is_not_fresh_is_due_at_once_and_a_dead_one_never() -> None:
    assert due_at(NEW) == 0.0
    assert due_at(after(Sent(1.0), Refused("x"))) == float("inf")


def test_the_cool_down_doubles_with_each_life_cut_short() -> None:
    token = Token(TokenState.FRESH, "r", "a", obtained_at=1000.0, expires_at=2800.0)
    policy = RefreshPolicy(cool_down_s=10.0, longest_cool_down_s=60.0)

    assert [cool_down_ends(token, policy, short_lives=n) - 1000 for n in range(5)] == [10, 20, 40, 60, 60]
    assert cool_down_ends(NEW, policy, short_lives=9) == 0.0
