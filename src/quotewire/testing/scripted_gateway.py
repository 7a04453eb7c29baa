"""A gateway that does what a test tells it, to try clients on: real sockets, the native protocol v1, no upstream.

    async with ScriptedGateway({"AAPL": 8049}) as gateway, quotewire.connect(gateway.url) as client:
        stream = client.quotes("AAPL")
        gateway.publish("AAPL", bid_price=101.5)

It answers `hello`, `subscribe`, `unsubscribe`, `ping` and the HTTP paths a client needs, in JSON and MessagePack, and
replays what a client missed as far as `history` goes. `conversations` holds what each connection said; the switches
below make it misbehave.
"""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import msgspec
from websockets.datastructures import Headers
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import CLOSED, OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire import messages as wire
from quotewire.wire.capabilities import Capability, agree
from quotewire.wire.codes import CLOSES, CloseCode, ErrorCode
from quotewire.wire.options import Cause, Gap

STOP_TIMEOUT_S = 2.0

_from_json = msgspec.json.Decoder(wire.ClientMessage)
_from_msgpack = msgspec.msgpack.Decoder(wire.ClientMessage)
UPSTREAM = wire.UpstreamState(state="connected", reason="authenticated", since=0, person="alice")


class Conversation:
    """One WebSocket connection: what was heard on it, and ways to end it."""

    def __init__(self, gateway: "ScriptedGateway", writer: asyncio.StreamWriter, headers: Headers) -> None:
        self.headers = headers
        self.heard: list[wire.ClientMessage] = []
        self.wanted: set[int] = set()
        self.close_code: int | None = None
        self._gateway = gateway
        self._writer = writer
        known = [Subprotocol(name) for name in (wire.SUBPROTOCOL_JSON, wire.SUBPROTOCOL_MSGPACK)]
        self._protocol = ServerProtocol(subprotocols=known)
        self._agreed: frozenset[Capability] = frozenset()

    def of(self, kind: type[wire.Message]) -> list[Any]:
        """What was heard of one type."""
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def open(self) -> bool:
        """Whether it still is."""
        return self._protocol.state is OPEN and not self._writer.is_closing()

    @property
    def binary(self) -> bool:
        """Whether it is in MessagePack."""
        return self._protocol.subprotocol == wire.SUBPROTOCOL_MSGPACK

    def say(self, message: wire.Message | bytes) -> None:
        """Send a message, or any bytes as a message of the kind spoken here."""
        if self.open:
            encode = msgspec.msgpack.encode if self.binary else msgspec.json.encode
            data = message if isinstance(message, bytes) else encode(message)
            (self._protocol.send_binary if self.binary else self._protocol.send_text)(data)
            self._flush()

    def close(self, code: CloseCode | int, reason: str = "") -> None:
        """Close with a code."""
        if self.open:
            self._protocol.send_close(code, reason or (CLOSES[code].reason if isinstance(code, CloseCode) else ""))
            self._flush()

    def cut(self) -> None:
        """Cut the line, without a close frame."""
        self._writer.transport.abort()

    async def serve(self, head: bytes, reader: asyncio.StreamReader) -> None:
        """Upgrade, then listen until the end."""
        self._protocol.receive_data(head)
        for request in self._protocol.events_received():
            assert isinstance(request, Request)
            self._protocol.send_response(self._protocol.accept(request))
        self._flush()
        while data := await reader.read(65_536):
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                self._hear(event)
            self._flush()
            if self._protocol.state is CLOSED or self._protocol.close_expected():
                break
        frame = self._protocol.close_rcvd
        self.close_code = None if frame is None else int(frame.code)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data and not self._writer.is_closing():
                self._writer.write(data)

    def _hear(self, event: object) -> None:
        if getattr(event, "opcode", None) is not (Opcode.BINARY if self.binary else Opcode.TEXT):
            return
        message = (_from_msgpack if self.binary else _from_json).decode(event.data)  # type: ignore[attr-defined]
        self.heard.append(message)
        if not self._gateway.mute:
            self._answer(message)

    def _answer(self, message: wire.ClientMessage) -> None:
        request_id = message.request_id
        match message:
            case wire.Hello():
                self._welcome(message)
            case wire.Subscribe():
                self._subscribe(message)
            case wire.Unsubscribe():
                results = self._gateway.results(message)
                self.wanted -= {result.symbol_id for result in results if result.symbol_id is not None}
                self.say(wire.Unsubscribed(request_id=request_id, results=results))
            case wire.Ping():
                self.say(wire.Pong(request_id=request_id, timestamp=message.timestamp, server_time=0))

    def _subscribe(self, message: wire.Subscribe) -> None:
        gateway, request_id = self._gateway, message.request_id
        results = gateway.results(message)
        granted = [result.symbol_id for result in results if result.ok and result.symbol_id is not None]
        self.wanted.update(granted)
        self.say(wire.Subscribed(request_id=request_id, results=results))
        missed = {key: gateway.since(key, epoch, sequence) for key, epoch, sequence in message.resume if key in granted}
        gaps = [gateway.gap(key, epoch, sequence) for key, epoch, sequence in message.resume if missed.get(key) is None]
        if gaps and Capability.GAP in self._agreed:
            self.say(wire.Gaps(request_id=request_id, gaps=gaps))
        shown = [quote for key in granted if missed.get(key) is None and (quote := gateway.quotes.get(key))]
        self.say(wire.Snapshot(request_id=request_id, quotes=shown))
        replay = [quote for quotes in missed.values() for quote in quotes or ()]
        if replay:
            self.say(wire.Quotes(quotes=replay))

    def _welcome(self, hello: wire.Hello) -> None:
        if hello.token not in self._gateway.tokens:
            told = "the token is wrong or expired"
            self.say(wire.Error(code=ErrorCode.UNAUTHORIZED, message=told, retryable=True))
            self.close(CloseCode.TOKEN_REFUSED)
            return
        self._agreed = agree(hello.capabilities)
        welcome = wire.Welcome(
            request_id=hello.request_id,
            protocol=wire.PROTOCOL_VERSION,
            connection_id=hello.connection_id or "ws-0-none",
            version="0",
            server_time=0,
            ping_interval_ms=30_000,
            pong_timeout_ms=5_000,
            max_message_bytes=self._gateway.max_message_bytes,
            max_symbols=5_000,
            upstream=UPSTREAM,
            capabilities=sorted(self._agreed),
        )
        self.say(welcome)


