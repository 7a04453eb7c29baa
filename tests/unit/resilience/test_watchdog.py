"""Which silence is a fault: of a symbol, of the stream, or of nobody because the market rests."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from quotewire.market.calendar import TORONTO
from quotewire.market.quote import QuotePatch
from quotewire.resilience.lifecycle_events import SilenceRule
from quotewire.resilience.watchdog import (
    CheckByQuote,
    Effect,
    Repair,
    Reroute,
    Watch,
    Watchdog,
    WatchdogConfig,
    WatchReason,
)

OPEN = datetime(2026, 3, 3, 11, 0, tzinfo=TORONTO)  # a Tuesday
NIGHT = datetime(2026, 3, 3, 23, 0, tzinfo=TORONTO)
HOLIDAY = datetime(2026, 7, 1, 11, 0, tzinfo=TORONTO)  # Canada Day: New York trades
BUSY, MUTE = 1, 2


class Scene:
    """Two Toronto symbols on one stream; `BUSY` speaks every second, `MUTE` did every two until it stopped at 60 s."""

    def __init__(self, opening: datetime = OPEN, **settings: float) -> None:
        self.opening = opening
        self.dog = Watchdog(WatchdogConfig(**settings))  # type: ignore[arg-type]
        self.now = 0.0
        for symbol_id in (BUSY, MUTE):
            self.dog.watch(symbol_id, "TSX", 0.0)
        self.dog.stream_up(0.0)
        self.pass_time(60, mute_speaks=True)

    def pass_time(self, seconds: int, *, mute_speaks: bool = False, busy_speaks: bool = True) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(seconds):
            self.now += 1
            effects += self.dog.step(self.now, self.opening + timedelta(seconds=self.now))
            if busy_speaks:
                self.dog.heard([QuotePatch(symbol_id=BUSY)], self.now)
            if mute_speaks and self.now % 2 == 0:
                self.dog.heard([QuotePatch(symbol_id=MUTE)], self.now)
        return effects


def test_a_mute_symbol_is_checked_once_and_repaired_alone() -> None:
    scene = Scene()

    assert scene.pass_time(38) == [], "twenty of its usual gaps"
    assert scene.pass_time(5) == [CheckByQuote((MUTE,))]
    assert scene.dog.checked(MUTE, newer=True, now=scene.now) == [Repair(MUTE, WatchReason.SYMBOL_MUTE)]
    assert scene.dog.state(MUTE) is Watch.REPAIRING
    assert scene.pass_time(10, mute_speaks=True) == []
    assert scene.dog.state(MUTE) is Watch.LISTENING


def test_the_faster_a_symbol_the_sooner_its_silence_is_told_but_not_within_seconds() -> None:
    scene = Scene()
    for _ in range(50):
        scene.dog.heard([QuotePatch(symbol_id=MUTE)], scene.now)
        scene.now += 0.1

    assert scene.pass_time(18) == []
    assert scene.pass_time(5) == [CheckByQuote((MUTE,))]


def test_a_silence_that_was_a_fault_teaches_no_pace() -> None:
    scene = Scene()
    usual = scene.dog.expected_s(MUTE)
    scene.pass_time(45)
    scene.dog.checked(MUTE, newer=True, now=scene.now)
    scene.pass_time(20, mute_speaks=True)
    assert scene.dog.expected_s(MUTE) == pytest.approx(usual), "so that the next one is noticed as soon"

    scene.pass_time(30, busy_speaks=False)
    checks = [effect for effect in scene.pass_time(15, busy_speaks=False) if isinstance(effect, CheckByQuote)]
    assert scene.dog.checked(checks[-1].symbol_ids[0], newer=True, now=scene.now)[0].reason is WatchReason.STREAM_MUTE  # type: ignore[union-attr]
    scene.pass_time(20, mute_speaks=True)
    assert scene.dog.expected_s(BUSY) == pytest.approx(1.0)


def test_repairs_that_do_not_help_end_in_another_road() -> None:
    scene = Scene()
    scene.pass_time(80)
    scene.dog.checked(MUTE, newer=True, now=scene.now)

    assert scene.pass_time(70) == [Repair(MUTE, WatchReason.STILL_MUTE), Reroute(MUTE, WatchReason.STILL_MUTE)]
    assert scene.dog.state(MUTE) is Watch.LISTENING


def test_a_quiet_symbol_is_asked_about_ever_less() -> None:
    scene = Scene()
    checks = []
    for _ in range(2000):
        if scene.pass_time(1):
            checks.append(scene.now)
            assert scene.dog.checked(MUTE, newer=False, now=scene.now) == []

    gaps = [later - earlier for earlier, later in pairwise(checks)]
    assert gaps == sorted(gaps)
    assert 3 <= len(checks) <= 5


@pytest.mark.parametrize("failing", ["answer", "silence"])
def test_a_check_that_fails_is_made_again(failing: str) -> None:
    scene = Scene()
    scene.pass_time(80)
    if failing == "answer":
        scene.dog.check_failed(MUTE)

    assert CheckByQuote((MUTE,)) in scene.pass_time(45)


def test_an_answer_that_comes_too_late_is_ignored() -> None:
    scene = Scene()
    scene.pass_time(80)
    scene.pass_time(2, mute_speaks=True)

    assert scene.dog.checked(MUTE, newer=True, now=scene.now) == []
    assert scene.dog.checked(99, newer=True, now=scene.now) == []
    scene.dog.check_failed(99)
    assert scene.dog.state(MUTE) is Watch.LISTENING


def test_many_suspects_share_one_call() -> None:
    scene = Scene()
    for symbol_id in range(10, 60):
        scene.dog.watch(symbol_id, "TSX", scene.now)

    calls = [effect for effect in scene.pass_time(330) if isinstance(effect, CheckByQuote)]
    asked = [symbol_id for call in calls for symbol_id in call.symbol_ids]
    assert all(len(call.symbol_ids) <= 20 for call in calls)
    assert set(range(10, 60)) <= set(asked)


@pytest.mark.parametrize("opening", [NIGHT, HOLIDAY])
def test_nobody_is_mute_in_a_closed_market(opening: datetime) -> None:
    scene = Scene()
    scene.opening = opening

    assert scene.pass_time(3000) == []


def test_a_halted_symbol_is_not_mute() -> None:
    scene = Scene()
    scene.dog.heard([QuotePatch(symbol_id=MUTE, is_halted=True)], scene.now)

    assert scene.pass_time(3000) == []


def test_a_silent_stream_of_which_rest_knows_more_is_opened_anew() -> None:
    scene = Scene()

    effects = scene.pass_time(30, busy_speaks=False)
    assert effects[0] == CheckByQuote((BUSY, MUTE))  # the fastest first
    assert scene.dog.checked(BUSY, newer=True, now=scene.now) == [Reroute(BUSY, WatchReason.STREAM_MUTE)]
    assert scene.dog.checked(MUTE, newer=True, now=scene.now) == []  # once is enough
    assert scene.dog.state(MUTE) is Watch.LISTENING
    assert scene.pass_time(8, busy_speaks=False) == []  # the new stream has its time


def test_a_silent_stream_of_which_rest_knows_no_more_is_asked_about_ever_less() -> None:
    scene = Scene()
    checks = []
    for _ in range(3000):
        if scene.pass_time(1, busy_speaks=False):
            checks.append(scene.now)
            for symbol_id in (BUSY, MUTE):
                assert scene.dog.checked(symbol_id, newer=False, now=scene.now) == []

    gaps = [later - earlier for earlier, later in pairwise(checks)]
    assert gaps == sorted(gaps)
    assert 4 <= len(checks) <= 11


def test_a_silent_stream_is_compared_again_when_nobody_answers() -> None:
    scene = Scene()

    checks = scene.pass_time(300, busy_speaks=False)
    assert set(checks) == {CheckByQuote((BUSY, MUTE))}
    assert len(checks) >= 5


def test_a_lost_stream_starts_everybody_over_and_teaches_no_pace() -> None:
    scene = Scene()
    scene.pass_time(80)
    scene.dog.stream_down()
    assert scene.pass_time(500, busy_speaks=False) == []
    scene.dog.stream_up(scene.now)

    assert scene.dog.state(MUTE) is Watch.LISTENING
    assert scene.pass_time(30) == []
    scene.dog.heard([QuotePatch(symbol_id=MUTE)], scene.now)
    assert scene.dog.expected_s(MUTE) == pytest.approx(2.0)


def test_unwatched_symbols_are_forgotten() -> None:
    scene = Scene()
    scene.dog.unwatch(MUTE)
    scene.dog.unwatch(MUTE)
    scene.dog.heard([QuotePatch(symbol_id=MUTE)], scene.now)

    assert (len(scene.dog), scene.dog.state(MUTE), scene.dog.expected_s(MUTE)) == (1, None, None)
    assert scene.pass_time(1000) == []


def test_the_streams_own_limits_follow_market_and_pace() -> None:
    scene = Scene()

    assert scene.dog.silence(OPEN) == SilenceRule(30.0, 300.0)
    assert scene.dog.silence(NIGHT) == SilenceRule(None, None)
    assert scene.dog.silence(HOLIDAY) == SilenceRule(None, None)
    evening = scene.dog.silence(OPEN.replace(hour=17))
    assert evening.mute_after_s is not None
    assert evening.mute_after_s > 120  # two symbols of unknown, slow evening pace


def test_a_stream_of_one_sleepy_symbol_is_given_time() -> None:
    dog = Watchdog()
    dog.watch(7, "TSXV", 0.0)
    assert dog.silence(OPEN) == SilenceRule(600.0, 6000.0)

    dog.stream_up(0.0)
    for minute in range(1, 30):
        dog.step(minute * 300.0, OPEN)
        dog.heard([QuotePatch(symbol_id=7)], minute * 300.0)

    assert dog.silence(OPEN) == SilenceRule(3000.0, 30_000.0)
    assert Watchdog().silence(OPEN) == SilenceRule(None, None)


def test_a_mute_stream_that_cannot_be_checked_is_doubted_and_a_mute_symbol_is_no_doubt_of_its_stream() -> None:
    scene = Scene()
    scene.pass_time(45)
    scene.dog.check_failed(MUTE)
    doubts = [scene.dog.is_doubted]  # no: the stream speaks of others

    asked = [effect for effect in scene.pass_time(20, busy_speaks=False) if isinstance(effect, CheckByQuote)]
    doubts.append(scene.dog.is_doubted)
    for symbol_id in asked[-1].symbol_ids:
        scene.dog.check_failed(symbol_id)
    doubts.append(scene.dog.is_doubted)
    scene.dog.heard([QuotePatch(symbol_id=BUSY)], scene.now)
    doubts.append(scene.dog.is_doubted)
    assert doubts == [False, False, True, False]
