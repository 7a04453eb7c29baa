"""Everything a peer can do wrong, each with the answer it must get. Every function is one abuse of a gateway."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from quotewire.edge.auth import ClientTokens
from quotewire.wire.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, text_frame
from tests.integration.edge.gateway import KEY, EdgeGateway, Raw, raw, until
from tests.wire_samples import header, masked

SETTINGS = {
    "WS_UPGRADE_TIMEOUT": "300",
    "WS_AUTH_TIMEOUT": "400",
    "WS_PING_INTERVAL": "300",
    "WS_PONG_TIMEOUT": "1500",
    "WS_MAX_MESSAGE_BYTES": "2048",
}
Abuse = Callable[[EdgeGateway], Awaitable[None]]
ABUSES: dict[str, Abuse] = {}


def abuse(function: Abuse) -> Abuse:
    ABUSES[function.__name__] = function
    return function


async def ends(client: Raw, error: str | None, code: int | None) -> None:
    """The gateway says what was wrong, closes with the documented code, and hangs up."""
    messages, closed_with = await client.ending()
    told = [message.get("code") for message in messages if "code" in message]
    assert (told[-1] if told else None, closed_with) == (error, code)
    await client.send(masked(CLOSE))
    client.sock.shutdown(socket.SHUT_WR)
    await client.end_of_stream()


async def lives_on(client: Raw) -> None:
    await client.text({"type": "ping", "timestamp": 5})
    assert (await client.message())["timestamp"] == 5


def refused(answer: Any, status: int, code: str) -> None:
    told = answer.json()
    assert (answer.status, told["success"], told["code"]) == (status, False, code)
    assert told["error"]
    assert told["requestId"] == answer.headers["x-request-id"]


# --- messages ---


@abuse
async def malformed_json(gateway: EdgeGateway) -> None:
    for text in ("nonsense", "{", "[]", "null", '"text"', "[" * 2000, '{"type":"ping","timestamp":NaN}'):
        async with raw(gateway) as client:
            await client.hello(gateway)
            await client.text(text)
            await ends(client, "invalid_json", 4500)


@abuse
async def wrong_types(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        for message in (
            {"type": "subscribe", "ids": "all"},
            {"type": "subscribe", "ids": [-1]},
            {"type": "ping", "timestamp": {}},
        ):
            await client.text(message)
            assert (await client.message())["code"] == "invalid_message"
        await lives_on(client)


@abuse
async def unknown_symbols(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.text({"type": "subscribe", "symbols": ["NOPE", "\x00", "ÜÑÏ"], "ids": [2**53 - 1]})
        results = (await client.message())["results"]
        assert [result["code"] for result in results] == ["unknown_symbol"] * 4
        assert (await client.message())["quotes"] == []
        await lives_on(client)


@abuse
async def unknown_messages(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.text({"type": "shout", "requestId": "r"})
        error = await client.message()
        assert (error["code"], error["requestId"]) == ("unknown_type", "r")
        await lives_on(client)


@abuse
async def twenty_mistakes(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        for _ in range(20):
            await client.text({"type": "shout"})
        await ends(client, "too_many_errors", 4501)


@abuse
async def over_long_messages(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.send(header(TEXT, 2049))
        await ends(client, "message_too_big", 1009)
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.send(masked(TEXT, b"x" * 2000, fin=False) + masked(CONTINUATION, b"x" * 49))
        await ends(client, "message_too_big", 1009)


@abuse
async def the_longest_message_is_served(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        ping = json.dumps({"type": "ping", "timestamp": 5, "more": ""})
        await client.text(ping.replace('""', f'"{"x" * (2048 - len(ping))}"'))
        assert (await client.message())["timestamp"] == 5


@abuse
async def binary_messages(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.send(masked(BINARY, b"\x00\xff"))
        await ends(client, "binary_not_supported", 1003)


@abuse
async def text_that_is_not_utf8(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.text(b"\xff\xfe")
        await ends(client, "invalid_utf8", 1007)


@abuse
async def garbage_after_the_upgrade(gateway: EdgeGateway) -> None:
    for garbage in (b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), text_frame(b"unmasked"), masked(3)):
        async with raw(gateway) as client:
            await client.hello(gateway)
            await client.send(garbage)
            await ends(client, None, 1002)


@abuse
async def endless_empty_fragments(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway)
        await client.send(masked(TEXT, b"", fin=False) + masked(CONTINUATION, b"", fin=False) * 20_000)
        await client.send(masked(CONTINUATION, b'{"type":"ping","timestamp":5}'))
        assert (await client.message())["timestamp"] == 5


# --- tokens ---


@abuse
async def wrong_tokens(gateway: EdgeGateway) -> None:
    stranger = ClientTokens(b"x" * 32, ttl_s=100).mint("alice")[0]
    expired = ClientTokens(b"k" * 32, ttl_s=-1).mint("alice")[0]
    for token in ("x", "a.b.c", stranger, expired, gateway.token() + "x", "\x00", "é"):
        async with raw(gateway) as client:
            await client.upgrade("/ws")
            await client.text({"type": "hello", "token": token, "requestId": "h"})
            error = await client.message()
            assert (error["code"], error["retryable"], error["requestId"]) == ("unauthorized", True, "h")
            assert token not in error["message"] or len(token) < 3
            await ends(client, None, 4001)
        async with raw(gateway) as client:
            await client.upgrade("/")
            await client.text(token)
            error = await client.message()
            assert (error["success"], error["code"]) == (False, "unauthorized")
            await ends(client, None, 4001)


@abuse
async def no_token(gateway: EdgeGateway) -> None:
    for path in ("/ws", "/"):
        async with raw(gateway) as client:
            assert (await client.upgrade(path)).status == 101
            await ends(client, "auth_timeout", 4002)


@abuse
async def pings_instead_of_a_token(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.upgrade()
        for _ in range(10):
            await client.send(masked(PING, b"still here"))
            await asyncio.sleep(0.02)
        await ends(client, "auth_timeout", 4002)


@abuse
async def something_else_first(gateway: EdgeGateway) -> None:
    for message, code, close in (
        ({"type": "subscribe", "ids": [1]}, "not_authenticated", 4503),
        ({"type": "hello"}, "not_authenticated", 4503),
        ({"type": "hello", "token": "t", "protocol": 2}, "unsupported_protocol", 4502),
        ("nonsense", "invalid_json", 4500),
    ):
        async with raw(gateway) as client:
            await client.upgrade()
            await client.text(message)
            await ends(client, code, close)
    async with raw(gateway) as client:
        await client.upgrade()
        await client.send(masked(BINARY, b"token"))
        await ends(client, "binary_not_supported", 1003)


# --- connections that go quiet or away ---


@abuse
async def upgrade_then_vanish(gateway: EdgeGateway) -> None:
    """Half-open: nothing is read or answered any more, but the socket is there."""
    async with raw(gateway) as client:
        await client.hello(gateway)
        await until(lambda: gateway.gate.closed["4003"] == 1)
        assert await client.ending() == ([], 4003)


@abuse
async def reset_connections(gateway: EdgeGateway) -> None:
    before = gateway.gate.closed["1006"]
    for _ in range(5):
        async with raw(gateway) as client:
            await client.hello(gateway, 1, 2)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await until(lambda: gateway.gate.closed["1006"] == before + 5)


@abuse
async def half_closed_connections(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.hello(gateway, 1)
        client.sock.shutdown(socket.SHUT_WR)
        await client.end_of_stream()
    async with raw(gateway) as client:
        client.sock.shutdown(socket.SHUT_WR)
        await client.end_of_stream()


@abuse
async def connect_and_say_nothing(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        refused(await client.answer(), 408, "request_timeout")
        await client.end_of_stream()


@abuse
async def a_slow_head(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.send(b"GET /health HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            for i in range(40):
                await client.send(b"X-%d: y\r\n" % i)
                await asyncio.sleep(0.01)
        refused(await client.answer(), 408, "request_timeout")
        await client.end_of_stream()


@abuse
async def empty_lines_after_a_request(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        assert (await client.request("GET /health HTTP/1.1\nHost: x")).status == 200
        await client.send(b"\r\n")
        refused(await client.answer(), 408, "request_timeout")
        await client.end_of_stream()


# --- bytes that are no request ---


@abuse
async def bytes_that_are_not_http(gateway: EdgeGateway) -> None:
    tls_hello = bytes.fromhex("16030100f5010000f10303") + bytes(200)
    for garbage in (
        tls_hello,
        b"\x00" * 50,
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x88\x80abcd",
        b"GET  HTTP\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ):
        async with raw(gateway) as client:
            await client.send(garbage)
            refused(await client.answer(), 400, "bad_request")
            await client.end_of_stream()


@abuse
async def an_oversized_head(gateway: EdgeGateway) -> None:
    for head in (b"X-Big: " + b"x" * 200_000, b"X-N: y\r\n" * 20_000, b"Y" * 100_000):
        async with raw(gateway) as client:
            with contextlib.suppress(OSError):
                await client.send(b"GET /health HTTP/1.1\r\n" + head)
            refused(await client.answer(), 431, "head_too_big")
            await client.end_of_stream()
    async with raw(gateway) as client:
        with contextlib.suppress(OSError):
            await client.send(b"GET /" + b"x" * 100_000)
        refused(await client.answer(), 431, "head_too_big")


# --- bad upgrades ---


@abuse
async def bad_upgrades(gateway: EdgeGateway) -> None:
    good = {"Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": KEY}
    for path, changed, status, code in (
        ("/nowhere", {}, 404, "not_found"),
        ("/ws/", {}, 404, "not_found"),
        ("/health", {}, 404, "not_found"),
        ("/ws", {"Sec_WebSocket_Protocol": "soap, quotewire.v2.json"}, 400, "unsupported_subprotocol"),
        ("/ws", {"Sec_WebSocket_Version": "12"}, 426, "unsupported_version"),
        ("/ws", {"Sec_WebSocket_Version": ""}, 426, "unsupported_version"),
        ("/ws", {"Sec_WebSocket_Key": "short"}, 400, "bad_upgrade"),
        ("/ws", {"Sec_WebSocket_Key": "\xe9\xff" * 8}, 400, "bad_upgrade"),
        ("/ws", {"Sec_WebSocket_Key": ""}, 400, "bad_upgrade"),
    ):
        async with raw(gateway) as client:
            answer = await client.upgrade(path, **{**good, **changed}, X_Request_ID="req-9")
            refused(answer, status, code)
            assert answer.headers["x-request-id"] == "req-9"
            assert answer.headers["connection"] == "close"
            if status == 426:
                assert answer.headers["sec-websocket-version"] == "13"
            await client.end_of_stream()


@abuse
async def upgrades_of_other_kinds(gateway: EdgeGateway) -> None:
    websocket = f"Host: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: {KEY}"
    for line in ("POST /ws HTTP/1.1", "PUT /ws HTTP/1.1", "GET /ws HTTP/1.0"):
        async with raw(gateway) as client:
            refused(await client.request(f"{line}\n{websocket}"), 400, "bad_upgrade")
            await client.end_of_stream()


@abuse
async def an_upgrade_behind_a_request_that_is_not_answered_yet(gateway: EdgeGateway) -> None:
    held = asyncio.Event()

    async def hold(name: str) -> None:
        if name == "search":
            await held.wait()

    gateway.upstream.before = hold
    async with raw(gateway) as client:
        upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}"
        first = "GET /api-market/symbols/search?prefix=S HTTP/1.1\r\nHost: x\r\n\r\n"
        await client.send(f"{first}GET /ws HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n\r\n".encode())
        await client.end_of_stream()
        assert client.buffer == b""
    held.set()
    gateway.upstream.before = None


# --- bad requests ---


@abuse
async def bad_bodies(gateway: EdgeGateway) -> None:
    async with gateway.http() as http:
        for content, where in (
            (b"{", "JSON"),
            (b"nonsense", "JSON"),
            (b"\xff\xfe\x00", ""),
            (b"[" * 100_000, ""),
            (b"[1,2]", ""),
            (b"5", ""),
            (b"", ""),
            (b'{"symbols":"S1"}', "symbols"),
            (b'{"symbols":[5]}', "symbols.0"),
            (b'{"symbols":[""]}', "symbols.0"),
            (b'{"symbols":["\\ud800"]}', "symbols.0"),
            (b'{"symbols":[%s]}' % b",".join([b'"S1"'] * 1001), "symbols"),
            (b'{"symbols":[' + b"9" * 5000 + b"]}", ""),
            (b"{}", "symbols"),
        ):
            answer = await http.post(
                "/api-market/quotes/batch", content=content, headers={"Content-Type": "application/json"}
            )
            told = answer.json()
            assert (answer.status_code, told["success"], told["code"]) == (400, False, "invalid_request"), content[:40]
            assert where in told["error"]
            assert told["requestId"] == answer.headers["x-request-id"]


@abuse
async def too_large_bodies(gateway: EdgeGateway) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    async with gateway.http() as http:
        for content in (b"x" * (1024 * 1024 + 1), b"x" * 4_000_000, chunks()):
            answer = await http.post("/api-market/symbols/lookup", content=content)
            told = answer.json()
            assert (answer.status_code, told["success"], told["code"]) == (413, False, "body_too_large")
            assert told["requestId"] == answer.headers["x-request-id"]


@abuse
async def a_body_without_end(gateway: EdgeGateway) -> None:
    async with raw(gateway) as client:
        await client.send(b"POST /api-market/symbols/lookup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                await client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        with contextlib.suppress(OSError, EOFError):
            refused(await client.answer(), 413, "body_too_large")


@abuse
async def unknown_persons_and_paths(gateway: EdgeGateway) -> None:
    async with gateway.http() as http:
        for method, path, body, status, code in (
            ("GET", "/api-auth/auth/access-token/mallory", None, 404, "unknown_person"),
            ("GET", "/api-auth/auth/access-token/%00%ff", None, 404, "unknown_person"),
            ("POST", "/api-market/symbols/stream-port", {"personName": "mallory"}, 404, "unknown_person"),
            ("GET", "/nowhere", None, 404, "not_found"),
            ("GET", "/assets/../../settings.py", None, 404, "not_found"),
            ("GET", "/api-market/quotes/batch", None, 405, "method_not_allowed"),
            ("DELETE", "/health", None, 405, "method_not_allowed"),
        ):
            answer: httpx.Response = await http.request(method, path, json=body)
            told = answer.json()
            assert (answer.status_code, told["success"], told["code"]) == (status, False, code), path
            assert told["requestId"] == answer.headers["x-request-id"]
