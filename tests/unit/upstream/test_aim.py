"""Where the next socket goes: the whole list each time, one request at a time."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from quotewire.errors import AccessTokenError, UpstreamRefusedError, UpstreamUnavailableError
from quotewire.questrade.requests import ApiRequest
from quotewire.resilience.budget import Priority
from quotewire.testing import virtual
from quotewire.upstream.aim import Aim
from quotewire.upstream.desk import Desk
from quotewire.upstream.keeper import Keeper
from tests.unit.upstream.fakes import FakeDesk, FakeKeeper


def played(scenario: Callable[[Aim, FakeDesk, FakeKeeper], Any], answer: Any = lambda person, request: 18104) -> None:
    async def main() -> None:
        keeper, desk = FakeKeeper("alice"), FakeDesk(answer)
        now = asyncio.get_running_loop().time
        aim = Aim("alice", cast(Keeper, keeper), cast(Desk, desk), now)
        await scenario(aim, desk, keeper)
        await aim.close()

    virtual.run(main())


def test_the_target_is_the_hosts_stream_port_with_the_token_of_the_call() -> None:
    async def scenario(aim: Aim, desk: FakeDesk, keeper: FakeKeeper) -> None:
        target = await aim.take(lambda: frozenset({3, 1, 2}))
        assert (target.url, target.token) == ("wss://api01.iq.questrade.com:18104/", "access-alice")
        assert desk.calls == [("alice", {"ids": "1,2,3", "stream": "true", "mode": "WebSocket"}, Priority.STREAM)]
        assert "access-alice" not in repr(target)

    played(scenario)


def test_two_requests_are_never_under_way_and_the_second_asks_for_what_is_wanted_then() -> None:
    under_way, most = [0], [0]

    async def slow(person: str, request: ApiRequest[Any]) -> int:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await asyncio.sleep(1)
        under_way[0] -= 1
        return 18104

    async def scenario(aim: Aim, desk: FakeDesk, keeper: FakeKeeper) -> None:
        wanted = [frozenset({1})]
        first = asyncio.create_task(aim.take(lambda: wanted[0]))
        await asyncio.sleep(0.1)
        first.cancel()  # whoever asked has given up; the request goes on all the same
        second = asyncio.create_task(aim.take(lambda: wanted[0]))
        await asyncio.sleep(0.1)
        wanted[0] = frozenset({1, 2})
        assert (await second).ids == {1, 2}
        assert most == [1]
        await asyncio.gather(first, return_exceptions=True)

    played(scenario, slow)


@pytest.mark.parametrize(("status", "code"), [(414, 0), (400, 1003), (400, 1024)])
def test_a_list_that_was_too_long_is_halved(status: int, code: int) -> None:
    def refuse(person: str, request: ApiRequest[Any]) -> int:
        raise UpstreamRefusedError("too long", status=status, upstream_code=code)

    async def scenario(aim: Aim, desk: FakeDesk, keeper: FakeKeeper) -> None:
        with pytest.raises(UpstreamRefusedError):
            await aim.take(lambda: frozenset(range(1, 101)))
        assert aim.most == 50

    played(scenario, refuse)


def test_without_symbols_or_a_token_nothing_is_asked() -> None:
    async def scenario(aim: Aim, desk: FakeDesk, keeper: FakeKeeper) -> None:
        with pytest.raises(UpstreamUnavailableError, match="nothing to carry"):
            await aim.take(frozenset)
        keeper.tokens["alice"] = None
        with pytest.raises(AccessTokenError, match="alice is out of order"):
            await aim.take(lambda: frozenset({1}))
        assert desk.calls == []

    played(scenario)
