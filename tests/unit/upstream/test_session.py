"""One stream, hosted: what it carries, whom it believes, and what its end means."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from quotewire.market.quote import QuotePatch
from quotewire.questrade.stream import QuoteSocket, StreamClosed
from quotewire.questrade.wire import FailureFrame, Frame, QuotesFrame
from quotewire.testing import virtual
from quotewire.upstream.adoption import Lesson
from quotewire.upstream.chronicle import Chronicle, Why
from quotewire.upstream.desk import Desk
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.rivalry import ROW
from quotewire.upstream.session import MUTE_AGAIN_S, StreamSession
from quotewire.upstream.world import World
from tests.unit.upstream.fakes import FakeDesk, FakeKeeper


class FakeSocket:
    """A socket; what is put into `frames_to_come` is read, None ends it."""

    def __init__(self) -> None:
        self.token = ""
        self.is_closed = False
        self.queue: asyncio.Queue[Frame | int] = asyncio.Queue()

    async def authenticate(self, token: str, *, timeout_s: float = 10.0) -> None:
        self.token = token

    async def listen(self, take: Callable[[Frame], bool]) -> None:
        while True:
            frame = await self.queue.get()
            if isinstance(frame, int):
                raise StreamClosed(frame, "")
            if take(frame):
                return

    async def close(self) -> None:
        self.is_closed = True

    def says(self, *ids: int) -> None:
        self.queue.put_nowait(QuotesFrame([QuotePatch(symbol_id=symbol_id) for symbol_id in ids]))

    def ends(self, code: int = 1006) -> None:
        self.queue.put_nowait(code)


class Bench:
    """A session of alice; it is its own sink."""

    def __init__(self) -> None:
        self.sockets: list[FakeSocket] = []
        self.brought: list[int] = []
        self.turns = 0
        self.failures = 0
        self.keeper = FakeKeeper("alice")
        self.desk = FakeDesk(lambda person, request: 18104)
        self.chronicle = Chronicle()
        loop = asyncio.get_running_loop()
        self.session = StreamSession(
            "alice",
            keeper=cast(Keeper, self.keeper),
            desk=cast(Desk, self.desk),
            chronicle=self.chronicle,
            lesson=Lesson(),
            sink=self,
            world=World(monotonic=loop.time, chance=lambda: 1.0, open_socket=self.open_socket),
        )

    async def open_socket(self, url: str, *, timeout_s: float = 5.0) -> QuoteSocket:
        self.sockets.append(FakeSocket())
        return cast(QuoteSocket, self.sockets[-1])

    def on_patches(self, session: StreamSession, patches: list[QuotePatch]) -> None:
        self.brought += [patch.symbol_id for patch in patches]

    def on_stream(self, session: StreamSession) -> None:
        self.turns += 1

    def on_end(self, session: StreamSession) -> bool:
        return True

    def on_failure(self, session: StreamSession, *, was_dropped: bool) -> None:
        self.failures += 1

    async def up(self) -> FakeSocket:
        """Wait until the stream is up."""
        async with asyncio.timeout(700):
            while not self.session.is_live:
                await asyncio.sleep(0.05)
        return self.sockets[-1]

    def reasons(self) -> list[str]:
        return [entry["reason"] for entry in self.chronicle.last()]


def played(scenario: Callable[[Bench], Any]) -> None:
    async def main() -> None:
        bench = Bench()
        bench.session.assign(frozenset({1, 2}))
        running = asyncio.create_task(bench.session.run())
        socket = await bench.up()
        assert socket.token == "access-alice"
        await scenario(bench)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert bench.sockets[-1].is_closed, "nothing is left open"

    virtual.run(main())


def test_it_carries_what_it_was_assigned_and_ends_with_nothing_to_carry() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.session.carried == {1, 2}
        bench.session.assign(frozenset())
        await asyncio.sleep(0.1)
        assert not bench.session.is_live
        assert bench.session.carried == frozenset()
        assert bench.failures == 0

    played(scenario)


def test_data_of_symbols_that_went_elsewhere_are_not_believed() -> None:
    async def scenario(bench: Bench) -> None:
        bench.sockets[0].says(1, 9)
        await asyncio.sleep(0.1)
        assert bench.brought == [1]

    played(scenario)


def test_a_stream_that_ended_is_opened_again_and_carries_nothing_meanwhile() -> None:
    async def scenario(bench: Bench) -> None:
        bench.sockets[0].ends()
        await asyncio.sleep(0.1)
        assert (bench.session.carried, bench.failures) == (frozenset(), 1)
        await bench.up()
        assert bench.session.carried == {1, 2}
        assert bench.reasons() == ["connection_lost", "connection_lost", "authenticated"]

    played(scenario)


def test_news_that_questrade_answers_ends_the_wait_but_not_when_another_program_takes_the_stream() -> None:
    async def scenario(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ROW):
            socket = await bench.up()
            socket.says(1)
            await asyncio.sleep(6)
            socket.ends()
            await asyncio.sleep(0.1)
            ended = loop.time()
            bench.session.reachable()
        assert "evicted" in bench.reasons()
        assert bench.session.rivalry.held_until > ended + 20
        await asyncio.sleep(25)
        bench.session.reachable()
        assert not bench.session.is_live
        await bench.up()
        assert loop.time() >= bench.session.rivalry.held_until

    played(scenario)


def test_an_end_while_the_login_is_refreshed_is_ours_and_the_stream_is_back_with_the_new_token() -> None:
    async def scenario(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        bench.keeper.refreshing.add("alice")
        refreshed = asyncio.Event()
        bench.keeper.settled = lambda person: refreshed.wait()  # type: ignore[method-assign, assignment, return-value]
        bench.sockets[0].ends()
        await asyncio.sleep(2)
        assert bench.session.is_renewing(loop.time())
        assert bench.failures == 1, "the fleet decides that it is nobody's"

        bench.keeper.tokens["alice"] = "access-2"
        bench.keeper.refreshing.clear()
        refreshed.set()
        at = loop.time()
        socket = await bench.up()
        assert (socket.token, loop.time() - at < 0.5) == ("access-2", True)
        assert bench.reasons()[0] == "token_rotated"
        assert not bench.session.is_renewing(loop.time())

    played(scenario)


def test_a_token_refused_in_mid_stream_is_renewed() -> None:
    async def scenario(bench: Bench) -> None:
        bench.sockets[0].queue.put_nowait(FailureFrame(1017, "Access token is invalid"))
        await asyncio.sleep(0.1)
        socket = await bench.up()
        assert bench.keeper.renewed == [("alice", "access-alice")]
        assert socket.token == "access-alice-renewed"

    played(scenario)


def test_a_new_token_moves_a_live_stream_without_a_gap() -> None:
    async def scenario(bench: Bench) -> None:
        bench.keeper.tokens["alice"] = "access-2"
        bench.session.token_changed()
        await asyncio.sleep(1)
        assert [socket.token for socket in bench.sockets] == ["access-alice", "access-2"]
        assert bench.sockets[0].is_closed
        assert bench.session.carried == {1, 2}
        assert bench.failures == 0
        assert bench.reasons()[0] == "token_rotated"

    played(scenario)


def test_a_stream_that_is_mute_again_right_after_it_was_opened_anew_has_failed() -> None:
    async def scenario(bench: Bench) -> None:
        bench.session.reopen(Why.STREAM_MUTE)
        await asyncio.sleep(10)
        assert (len(bench.sockets), bench.session.is_live, bench.failures) == (2, True, 0)

        bench.session.reopen(Why.STREAM_MUTE)
        await asyncio.sleep(0.1)
        assert (bench.session.is_live, bench.session.carried, bench.failures) == (False, frozenset(), 1)
        assert bench.reasons()[0] == "stream_mute"
        assert bench.sockets[1].is_closed
        await bench.up()

        await asyncio.sleep(MUTE_AGAIN_S)
        bench.session.reopen(Why.STREAM_MUTE)
        await asyncio.sleep(1)
        assert bench.session.is_live, "an old story"

    played(scenario)


def test_a_defect_ends_the_attempt_and_not_the_gateway() -> None:
    async def scenario(bench: Bench) -> None:
        def broken(session: StreamSession, patches: list[QuotePatch]) -> None:
            bench.on_patches = lambda session, patches: None  # type: ignore[method-assign]
            raise ZeroDivisionError

        bench.on_patches = broken  # type: ignore[method-assign]
        bench.sockets[0].says(1)
        await asyncio.sleep(0.1)
        assert not bench.session.is_live
        await bench.up()

    played(scenario)


def test_what_a_request_under_way_leaves_out_is_believed_and_not_trusted_until_its_data_come() -> None:
    async def scenario(bench: Bench) -> None:
        async def slow(person: str, request: Any) -> int:
            await asyncio.sleep(5)
            return 18104

        loop, both = asyncio.get_running_loop(), frozenset({1, 2})
        bench.desk.answer = slow
        await asyncio.sleep(1)
        bench.session.assign(frozenset({1}))
        await asyncio.sleep(0.5)
        assert bench.session.trusted(loop.time()) == both
        assert bench.session.carried_for(0.4, loop.time()) == {1}, "nobody else may let go of it"

        await asyncio.sleep(1)
        assert (bench.session.carried, bench.session.trusted(loop.time())) == (both, frozenset({1}))
        bench.sockets[0].says(2)
        await asyncio.sleep(0.1)
        assert bench.brought == [2]
        assert bench.session.trusted(loop.time()) == both
        await asyncio.sleep(1)
        assert bench.session.trusted(loop.time()) == {1}

        await asyncio.sleep(4)
        assert bench.session.carried == {1}

    played(scenario)


def test_what_a_request_left_out_is_asked_for_as_if_it_were_new() -> None:
    async def scenario(bench: Bench) -> None:
        async def slow(person: str, request: Any) -> int:
            await asyncio.sleep(5)
            return 18104

        loop = asyncio.get_running_loop()
        bench.desk.answer = slow
        await asyncio.sleep(5)
        bench.session.assign(frozenset({1}))
        await asyncio.sleep(1)  # a request without it is under way
        bench.session.assign(frozenset({1, 2}))
        await asyncio.sleep(3)
        assert not bench.session.added_at, "it may never have been away"

        await asyncio.sleep(3)
        assert bench.session.added_at.keys() == {2}
        assert bench.session.added_at[2] > loop.time() - 3.0

    played(scenario)
