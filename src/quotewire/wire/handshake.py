"""The opening handshake, the server's side (RFC 6455 section 4.2), as values: headers in, a verdict out."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONNECTION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
SAFE_LABEL = re.compile(r"[\x20-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Opening:
    """A request to open a WebSocket. Header names in lower case."""

    method: str
    http_version: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer other than 101. `code` is for machines, `headers` are extra ones."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the client says it is (R10). Empty text where it said nothing, or nothing fit to be logged."""

    connection_id: str
    client_version: str
    session_timeout_ms: int | None


def check(opening: Opening) -> Refusal | None:
    """Tell why the request cannot become a WebSocket, or None when it can."""
    if opening.method != "GET" or opening.http_version != "1.1":
        return Refusal(400, "bad_upgrade", "a WebSocket opens with GET over HTTP/1.1")
    if opening.headers.get("sec-websocket-version", "").strip() != "13":
        told = "WebSocket version 13 is spoken here"
        return Refusal(426, "unsupported_version", told, (("Sec-WebSocket-Version", "13"),))
    try:
        key = base64.b64decode(opening.headers.get("sec-websocket-key", "").strip(), validate=True)
    except ValueError:  # not base64, or not even ASCII
        key = b""
    if len(key) != 16:
        return Refusal(400, "bad_upgrade", "Sec-WebSocket-Key must be 16 bytes in base64")
    return None


def offered_subprotocols(opening: Opening) -> list[str]:
    """The subprotocols the client offers, in its order of preference."""
    offered = opening.headers.get("sec-websocket-protocol", "")
    return [name.strip() for name in offered.split(",") if name.strip()]


def accept(opening: Opening, *, subprotocol: str | None, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Build the 101 answer to a request that `check` passed."""
    key = opening.headers["sec-websocket-key"].strip()
    digest = hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    lines += [f"{name}: {value}" for name, value in extra]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refuse(refusal: Refusal, body: bytes) -> bytes:
    """Build the answer for a refusal; `body` is JSON."""
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in refusal.headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def identity(opening: Opening) -> Identity:
    """Read who is calling: from headers, else from query parameters (browsers cannot set headers)."""
    query = {name: values[-1] for name, values in parse_qs(opening.query).items()} if opening.query else {}

    def told(header: str, parameter: str) -> str:
        return opening.headers.get(header, "").strip() or query.get(parameter, "").strip()

    connection_id = told("x-connection-id", "connectionId")
    version = told("x-client-version", "clientVersion")
    timeout = told("x-session-timeout", "sessionTimeout")
    return Identity(
        connection_id if CONNECTION_ID.fullmatch(connection_id) else "",
        version if SAFE_LABEL.fullmatch(version) else "",
        int(timeout) if re.fullmatch(r"[0-9]{1,12}", timeout) else None,
    )
