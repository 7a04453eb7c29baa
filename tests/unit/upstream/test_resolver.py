"""From names and ids to symbols: one request for many, none for what is known, and blame where it belongs."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from quotewire.errors import UpstreamRefusedError, UpstreamUnavailableError
from quotewire.market.symbol import Symbol
from quotewire.questrade.requests import ApiRequest
from quotewire.questrade.wire import Rows
from quotewire.testing import virtual
from quotewire.upstream.desk import Desk
from quotewire.upstream.directory import Directory
from quotewire.upstream.resolver import RESOLVE_S, Resolver
from quotewire.wire.codes import ErrorCode
from tests.unit.upstream.fakes import FakeDesk


class Row:
    """A row of Questrade's answer."""

    def __init__(self, symbol_id: int, *, is_quotable: bool = True) -> None:
        self.symbol = Symbol(symbol=f"S{symbol_id}", symbol_id=symbol_id, is_quotable=is_quotable)

    def to_symbol(self) -> Symbol:
        return self.symbol


def questrade(person: str, request: ApiRequest[Any]) -> Rows[Any]:
    """Knows S1 to S99; S13 has no quotes; a list with an odd character in it is refused as a whole."""
    items = request.params.get("names", request.params.get("ids", "")).split(",")
    if any("?" in item for item in items):
        raise UpstreamRefusedError("invalid argument", status=400, upstream_code=1002)
    numbers = [int(item.removeprefix("S")) for item in items if item.removeprefix("S").isdigit()]
    return Rows(Row(number, is_quotable=number != 13) for number in numbers if number < 100)


def played(tmp_path: Path, scenario: Callable[[Resolver, FakeDesk], Any], answer: Any = questrade) -> None:
    async def main() -> None:
        desk = FakeDesk(answer)
        with contextlib.closing(Directory.open(tmp_path)) as directory:
            resolver = Resolver(cast(Desk, desk), directory)
            await scenario(resolver, desk)
            await resolver.close()

    virtual.run(main())


def test_answers_come_in_the_order_asked_and_are_remembered(tmp_path: Path) -> None:
    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        found = await resolver.resolve(["s2", "NOPE", "S13"], [7, 777])
        assert [each.asked for each in found] == ["s2", "NOPE", "S13", 7, 777]
        assert [each.symbol.symbol if each.symbol else each.code for each in found] == [
            "S2",
            ErrorCode.UNKNOWN_SYMBOL,
            ErrorCode.NOT_QUOTABLE,
            "S7",
            ErrorCode.UNKNOWN_SYMBOL,
        ]
        calls = len(desk.calls)
        await resolver.resolve(["S2", "nope"], [7, 777])
        assert len(desk.calls) == calls == 2

    played(tmp_path, scenario)


def test_a_row_that_cannot_be_read_is_trouble_and_not_an_unknown_symbol(tmp_path: Path) -> None:
    def answer(person: str, request: ApiRequest[Any]) -> Rows[Any]:
        return Rows([Row(7)], lost=[8])

    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        found = await resolver.resolve([], [7, 8, 9])
        assert [each.code for each in found] == [None, ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UNKNOWN_SYMBOL]
        assert found[1].retryable

    played(tmp_path, scenario, answer)


def test_what_many_ask_at_once_is_asked_for_once(tmp_path: Path) -> None:
    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        await asyncio.gather(*(resolver.resolve([f"S{each % 3}", "S5"], []) for each in range(1, 30)))
        (call,) = desk.calls
        assert sorted(call[1]["names"].split(",")) == ["S0", "S1", "S2", "S5"]

    played(tmp_path, scenario)


def test_one_bad_name_spoils_no_other(tmp_path: Path) -> None:
    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        found = await resolver.resolve(["S1", "S2", "BAD?", "S3"], [])
        assert [each.symbol is not None for each in found] == [True, True, False, True]
        assert found[2].code is ErrorCode.UNKNOWN_SYMBOL

    played(tmp_path, scenario)


def test_what_cannot_be_asked_is_unknown_without_a_call(tmp_path: Path) -> None:
    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        found = await resolver.resolve(["", "A,B", "X" * 65, "\x00"], [0, -1, 2**31])
        assert {each.code for each in found} == {ErrorCode.UNKNOWN_SYMBOL}
        assert desk.calls == []

    played(tmp_path, scenario)


def test_trouble_is_told_as_such_and_may_be_tried_again(tmp_path: Path) -> None:
    def down(person: str, request: ApiRequest[Any]) -> list[Row]:
        raise UpstreamUnavailableError("502")

    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        (found,) = await resolver.resolve(["S1"], [])
        assert (found.code, found.retryable) == (ErrorCode.UPSTREAM_UNAVAILABLE, True)
        desk.answer = questrade
        (found,) = await resolver.resolve(["S1"], [])
        assert found.symbol is not None

    played(tmp_path, scenario, down)


def test_nobody_waits_longer_than_promised(tmp_path: Path) -> None:
    async def never(person: str, request: ApiRequest[Any]) -> list[Row]:
        await asyncio.sleep(3600)
        return []

    async def scenario(resolver: Resolver, desk: FakeDesk) -> None:
        began = asyncio.get_running_loop().time()
        (found,) = await resolver.resolve(["S1"], [])
        assert asyncio.get_running_loop().time() - began <= RESOLVE_S + 0.1
        assert found.retryable

    played(tmp_path, scenario, never)
