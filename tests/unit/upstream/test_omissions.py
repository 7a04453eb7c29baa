"""What a request may have taken away: believed, and not trusted for long."""

from quotewire.upstream.omissions import DOUBT_S, Omissions

BOTH = frozenset({1, 2})
FIRST = frozenset({1})


def asked_for_both() -> Omissions:
    omissions = Omissions()
    omissions.leaves(BOTH, 0.0)
    omissions.answered(BOTH)
    return omissions


def test_what_a_request_leaves_out_is_doubted_a_moment_after_it_left_answered_or_not() -> None:
    omissions = asked_for_both()
    omissions.leaves(FIRST, 10.0)

    assert omissions.may_lack({2, 9})
    assert omissions.doubted(10.0 + DOUBT_S - 0.01) == frozenset()
    assert omissions.doubted(10.0 + DOUBT_S) == {2}


def test_a_second_request_that_leaves_it_out_does_not_put_the_doubt_off() -> None:
    omissions = asked_for_both()
    omissions.leaves(FIRST, 10.0)
    omissions.leaves(FIRST, 10.9)

    assert omissions.doubted(10.0 + DOUBT_S) == {2}


def test_data_put_the_doubt_off() -> None:
    omissions = asked_for_both()
    omissions.leaves(FIRST, 10.0)
    omissions.heard([1, 2], 10.9)

    assert omissions.doubted(10.9 + DOUBT_S - 0.01) == frozenset()
    assert omissions.doubted(10.9 + DOUBT_S) == {2}


def test_the_answer_to_a_request_with_it_ends_the_doubt_and_that_to_one_without_does_not() -> None:
    omissions = asked_for_both()
    omissions.leaves(FIRST, 10.0)
    omissions.leaves(BOTH, 12.0)
    assert omissions.doubted(13.0) == {2}, "the first may be taken up after the second was sent"

    omissions.answered(FIRST)
    assert omissions.doubted(13.0) == {2}
    omissions.answered(BOTH)
    assert omissions.doubted(13.0) == frozenset()
    assert not omissions.may_lack(BOTH)


def test_what_comes_without_having_been_asked_for_is_trusted_no_longer_than_its_data() -> None:
    omissions = asked_for_both()
    omissions.heard([1, 3], 20.0)

    assert omissions.doubted(20.0 + DOUBT_S) == {3}


def test_a_new_socket_was_opened_for_all_it_should_carry() -> None:
    omissions = asked_for_both()
    omissions.leaves(FIRST, 10.0)
    omissions.answered(FIRST)
    omissions.opened_anew()

    assert omissions.doubted(99.0) == frozenset()
