"""What is done about silence: one REST quote proves it, and only what is mute is repaired."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.calendar import TORONTO
from quotewire.market.freshness import Road
from quotewire.market.quote import Freshness, QuotePatch
from quotewire.questrade.requests import ApiRequest
from quotewire.questrade.wire import QuotesFrame
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle_events import SilenceRule
from quotewire.testing import virtual
from quotewire.upstream.chronicle import Chronicle, Why
from quotewire.upstream.desk import Desk
from quotewire.upstream.fleet import Fleet
from quotewire.upstream.patrol import Patrol
from quotewire.upstream.session import StreamSession
from quotewire.upstream.tape import TRUSTED, Moment, Tape
from tests.unit.upstream.fakes import FakeDesk

OPEN = datetime(2026, 3, 3, 11, 0, tzinfo=TORONTO)


def patch(symbol_id: int, bid: float) -> QuotePatch:
    return QuotePatch(symbol_id=symbol_id, symbol=f"S{symbol_id}", bid_price=bid)


class Bench:
    """A patrol of one stream that carries 1 to 3; it is that stream, too. `truth` is what REST knows."""

    def __init__(self, start: datetime = OPEN) -> None:
        self.now = 0.0
        self.slept_s = 0.0
        self.start = start
        self.person = "alice"
        self.carried = frozenset({1, 2, 3})
        self.is_live = True
        self.told: list[str] = []
        self.rules: list[SilenceRule] = []
        self.jumps: list[on.ClockJumped] = []
        self.truth = dict.fromkeys(self.carried, 1.0)
        self.rest_works = True
        self.chronicle = Chronicle()
        self.tape = Tape(1, lambda symbol_id: "NASDAQ")
        self.desk = FakeDesk(self.answer)
        self.sessions = {"alice": self}
        self.patrol = Patrol(
            cast(Fleet, self),
            self.tape,
            cast(Desk, self.desk),
            chronicle=self.chronicle,
            exchange_of=lambda symbol_id: "NASDAQ",
            emit=lambda quotes: None,
            on_patches=lambda patches: None,
            now=self.moment,
        )
        self.patrol.follow(cast(StreamSession, self), 0.0)
        self.speak(*self.carried)

    def answer(self, person: str, request: ApiRequest[Any]) -> QuotesFrame:
        if not self.rest_works:
            raise UpstreamUnavailableError("502")
        return QuotesFrame([patch(int(each), self.truth[int(each)]) for each in request.params["ids"].split(",")])

    def moment(self) -> Moment:
        wall_s = self.now + self.slept_s
        return Moment(self.now, int(wall_s * 1000), (self.start + timedelta(seconds=wall_s)).timestamp())

    def speak(self, *ids: int) -> None:
        patches = [patch(symbol_id, self.truth[symbol_id]) for symbol_id in ids]
        self.patrol.heard(cast(StreamSession, self), patches, self.now)
        self.tape.streamed("alice", patches, self.moment())

    def tell(self, rule: SilenceRule | on.ClockJumped) -> None:
        if isinstance(rule, on.ClockJumped):
            self.jumps.append(rule)
        else:
            self.rules.append(rule)

    def ask_again(self) -> None:
        self.told.append("ask again")

    def reopen(self, why: Why) -> None:
        self.told.append(f"reopen {why}")

    def passes(self, seconds: int, *speaking: int, moving: tuple[int, ...] = ()) -> None:
        """Time goes on; these symbols move, and those of them that speak are heard of each second."""

        async def rounds() -> None:
            for _ in range(seconds):
                self.now += 1.0
                for symbol_id in moving:
                    self.truth[symbol_id] += 0.01
                if speaking:
                    self.speak(*speaking)
                async with asyncio.TaskGroup() as group:
                    await self.patrol.round(group)

        virtual.run(rounds())

    def reasons(self) -> set[str]:
        return {entry["reason"] for entry in self.chronicle.last()}


def test_a_symbol_that_is_mute_while_rest_has_more_is_repaired_alone() -> None:
    bench = Bench()
    bench.passes(30, 1, 2, 3, moving=(1, 2, 3))
    bench.passes(90, 1, 2, moving=(1, 2, 3))

    assert bench.told[0] == "ask again"
    assert bench.patrol.repairing == {3}
    assert [bench.tape.road(symbol_id) for symbol_id in (1, 2, 3)] == [Road.UP, Road.UP, Road.RECOVERING]
    assert "symbol_mute" in bench.reasons()

    bench.speak(3)
    assert bench.patrol.repairing == set()
    assert bench.tape.road(3) is Road.UP


def test_a_symbol_with_nothing_to_say_is_left_in_peace() -> None:
    bench = Bench()
    bench.passes(30, 1, 2, 3, moving=(1, 2, 3))
    bench.passes(120, 1, 2, moving=(1, 2))

    assert bench.told == []
    assert len(bench.desk.calls) >= 1


def labels(bench: Bench) -> set[Freshness]:
    bench.tape.judge(bench.tape.symbols(), bench.moment())
    return {quote.freshness for each in bench.carried if (quote := bench.tape.book.get(each))}


def test_a_stream_whose_silence_nobody_can_explain_is_not_trusted_until_it_speaks_or_rest_answers() -> None:
    bench = Bench()

    bench.passes(30, 1, 2, 3)
    bench.rest_works = False
    bench.passes(20)
    assert labels(bench) == {Freshness.RECOVERING}, "the network may be gone"
    assert bench.told == [], "and a stream that may work is kept"

    bench.passes(1, 1)
    assert labels(bench) <= TRUSTED, "it spoke: all of it works"

    bench.passes(20)
    assert labels(bench) == {Freshness.RECOVERING}
    bench.rest_works = True
    bench.passes(15)
    assert labels(bench) <= TRUSTED, "REST has nothing newer"


def test_after_a_sleep_no_stream_is_believed_until_it_was_opened_anew() -> None:
    bench = Bench()
    bench.passes(30, 1, 2, 3)
    bench.slept_s = 3.0
    bench.passes(1, 1, 2, 3)
    assert (bench.told, labels(bench) <= TRUSTED) == ([], True), "a clock that was corrected"

    bench.slept_s += 3600.0
    bench.passes(1)
    assert bench.told == ["reopen woke"]
    assert labels(bench) == {Freshness.RECOVERING}
    bench.passes(1, 1, 2, 3)
    assert labels(bench) <= TRUSTED

    bench.is_live = False
    bench.slept_s += 60.0
    bench.passes(1)
    assert bench.jumps == [on.ClockJumped(60.0)], "a wait is not waited out"


def test_a_doubted_stream_that_ends_is_doubted_no_more() -> None:
    bench = Bench()
    bench.passes(30, 1, 2, 3)
    bench.rest_works = False
    bench.passes(20)
    bench.is_live = False
    bench.patrol.follow(cast(StreamSession, bench), bench.now)
    bench.is_live = True
    bench.patrol.follow(cast(StreamSession, bench), bench.now)
    bench.passes(5)
    assert labels(bench) <= TRUSTED


def test_a_stream_that_is_mute_altogether_is_opened_anew() -> None:
    bench = Bench()
    bench.passes(30, 1, 2, 3, moving=(1, 2, 3))
    bench.passes(40, moving=(1, 2, 3))

    assert bench.told[0] == f"reopen {Why.STREAM_MUTE}"
    assert bench.patrol.repairing == bench.carried


def test_nothing_is_concluded_while_rest_fails() -> None:
    bench = Bench()
    bench.rest_works = False
    bench.passes(30, 1, 2, 3, moving=(1, 2, 3))
    bench.passes(120, moving=(1, 2, 3))

    assert bench.told == []


def test_silence_is_normal_in_a_closed_market() -> None:
    bench = Bench(OPEN.replace(hour=22))
    bench.passes(600)

    assert bench.told == []
    assert bench.desk.calls == []
    assert bench.rules[-1].mute_after_s is None


def test_what_is_not_carried_any_more_needs_no_repair() -> None:
    bench = Bench()
    bench.patrol.repairing.add(3)
    bench.carried = frozenset({1, 2})
    bench.passes(10, 1, 2)

    assert bench.patrol.repairing == set()


def test_a_symbol_that_is_mute_on_one_of_two_streams_is_repaired_there_and_live_meanwhile() -> None:
    bench = Bench()
    twin = SimpleNamespace(person="bob", carried=bench.carried, is_live=True, tell=lambda event: None)
    bench.sessions["bob"] = cast(Bench, twin)
    bench.patrol.follow(cast(StreamSession, twin), 0.0)

    def also(*ids: int) -> None:
        patches = [patch(symbol_id, bench.truth[symbol_id]) for symbol_id in ids]
        bench.patrol.heard(cast(StreamSession, twin), patches, bench.now)
        bench.tape.streamed("bob", patches, bench.moment())

    for alices in ((1, 2, 3), (1, 2)):
        for _ in range(100):
            bench.truth = {symbol_id: bid + 0.01 for symbol_id, bid in bench.truth.items()}
            also(1, 2, 3)
            bench.speak(*alices)
            bench.passes(1)

    assert "symbol_mute" in bench.reasons()
    assert "ask again" in bench.told
    assert bench.patrol.repairing == set()
    assert bench.tape.road(3) is Road.UP
    quote = bench.tape.book.get(3)
    assert quote is not None
    assert quote.freshness is Freshness.LIVE
