"""From names and ids to symbols: the directory first, then Questrade, in batches, nothing asked for twice at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quotewire.errors import UpstreamError, UpstreamRefusedError, UpstreamUnavailableError
from quotewire.market.symbol import Symbol
from quotewire.questrade import requests
from quotewire.questrade.records import SymbolRecord
from quotewire.questrade.wire import Rows
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.directory import Directory
from quotewire.wire.codes import ErrorCode

GATHER_S: Final = 0.01  # what arrives within this goes out as one request
RESOLVE_S: Final = 8.0
LONGEST_NAME: Final = 64
LARGEST_ID: Final = 2**31 - 1

Asked = str | int


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of one name or id. Either `symbol`, or `code` and `reason`."""

    asked: Asked
    symbol: Symbol | None = None
    code: ErrorCode | None = None
    reason: str = ""
    retryable: bool = False


class Resolver:
    """Looks symbols up. `close` when done."""

    def __init__(self, desk: Desk, directory: Directory) -> None:
        self._desk = desk
        self._directory = directory
        self._waiting: dict[Asked, asyncio.Future[Symbol | None]] = {}
        self._queue: list[Asked] = []
        self._batches: set[asyncio.Task[None]] = set()

    async def resolve(self, names: Sequence[str], ids: Sequence[int]) -> list[Resolution]:
        """One resolution for each name, then for each id, in the order given, within some 8 s."""
        asked: list[Asked] = [*(name.strip().upper() for name in names), *ids]
        wanted = {item: self._future(item) for item in asked if self._must_ask(item)}
        errors: dict[Asked, str] = {}
        if wanted:
            await asyncio.wait(wanted.values(), timeout=RESOLVE_S)
        for item, future in wanted.items():
            if not future.done() or future.cancelled():
                errors[item] = "Questrade did not answer in time"
            elif (error := future.exception()) is not None:
                errors[item] = str(error)
        given: list[Asked] = [*names, *ids]
        return [self._resolution(shown, item, errors.get(item)) for shown, item in zip(given, asked, strict=True)]

    async def close(self) -> None:
        """Give up what is being asked."""
        for batch in self._batches:
            batch.cancel()
        await asyncio.gather(*self._batches, return_exceptions=True)

    def _must_ask(self, item: Asked) -> bool:
        return _is_askable(item) and not self._directory.is_unknown(item) and self._directory.find(item) is None

    def _future(self, item: Asked) -> asyncio.Future[Symbol | None]:
        """The answer to come for `item`: the one already under way, or a new one."""
        future = self._waiting.get(item)
        if future is None:
            future = self._waiting[item] = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())  # may go unread
            self._queue.append(item)
            if len(self._queue) == 1:
                batch = asyncio.create_task(self._ask(), name="resolve symbols")
                self._batches.add(batch)
                batch.add_done_callback(self._batches.discard)
        return future

    async def _ask(self) -> None:
        await asyncio.sleep(GATHER_S)
        queue, self._queue = self._queue, []
        batch = {item: self._waiting[item] for item in queue}
        names = [item for item in queue if isinstance(item, str)]
        ids = [item for item in queue if isinstance(item, int)]
        try:
            async with asyncio.TaskGroup() as group:
                for kind in (names, ids):
                    for at in range(0, len(kind), requests.MAX_IDS):
                        group.create_task(self._ask_some(kind[at : at + requests.MAX_IDS]))
        finally:
            for item, future in batch.items():
                if self._waiting.get(item) is future:
                    del self._waiting[item]
                future.cancel()

    async def _ask_some(self, items: Sequence[Asked]) -> None:
        """One request. When Questrade refuses it as a whole, its halves are asked, down to the symbol at fault."""
        try:
            records = await self._request(items)
        except UpstreamRefusedError as error:
            if len(items) > 1:
                half = len(items) // 2
                await self._ask_some(items[:half])
                await self._ask_some(items[half:])
            elif error.status in (400, 404):
                self._answer(items, Rows())
            else:
                self._fail(items, error)
        except UpstreamError as error:
            self._fail(items, error)
        else:
            self._answer(items, records)

    async def _request(self, items: Sequence[Asked]) -> Rows[SymbolRecord]:
        names = [item for item in items if isinstance(item, str)]
        ids = [item for item in items if isinstance(item, int)]
        request = requests.symbols_by_name(names) if names else requests.symbols_by_id(ids)
        _, records = await self._desk.call(request, priority=Priority.LOOKUP, deadline_s=RESOLVE_S)
        return records

    def _answer(self, items: Sequence[Asked], records: Rows[SymbolRecord]) -> None:
        """What the answer does not have is unknown, unless it is among the rows that could not be read."""
        symbols = [record.to_symbol() for record in records]
        self._directory.learn(symbols)
        for item in items:
            symbol = self._directory.find(item)
            if symbol is None and (item in records.lost or (records.lost and not isinstance(item, int))):
                self._fail([item], UpstreamUnavailableError(f"what Questrade answered about {item} cannot be read"))
                continue
            if symbol is None:
                self._directory.learn_unknown(item)
            future = self._waiting.pop(item)  # whoever asks from now on asks anew
            if not future.done():
                future.set_result(symbol)

    def _fail(self, items: Sequence[Asked], error: UpstreamError) -> None:
        for item in items:
            future = self._waiting.pop(item)  # whoever asks from now on asks anew
            if not future.done():
                future.set_exception(UpstreamUnavailableError(str(error)))

    def _resolution(self, shown: Asked, item: Asked, error: str | None) -> Resolution:
        symbol = self._directory.find(item, stale=True) if _is_askable(item) else None
        if symbol is not None and symbol.is_quotable:
            return Resolution(shown, symbol)
        if symbol is not None:
            reason = f"Questrade gives no quotes for {symbol.symbol}"
            return Resolution(shown, code=ErrorCode.NOT_QUOTABLE, reason=reason)
        if error is None:
            return Resolution(shown, code=ErrorCode.UNKNOWN_SYMBOL, reason=f"Questrade knows no symbol {shown}")
        reason = f"{shown} could not be looked up now: {error}"
        return Resolution(shown, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason=reason, retryable=True)


def _is_askable(item: Asked) -> bool:
    if isinstance(item, int):
        return 0 < item <= LARGEST_ID
    return 0 < len(item) <= LONGEST_NAME and item.isprintable() and "," not in item
