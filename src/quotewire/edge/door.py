"""The first protocol of every socket. A request for a WebSocket that comes whole and plain is answered here.

When everybody comes back at once, most of an upgrade was making what serves HTTP and throwing it away. Whatever is not
plain goes to `HttpProtocol` as it came: what is refused, and how, is decided there and by the gate, in one place.
"""

import asyncio
import re
from typing import Any, cast

from quotewire.edge.addresses import client_address
from quotewire.edge.gate import Gate
from quotewire.edge.http import HttpProtocol, become_websocket, bound_to
from quotewire.wire.handshake import Opening, Refusal

MAX_PLAIN_BYTES = 4096
"""Longer heads are not read here."""

_HEAD = re.compile(
    r"GET (/ws|/)(?:\?([!\"$-~]*))? HTTP/1\.1\r\n"
    r"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ \t]*[!-~](?:[ -~\t]*[!-~])?\r\n)+)\r\n"
)
_NOT_PLAIN = frozenset({"content-length", "transfer-encoding", "expect", "trailer"})


class Door(asyncio.Protocol):
    """A socket nothing was heard of yet. `gate` and `http` are set on a subclass, see `door_to`."""

    gate: Gate
    http: type[HttpProtocol]

    __slots__ = ("_arguments", "_deadline", "_opened_at", "_transport", "connections", "loop")

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """As uvicorn makes its protocols."""
        self.loop = _loop or asyncio.get_running_loop()
        self.connections: set[Any] = server_state.connections
        self._arguments = config, server_state, app_state
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._opened_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket that never says anything is cut like one that says it too slowly."""
        self._transport = cast(asyncio.Transport, transport)
        self.connections.add(self)
        self._opened_at = self.loop.time()
        self._deadline = self.loop.call_later(self.gate.limits.upgrade_timeout_s, self._expire)

    def data_received(self, data: bytes) -> None:
        """The first bytes say what becomes of it."""
        transport = self._leave()
        if transport is None:
            return
        read = plain_opening(data) if self.gate.whole is None else None
        if read is None:
            self._hand_over(transport).data_received(data)
            return
        opening, length = read
        known = transport.get_extra_info("peername")
        address = client_address(known[0] if known else "", opening.headers, self.gate.settings.trusted_proxies)
        verdict = self.gate.admit(opening, address)
        if isinstance(verdict, Refusal):
            self._hand_over(transport).turn_away(verdict, opening.headers)
        else:
            become_websocket(self.gate, transport, opening, address, verdict, data[length:])

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._leave()

    def release(self) -> None:
        """Whoever asked nothing yet is answered first."""

    def shutdown(self) -> None:
        """The server stops."""
        if self._transport is not None:
            self._transport.close()

    def _expire(self) -> None:
        """Nothing came in time; how that is told is the other's business."""
        transport = self._leave()
        if transport is not None:
            self._hand_over(transport).expire()

    def _hand_over(self, transport: asyncio.Transport) -> HttpProtocol:
        config, server_state, app_state = self._arguments
        http = self.http(config=config, server_state=server_state, app_state=app_state, _loop=self.loop)
        transport.set_protocol(http)
        http.take_over(transport, waited_s=self.loop.time() - self._opened_at)
        return http

    def _leave(self) -> asyncio.Transport | None:
        transport, self._transport = self._transport, None
        self.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        return transport


def plain_opening(data: bytes) -> tuple[Opening, int] | None:
    """Read the head of a request for a WebSocket, and how long it is; None for what is anything but plain."""
    if len(data) > MAX_PLAIN_BYTES:
        return None
    head = _HEAD.match(data.decode("latin-1"))
    if head is None:
        return None
    path, query, lines = head.groups("")
    headers: dict[str, str] = {}
    for line in lines.split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.lstrip(" \t")
        # Those given several times are one, as RFC 9110 section 5.3 has it.
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if not _NOT_PLAIN.isdisjoint(headers) or headers.get("upgrade", "").lower() != "websocket":
        return None
    if headers.get("connection", "").lower() != "upgrade":
        return None
    return Opening("GET", "1.1", path, query, headers), head.end()


def door_to(gate: Gate) -> type[Door]:
    """The protocol class for uvicorn, which constructs it itself, with `gate` in it."""
    namespace: dict[str, Any] = {"gate": gate, "http": bound_to(gate), "__slots__": ()}
    return type("BoundDoor", (Door,), namespace)
