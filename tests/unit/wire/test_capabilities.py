"""What two peers agree on."""

from quotewire.wire.capabilities import Capability, agree


def test_nothing_offered_is_nothing_agreed() -> None:
    assert agree([]) == frozenset()


def test_what_both_know_is_agreed_and_the_rest_is_no_mistake() -> None:
    assert agree(["gap", "telepathy", "gap", "maxRate", ""]) == {Capability.GAP, Capability.MAX_RATE}


def test_one_agreement_is_one_object_however_many_make_it() -> None:
    assert agree(["gap", "resume"]) is agree(["resume", "teleport", "gap"])
