"""The opening handshake as values: the RFC's own key, every refusal, and who the caller says it is."""

from typing import Any

import pytest

from quotewire.wire.handshake import Identity, Opening, accept, check, identity, offered_subprotocols, refuse

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def opening(query: str = "", method: str = "GET", version: str = "1.1", **headers: Any) -> Opening:
    named = {"sec-websocket-version": "13", "sec-websocket-key": KEY}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Opening(method, version, "/ws", query, {name: value for name, value in named.items() if value is not None})


def test_a_good_request_is_let_in_with_the_answer_of_the_rfc() -> None:
    assert check(opening()) is None
    answer = accept(opening(), subprotocol=None)
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert b"Protocol:" not in answer


def test_the_answer_names_the_subprotocol_and_the_extra_headers() -> None:
    answer = accept(opening(), subprotocol="quotewire.v1.json", extra=(("X-Connection-ID", "ws-1"),))
    assert b"\r\nSec-WebSocket-Protocol: quotewire.v1.json\r\nX-Connection-ID: ws-1\r\n\r\n" in answer


@pytest.mark.parametrize(
    "bad",
    [
        opening(method="POST"),
        opening(version="1.0"),
        opening(sec_websocket_key=None),
        opening(sec_websocket_key=""),
        opening(sec_websocket_key="not base64!"),
        opening(sec_websocket_key="c2hvcnQ="),
        opening(sec_websocket_key="\xe9\xff not ASCII"),
        opening(sec_websocket_key=f"{KEY}, {KEY}"),
    ],
)
def test_what_cannot_be_a_websocket_is_a_400(bad: Opening) -> None:
    refusal = check(bad)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (400, "bad_upgrade")


@pytest.mark.parametrize("version", [None, "", "8", "13.0", "thirteen"])
def test_another_version_is_a_426_that_names_ours(version: str | None) -> None:
    refusal = check(opening(sec_websocket_version=version))
    assert refusal is not None
    assert refusal.status == 426
    answer = refuse(refusal, b"{}")
    assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in answer
    assert b"\r\nContent-Length: 2\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n{}")


def test_offered_subprotocols_keep_their_order() -> None:
    assert offered_subprotocols(opening()) == []
    assert offered_subprotocols(opening(sec_websocket_protocol="a, b,,c ")) == ["a", "b", "c"]


def test_identity_is_read_from_headers_and_else_from_the_query() -> None:
    query = "connectionId=ws-2-q&clientVersion=2.0&sessionTimeout=1000"
    headers = {"x_connection_id": "ws-1-h", "x_client_version": "1.0 (py)", "x_session_timeout": "1800000"}
    assert identity(opening(query, **headers)) == Identity("ws-1-h", "1.0 (py)", 1_800_000)
    assert identity(opening(query)) == Identity("ws-2-q", "2.0", 1000)
    assert identity(opening()) == Identity("", "", None)


@pytest.mark.parametrize("bad", ["x" * 129, "a b", "a\r\nSet-Cookie: b", "ws-é", "a/b", "<script>"])
def test_a_connection_id_that_does_not_fit_is_not_taken(bad: str) -> None:
    assert identity(opening(x_connection_id=bad)).connection_id == ""


def test_other_claims_that_do_not_fit_are_not_taken() -> None:
    told = identity(opening(x_client_version="1\x07", x_session_timeout="-5"))
    assert (told.client_version, told.session_timeout_ms) == ("", None)
    assert identity(opening(x_session_timeout="9" * 5000)).session_timeout_ms is None
    assert identity(opening("sessionTimeout=٣")).session_timeout_ms is None
