"""What a second subscription call does, by switch."""

import pytest

from quotewire.simulator.subscriptions import Subscriptions


@pytest.mark.parametrize(
    ("second_get", "new", "carried", "next_time"),
    [
        ("replace", {3}, {2, 3}, (2, 3)),
        ("add", {3}, {1, 2, 3}, (1, 2, 3)),
        ("reconnect", set(), {1, 2}, (2, 3)),
    ],
)
def test_the_second_call(second_get: str, new: set[int], carried: set[int], next_time: tuple[int, ...]) -> None:
    book = Subscriptions(second_get)
    assert book.ask("alice", (1, 2)) == frozenset()
    assert book.open("alice") == (1, 2)
    assert book.ask("alice", (2, 3)) == new
    assert book.carried("alice") == carried
    book.close("alice")
    assert book.carried("alice") == frozenset()
    assert book.open("alice") == next_time


def test_persons_are_apart() -> None:
    book = Subscriptions()
    book.ask("alice", (1,))
    assert book.open("bob") == ()
