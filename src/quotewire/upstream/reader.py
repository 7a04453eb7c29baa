"""Reads a stream's socket to its end: quotes go on, what is spoiled is counted, the end becomes an event."""

from collections.abc import Callable
from functools import partial

from quotewire.market.quote import QuotePatch
from quotewire.questrade.refusals import INVALID_TOKEN
from quotewire.questrade.stream import QuoteSocket, StreamClosed
from quotewire.questrade.wire import FailureFrame, Frame, QuotesFrame, UnreadableFrame
from quotewire.resilience import lifecycle_events as on


class Reader:
    """One stream's. `number` is the machine's number of the socket that is read."""

    def __init__(self, on_quotes: Callable[[int, list[QuotePatch]], None], on_end: Callable[[on.Event], None]) -> None:
        self.frames = 0
        self.spoiled = 0
        self._on_quotes = on_quotes
        self._on_end = on_end

    async def read(self, number: int, socket: QuoteSocket) -> None:
        """Read until the socket ends, or says that the token is not good any more."""
        try:
            await socket.listen(partial(self._take, number))
        except StreamClosed as error:
            self._on_end(on.Closed(number, error.code))

    def _take(self, number: int, frame: Frame) -> bool:
        """Take one frame; whether it was the last one that matters."""
        self.frames += 1
        match frame:
            case QuotesFrame(patches=patches, spoiled=spoiled):
                self.spoiled += spoiled
                if patches:
                    self._on_quotes(number, patches)
            case FailureFrame(code=code) if code == INVALID_TOKEN:
                self._on_end(on.AuthFailed(number))
                return True
            case FailureFrame() | UnreadableFrame():
                self.spoiled += 1
            case _:
                pass
        return False
