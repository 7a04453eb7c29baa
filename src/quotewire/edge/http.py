"""uvicorn's HTTP protocol with what it lacks: a deadline for a request, a bound on its head, and our own upgrade."""

import asyncio
import json
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quotewire.edge.gate import Gate, client_address
from quotewire.edge.websocket import Connection
from quotewire.wire.handshake import Opening, Refusal, accept, identity, refuse

MAX_HEAD_BYTES = 32 * 1024


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection, until it closes or becomes a WebSocket. `gate` is set on a subclass, see `bound_to`."""

    gate: Gate
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A socket that never says anything is cut like one that says it too slowly."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a request; on an upgrade, bytes that came with it belong to the WebSocket."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._disarm()
                self._upgrade(data[upgrade.args[0] :])
            else:
                self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self._disarm()
            self.send_400_response("This is not an HTTP request that can be read here.")

    # --- httptools' callbacks ---

    def on_message_begin(self) -> None:
        """A request begins: it has until the deadline to be whole."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._deadline is None:
            self._arm()

    def on_url(self, url: bytes) -> None:
        """A part of the request line came."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._disarm()
        super().on_message_complete()

    # --- ours ---

    def _should_upgrade_to_ws(self) -> bool:
        return True

    def _count(self, length: int) -> None:
        self._head_bytes += length
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("request head too long")  # httptools reports it as an HttpParserError

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self.gate.limits.auth_timeout_s, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self.gate.refused["408"] += 1
        if not self.transport.is_closing():
            body = b'{"success":false,"error":"no whole request came in time","code":"request_timeout"}'
            head = f"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            self.transport.close()

    def _upgrade(self, rest: bytes) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        path, _, query = self.url.decode("latin-1").partition("?")
        opening = Opening(self.scope["method"], self.scope["http_version"], unquote(path), query, headers)
        peer = self.client[0] if self.client else ""
        address = client_address(peer, headers, self.gate.settings.trusted_proxies)
        verdict = self.gate.admit(opening, address)
        if isinstance(verdict, Refusal):
            self._refuse(verdict)
            return
        dialect, subprotocol = verdict
        connection_id = identity(opening).connection_id or self.gate.new_connection_id()
        self.transport.write(accept(opening, subprotocol=subprotocol, extra=(("X-Connection-ID", connection_id),)))
        connection = Connection(self.gate, dialect, address=address, connection_id=connection_id)
        self.connections.discard(self)
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        if rest:
            connection.data_received(rest)

    def _refuse(self, refusal: Refusal) -> None:
        body = json.dumps({"success": False, "error": refusal.message, "code": f"http_{refusal.status}"}).encode()
        self.transport.write(refuse(refusal, body))
        self.transport.close()


def bound_to(gate: Gate) -> type[HttpProtocol]:
    """The protocol class for uvicorn, which constructs it itself, with `gate` in it."""
    namespace: dict[str, Any] = {"gate": gate}
    return type("BoundHttpProtocol", (HttpProtocol,), namespace)
