"""A WebSocket where this process is one of several: it waits while the whole gateway is asked for its share.

What a client sends meanwhile waits, too, in order and mostly unread, so that to the client it is a gateway of one
process.
"""

from collections.abc import Coroutine, Sequence
from typing import Any

from quotewire.edge.gate import Admitted, Gate
from quotewire.edge.shares import SharedSeat
from quotewire.edge.websocket import Connection
from quotewire.wire.commands import Authenticate, Resolution
from quotewire.wire.frames import BinaryMessage, FrameEvent, PingFrame, TextMessage


class SharedConnection(Connection):
    """One client's socket."""

    __slots__ = ("_asking", "_held", "_unread")

    seat: SharedSeat

    def __init__(
        self, gate: Gate, admitted: Admitted, *, address: str, connection_id: str, client_version: str = ""
    ) -> None:
        super().__init__(gate, admitted, address=address, connection_id=connection_id, client_version=client_version)
        self._asking = 0  # so many answers are waited for
        self._held: list[FrameEvent] = []  # what came after that which is asked for
        self._unread = b""

    # --- what waits ---

    def _serve(self, events: Sequence[FrameEvent], data: bytes, *, waiting: bool = True) -> None:
        super()._serve(events, data, waiting=waiting)
        if self._asking:
            self._pause()

    def _later(self, events: Sequence[FrameEvent], data: bytes) -> None:
        if self._asking:
            self._held += events
            self._unread += data
        else:
            super()._later(events, data)

    def _frame(self, event: FrameEvent, now: float) -> None:
        if self._asking:
            self._held.append(event)
        elif isinstance(event, TextMessage | BinaryMessage | PingFrame) and not self.seat.can_send(now):
            self._asking += 1
            self._held.append(event)
            self.seat.draw(self._go_on)
        else:
            super()._frame(event, now)

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """An answer is here. With the last one, what waits is served."""
        self._asking -= 1
        if self._asking == 0:
            held, unread = self._held, self._unread
            self._held, self._unread = [], b""
            self._serve(held, unread)

    # --- what is asked for ---

    def _identify(self, request: Authenticate, key: str, now: float) -> None:
        self._ask(self._join_key(request, key, now))

    async def _join_key(self, request: Authenticate, key: str, now: float) -> None:
        try:
            exceeded = await self.seat.join(key, now)
            self._task = None
            self._identified(request, exceeded, self._loop.time())
        except Exception as error:  # noqa: BLE001  the edge of this task; `failed` reports it
            self.failed("identify", error)
        finally:
            self._go_on()

    def _found(self, resolutions: Sequence[Resolution], now: float) -> None:
        symbols = self._session.needs(resolutions)
        if symbols > self.seat.reserved:
            self._ask(self._reserve(symbols, resolutions))
        else:
            super()._found(resolutions, now)

    async def _reserve(self, symbols: int, resolutions: Sequence[Resolution]) -> None:
        try:
            await self.seat.reserve(symbols)
            self._task = None  # the next command in line may start one of its own
            super()._found(resolutions, self._loop.time())
        except Exception as error:  # noqa: BLE001  the edge of this task; `failed` reports it
            self.failed("reserve", error)
        finally:
            self._go_on()

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        self._asking += 1
        self._pause()
        self._task = self._gate.spawn(work)
