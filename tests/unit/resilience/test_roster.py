"""Whose turn it is."""

from quotewire.resilience.roster import Roster

THREE = ("alice", "bob", "carol")


def test_a_round_tries_everybody_once_in_order() -> None:
    roster = Roster(THREE)

    assert [roster.current, roster.next(), roster.next(), roster.next()] == ["alice", "bob", "carol", None]
    assert roster.current == "carol"


def test_a_round_starts_with_who_worked_last_and_goes_around() -> None:
    roster = Roster(THREE)
    roster.next()
    roster.settle()

    assert [roster.current, roster.next(), roster.next(), roster.next()] == ["bob", "carol", "alice", None]


def test_spent_persons_are_left_out_until_restored() -> None:
    roster = Roster(THREE)
    roster.spend("bob")

    assert roster.next() == "carol"
    roster.spend("alice")
    roster.spend("carol")
    before = roster.exhausted
    roster.restore("bob")
    assert (before, roster.exhausted) == (True, False)
    assert roster.begin_round()
    assert roster.current == "bob"


def test_a_round_with_everybody_spent_still_names_somebody() -> None:
    roster = Roster(("alice",))
    roster.spend("alice")

    assert not roster.begin_round()
    assert roster.current == "alice"


def test_changing_the_list_keeps_the_current_person_if_possible() -> None:
    roster = Roster(THREE)
    roster.next()

    changes = [(roster.change(persons), roster.current) for persons in (("dave", "bob"), ("dave",), ())]

    assert changes == [(False, "bob"), (True, "dave"), (True, None)]
    assert (len(roster), roster.exhausted) == (0, True)
