"""One timer for all that becomes due."""

from quotewire.hub.wheel import Wheel


def test_members_come_up_when_due_and_not_before() -> None:
    wheel = Wheel[str](0.010)
    wheel.put("b", 1.024)
    wheel.put("a", 1.001)
    assert wheel.take(1.0) == []
    due = wheel.next_due()
    assert due is not None
    assert 1.001 <= due <= 1.011
    assert wheel.take(due) == ["a"]
    assert wheel.take(1.024) == []
    assert wheel.take(1.04) == ["b"]
    assert wheel.next_due() is None


def test_those_past_come_in_order() -> None:
    wheel = Wheel[str](0.010)
    for name, due in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        wheel.put(name, due)
    assert list(wheel.take(10.0)) == ["a", "b", "c"]


def test_a_member_can_be_taken_out() -> None:
    wheel = Wheel[str](0.010)
    tick, other = wheel.put("a", 1.0), wheel.put("b", 1.0)
    assert tick == other
    wheel.discard("a", tick)
    wheel.discard("a", tick)
    wheel.discard("a", 12345)
    assert len(wheel) == 1
    wheel.discard("b", other)
    assert wheel.next_due() is None
