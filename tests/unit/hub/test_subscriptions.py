"""Who wants which symbol, and when that set grows or shrinks."""

from quotewire.hub.subscriptions import Subscriptions


def test_grows_with_the_first_client_and_shrinks_with_the_last() -> None:
    subscriptions = Subscriptions[str]()
    assert subscriptions.add("alice", [1, 2])
    assert not subscriptions.add("bob", [1])
    assert not subscriptions.add("alice", [1])
    assert subscriptions.wanted() == {1, 2}
    assert set(subscriptions.of(1)) == {"alice", "bob"}
    assert not subscriptions.remove("alice", [1])
    assert subscriptions.remove("bob", [1])
    assert subscriptions.wanted() == {2}
    assert len(subscriptions) == 1
    assert list(subscriptions.of(1)) == []


def test_to_remove_what_is_not_there_changes_nothing() -> None:
    subscriptions = Subscriptions[str]()
    subscriptions.add("alice", [1])
    assert not subscriptions.remove("bob", [1])
    assert not subscriptions.remove("bob", [5])
    assert subscriptions.wanted() == {1}


def test_one_new_among_many_is_growth_and_nothing_is_left_behind() -> None:
    subscriptions = Subscriptions[str]()
    subscriptions.add("alice", [1, 2, 3])
    assert subscriptions.add("bob", [1, 4])
    assert subscriptions.remove("alice", [1, 2, 3])
    assert subscriptions.remove("bob", [1, 4])
    assert len(subscriptions) == 0
    assert subscriptions.wanted() == frozenset()