class ScriptedGateway:
    """The server. `symbols` are those it knows, by name; others are refused with `unknown_symbol`.

    Switches: `mute` (hears, says nothing), `upgrade_status` (refuses WebSockets with this HTTP status), `http_status`
    (refuses everything else so), `refusals` (a verdict by name), `max_message_bytes`.
    """

    def __init__(self, symbols: dict[str, int]) -> None:
        self.symbols = symbols
        self.quotes: dict[int, Quote] = {}
        self.history: dict[int, list[Quote]] = {}
        self.conversations: list[Conversation] = []
        self.requests: list[tuple[str, bytes]] = []
        self.tokens: set[str] = set()
        self.persons: list[tuple[str, bool]] = [("bob", False), ("alice", True)]
        self.refusals: dict[str | int, tuple[ErrorCode, bool]] = {}
        self.max_message_bytes = 262_144
        self.mute = False
        self.upgrade_status: int | None = None
        self.http_status: int | None = None
        self.epoch = 1
        self.port = 0
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    # --- life ---

    @property
    def url(self) -> str:
        """The base URL; the same after `stop` and `start`."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on a free port, or on the one of before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every line and stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._lines.values():
            writer.transport.abort()
        if self._lines:
            await asyncio.wait(self._lines, timeout=STOP_TIMEOUT_S)

    # --- what a test does ---

    def publish(self, symbol: str, **fields: Any) -> Quote:
        """Make the next update of a symbol and send it to whoever wants it."""
        quote = self.next_quote(symbol, **fields)
        for conversation in self.open:
            if quote.symbol_id in conversation.wanted:
                conversation.say(wire.Quotes(quotes=[quote]))
        return quote

    def next_quote(self, symbol: str, **fields: Any) -> Quote:
        """Make the next update of a symbol without sending it."""
        symbol_id = self.symbols[symbol]
        before = self.quotes.get(symbol_id)
        fresh = before is None or before.epoch != self.epoch
        quote = Quote(
            symbol=symbol,
            symbol_id=symbol_id,
            epoch=self.epoch,
            sequence=1 if fresh or before is None else before.sequence + 1,
            freshness=fields.pop("freshness", Freshness.LIVE),
            source=Source.STREAM,
            delayed=False,
            received_at=1_764_000_000_000,
            **fields,
        )
        self.quotes[symbol_id] = quote
        self.history.setdefault(symbol_id, []).append(quote)
        return quote

    def since(self, symbol_id: int, epoch: int, sequence: int) -> list[Quote] | None:
        """The updates after this position; None when they are not all in `history`."""
        newest = self.quotes.get(symbol_id)
        if newest is None or newest.epoch != epoch or newest.sequence < sequence:
            return None
        kept = [quote for quote in self.history[symbol_id] if quote.epoch == epoch and quote.sequence > sequence]
        return kept if len(kept) == newest.sequence - sequence else None

    def gap(self, symbol_id: int, epoch: int, sequence: int) -> Gap:
        """What somebody at this position will not get."""
        newest = self.quotes.get(symbol_id)
        last = 0 if newest is None else newest.sequence - 1
        if newest is not None and newest.epoch == epoch:
            return Gap(newest.symbol, symbol_id, epoch, sequence + 1, last, None, None, Cause.HISTORY)
        symbol = "" if newest is None else newest.symbol
        return Gap(symbol, symbol_id, self.epoch, 1, last, None, None, Cause.EPOCH)

    @property
    def open(self) -> Iterator[Conversation]:
        """The conversations that are not over."""
        return (conversation for conversation in self.conversations if conversation.open)

    def results(self, message: wire.Subscribe | wire.Unsubscribe) -> list[wire.SymbolResult]:
        """The verdict on every symbol of a command."""
        names: list[str | int] = [*message.symbols, *message.ids]
        if isinstance(message, wire.Subscribe):
            names += [symbol_id for symbol_id, _, _ in message.resume if symbol_id not in message.ids]
        return [self.result(name) for name in names]

    def result(self, name: str | int) -> wire.SymbolResult:
        """The verdict on one symbol asked for."""
        names = {symbol_id: symbol for symbol, symbol_id in self.symbols.items()}
        symbol = name if isinstance(name, str) else names.get(name)
        known = self.symbols.get(symbol or "")
        if name in self.refusals or known is None:
            code, retryable = self.refusals.get(name, (ErrorCode.UNKNOWN_SYMBOL, False))
            reason = f"Questrade knows no symbol {name}" if code is ErrorCode.UNKNOWN_SYMBOL else f"{name}: {code}"
            text, number = (name, None) if isinstance(name, str) else (None, name)
            return wire.SymbolResult(
                ok=False, symbol=text, symbol_id=number, code=code, reason=reason, retryable=retryable
            )
        return wire.SymbolResult(ok=True, symbol=symbol, symbol_id=known)

    # --- HTTP ---

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines[task] = writer
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            del self._lines[task]

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; True when another may follow on the same line."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = Headers([tuple(line.split(": ", 1)) for line in lines[1:] if line])  # type: ignore[misc]
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        self.requests.append((f"{method} {path}", body))
        if headers.get("Upgrade", "").lower() == "websocket" and self.upgrade_status is None:
            conversation = Conversation(self, writer, headers)
            self.conversations.append(conversation)
            await conversation.serve(head, reader)
            return False
        status = self.upgrade_status if "Upgrade" in headers else self.http_status
        data = None if status else self._data(path, body)
        self._respond(writer, status or (200 if data is not None else 404), data)
        await writer.drain()
        return True

    def _data(self, path: str, body: bytes) -> object:
        match path.partition("?")[0].split("/")[1:]:
            case ["api-auth", "persons"]:
                return [{"personName": name, "isActive": active} for name, active in self.persons]
            case ["api-auth", "auth", "access-token", person]:
                return {"accessToken": self._token(person), "apiServer": self.url, "expiresAt": ""}
            case ["api-market", "symbols", "search"]:
                prefix = path.partition("prefix=")[2]
                found = [item for item in self.symbols.items() if item[0].startswith(prefix)]
                return [{"symbol": symbol, "symbolId": symbol_id} for symbol, symbol_id in found]
            case ["api-market", "symbols", "lookup"]:
                asked = msgspec.json.decode(body)["symbols"]
                return {
                    name: {"symbol": name, "symbolId": self.symbols[name]} for name in asked if name in self.symbols
                }
            case ["api-market", "quotes", "batch"]:
                ids = [self.symbols.get(symbol, 0) for symbol in msgspec.json.decode(body)["symbols"]]
                return [self.quotes[symbol_id] for symbol_id in ids if symbol_id in self.quotes]
            case ["api", "metrics", "websocket"]:
                return {"received": True}
        return None

    def _token(self, person: str) -> str:
        token = f"{person}-{len(self.requests)}"
        self.tokens.add(token)
        return token

    def _respond(self, writer: asyncio.StreamWriter, status: int, data: object) -> None:
        answer: dict[str, object] = {"success": True, "data": data}
        if status != 200:
            answer = {"success": False, "error": f"scripted {status}", "code": "scripted", "requestId": "r"}
        body = msgspec.json.encode(answer)
        retry = "Retry-After: 1\r\n" if status == 429 else ""
        head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\n{retry}"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
