"""uvicorn's HTTP protocol with what it lacks: a deadline for a request, a bound on its head, and our own upgrade."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quotewire.edge.addresses import client_address
from quotewire.edge.answers import choose_request_id
from quotewire.edge.events import EventStream
from quotewire.edge.gate import STOPPING, Admitted, Gate
from quotewire.edge.shared_websocket import SharedConnection
from quotewire.edge.websocket import Connection
from quotewire.wire.handshake import Opening, Refusal, accept, identity, refuse

MAX_HEAD_BYTES = 32 * 1024
BODY_DEADLINE_S = 30.0
"""How long the body of a request may take to come, once its head is whole."""

LINGER_S = 1.0
"""How long a refused peer has to read why. Closing at once with its bytes unread would reset the connection first."""


STREAM_PATH = "/api-market/quotes/stream"
HTTP = "quotewire.http"
"""Where the scope of a request for that path holds its protocol."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection, until it closes or becomes a WebSocket. `gate` is set on a subclass, see `bound_to`."""

    gate: Gate
    stream: EventStream | None = None  # the answer that is being written, where it is a stream
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0  # of the parts of the head that are whole
    _gathered = 0  # of all that came of a head that is not whole yet
    _before_head_ends = True
    _head_ended = False
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A socket that never says anything is cut like one that says it too slowly."""
        super().connection_made(transport)
        self._arm(self.gate.limits.upgrade_timeout_s)

    def take_over(self, transport: asyncio.Transport, *, waited_s: float) -> None:
        """`connection_made` for a socket that has been open for so long: its first request has that much less time."""
        self.connection_made(transport)
        self._disarm()
        self._arm(max(self.gate.limits.upgrade_timeout_s - waited_s, 0.0))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._disarm()
        if self.stream is not None:
            self.stream.lost()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The socket takes no more."""
        super().pause_writing()
        if self.stream is not None:
            self.stream.pause_writing()

    def resume_writing(self) -> None:
        """The socket takes data again."""
        super().resume_writing()
        if self.stream is not None:
            self.stream.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Read a request; on an upgrade, bytes that came with it belong to the WebSocket."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if self._deadline is None and not self._busy():
            self._arm(self.gate.limits.upgrade_timeout_s)
        in_head, self._head_ended = self._before_head_ends, False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # An offer of another protocol is declined by answering the request (RFC 9110 section 7.8).
            if self._should_upgrade():
                self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._unreadable()
        else:
            # The parser hands a header over once it is whole: what it gathers until then is counted here.
            if in_head and not self._head_ended:
                self._gathered += len(data)
                if self._gathered > MAX_HEAD_BYTES:
                    self._unreadable()

    # --- httptools' callbacks ---

    def on_message_begin(self) -> None:
        """A request begins: it has until the deadline to be whole."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._deadline is None:
            self._arm(self.gate.limits.upgrade_timeout_s)

    def on_url(self, url: bytes) -> None:
        """A part of the request line came."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; the body has a deadline of its own."""
        self._before_head_ends, self._head_ended = False, True
        self._gathered = 0
        self._disarm()
        self._arm(BODY_DEADLINE_S)
        super().on_headers_complete()
        if self.gate.draining and self.cycle is not None:
            self.cycle.keep_alive = False
        if self.scope.get("path") == STREAM_PATH:
            cast(dict[str, Any], self.scope)[HTTP] = self

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._before_head_ends = True
        self._disarm()
        super().on_message_complete()

    def release(self) -> None:
        """Close when what was asked is answered. One that asked nothing yet is answered first."""
        if self.cycle is not None:
            self.shutdown()

    # --- ours ---

    def _should_upgrade_to_ws(self) -> bool:
        return True

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _count(self, length: int) -> None:
        self._head_bytes += length
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("request head too long")  # httptools reports it as an HttpParserError

    def _arm(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def turn_away(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        """Refuse a request that was read elsewhere."""
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self._refuse(refusal)

    def expire(self) -> None:
        """No whole request came in time."""
        self._disarm()
        self._expire()

    def _expire(self) -> None:
        self._deadline = None
        if self._busy() and not self.cycle.more_body:
            # A request before this one is still being answered.
            self._arm(self.gate.limits.upgrade_timeout_s)
        elif not self.transport.is_closing():
            self.gate.refused["408"] += 1
            self._refuse(Refusal(408, "request_timeout", "no whole request came in time"))

    def _unreadable(self) -> None:
        if max(self._head_bytes, self._gathered) > MAX_HEAD_BYTES:
            told = f"a request head may have {MAX_HEAD_BYTES} bytes"
            refusal = Refusal(431, "head_too_big", told)
        else:
            refusal = Refusal(400, "bad_request", "this is not an HTTP request that can be read here")
        self.gate.refused[str(refusal.status)] += 1
        self._refuse(refusal)

    def _upgrade(self, rest: bytes) -> None:
        self._disarm()
        opening = self._opening()
        if opening is None or self._busy():
            self._refuse(Refusal(400, "bad_upgrade", "a WebSocket cannot be opened like this"))
            return
        peer = self.client[0] if self.client else ""
        address = client_address(peer, opening.headers, self.gate.settings.trusted_proxies)
        verdict = self.gate.admit(opening, address)
        if isinstance(verdict, Refusal):
            self._refuse(verdict)
        elif self.gate.whole is None:
            self._open(opening, address, verdict, rest)
        else:
            self.transport.pause_reading()
            self.gate.spawn(self._ask_whole(opening, address, verdict, rest))

    async def _ask_whole(self, opening: Opening, address: str, admitted: Admitted, rest: bytes) -> None:
        """This process is one of several: the connection needs a place in the whole gateway, too."""
        refusal = await self.gate.admit_to_whole(admitted.seat)
        if refusal is None and not self.gate.draining and not self.transport.is_closing():
            self.transport.resume_reading()
            self._open(opening, address, admitted, rest)
            return
        admitted.seat.leave()
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._refuse(STOPPING if refusal is None else refusal)

    def _open(self, opening: Opening, address: str, verdict: Admitted, rest: bytes) -> None:
        """The socket becomes a WebSocket."""
        self.connections.discard(self)
        # The parser holds us: what a socket no longer needs should go at once, not when the collector comes by.
        self.parser = None  # type: ignore[assignment]
        become_websocket(self.gate, self.transport, opening, address, verdict, rest)

    def _opening(self) -> Opening | None:
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserError:
            return None
        path, query = (url.path or b"").decode("latin-1"), (url.query or b"").decode("latin-1")
        return Opening(self.scope["method"], self.scope["http_version"], unquote(path), query, self._joined_headers())

    def _joined_headers(self) -> dict[str, str]:
        """The headers by name; those given several times as one, as RFC 9110 section 5.3 has it."""
        joined: dict[str, str] = {}
        for name, value in self.headers:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
        return joined

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, and read on without listening until the peer has had time to hear it."""
        self._disarm()
        self._refused = True
        if self._busy():
            # Another answer is being written; this one would only garble it.
            self.transport.close()
            return
        given = self._joined_headers().get("x-request-id", "") if self.headers else ""
        known = choose_request_id(given)
        told = {"success": False, "error": refusal.message, "code": refusal.code, "requestId": known}
        named = Refusal(refusal.status, refusal.code, refusal.message, (*refusal.headers, ("X-Request-ID", known)))
        self.transport.write(refuse(named, json.dumps(told).encode()))
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_S, self.transport.abort)


def become_websocket(
    gate: Gate, transport: asyncio.Transport, opening: Opening, address: str, admitted: Admitted, rest: bytes
) -> None:
    """Answer the request and hand the socket to a connection; `rest` came after the request."""
    caller = identity(opening)
    connection_id = caller.connection_id or gate.new_connection_id()
    transport.write(accept(opening, subprotocol=admitted.subprotocol, extra=(("X-Connection-ID", connection_id),)))
    kind = Connection if gate.whole is None else SharedConnection
    connection = kind(
        gate, admitted, address=address, connection_id=connection_id, client_version=caller.client_version
    )
    transport.set_protocol(connection)
    connection.connection_made(transport)
    if rest:
        connection.data_received(rest)


def bound_to(gate: Gate) -> type[HttpProtocol]:
    """The protocol class with `gate` in it."""
    namespace: dict[str, Any] = {"gate": gate}
    return type("BoundHttpProtocol", (HttpProtocol,), namespace)
