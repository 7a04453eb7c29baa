"""After a gap: what was missed of symbols whose stream is back but has not spoken of them yet.

A quote is the whole of what can be missed at this level: one REST quote holds the last trade, the day's high, low and
volume as of now. It is asked for once a gap and symbol, a hundred at a time, at the lowest priority, and only when the
stream's own first frame has not brought the symbol within a moment. The same goes for symbols of which nothing has come
yet: a stream need not show at once what it was asked for. `Tape.polled` labels the answer and sees to the order.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from quotewire.errors import UpstreamError
from quotewire.market.quote import QuotePatch
from quotewire.questrade import requests
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.tape import Gap

AFTER_S: Final = 1.5  # what the stream gets to speak first
AGAIN_S: Final = 10.0  # after a call that failed


class Backfill:
    """Asks for what was missed. `filled` counts symbols."""

    def __init__(
        self,
        desk: Desk,
        chronicle: Chronicle,
        on_patches: Callable[[list[QuotePatch]], None],
        now: Callable[[], float],
    ) -> None:
        self.filled = 0
        self._desk = desk
        self._chronicle = chronicle
        self._on_patches = on_patches
        self._now = now
        self._asked: dict[int, float] = {}  # when the road came back whose gap was asked about
        self._not_before = 0.0

    def take_due(self, gaps: dict[int, Gap]) -> list[int]:
        """At most one request's worth of symbols to ask about; they count as asked from here on.

        `gaps` are all symbols whose stream is back and has not spoken of them.
        """
        now = self._now()
        self._asked = {symbol_id: at for symbol_id, at in self._asked.items() if symbol_id in gaps}
        if now < self._not_before:
            return []
        due = [
            symbol_id
            for symbol_id, gap in gaps.items()
            if now - gap.until >= AFTER_S and self._asked.get(symbol_id) != gap.until
        ][: requests.MAX_IDS]
        self._asked.update((symbol_id, gaps[symbol_id].until) for symbol_id in due)
        return due

    def round(self, gaps: dict[int, Gap], group: asyncio.TaskGroup) -> None:
        """Ask about what is due."""
        due = self.take_due(gaps)
        if due:
            longest_s = max(gaps[symbol_id].until - gaps[symbol_id].since for symbol_id in due)
            why = f"had no stream for up to {longest_s:.1f} s" if longest_s else "have no quote yet"
            detail = f"{len(due)} symbols {why}; asked for over REST"
            self._chronicle.note(Happening.BACKFILL, Why.GAP, detail=detail)
            group.create_task(self._ask(due), name="backfill")

    async def _ask(self, ids: list[int]) -> None:
        try:
            _, frame = await self._desk.call(requests.quotes(ids), priority=Priority.POLL)
        except UpstreamError:
            self._not_before = self._now() + AGAIN_S
            for symbol_id in ids:
                self._asked.pop(symbol_id, None)
            return
        self.filled += len(frame.patches)
        self._on_patches(frame.patches)
