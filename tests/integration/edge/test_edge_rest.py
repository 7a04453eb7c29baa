"""The REST paths over real sockets: shapes, the envelope on every failure, and what stands in the headers."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from quotewire.errors import RateLimitedError, UpstreamUnavailableError
from quotewire.market.quote import Freshness
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, external_references, raw
from tests.wire_samples import quote, upstream


def data(answer: httpx.Response) -> Any:
    told = answer.json()
    assert (answer.status_code, told["success"]) == (200, True), told
    assert answer.headers["cache-control"] == ("private, no-cache" if "etag" in answer.headers else "no-store")
    assert answer.headers["x-request-id"]
    return told["data"]


def failure(answer: httpx.Response, status: int, code: str) -> str:
    told = answer.json()
    assert (answer.status_code, told["success"], told["code"]) == (status, False, code)
    assert set(told) == {"success", "error", "code", "requestId"}
    assert told["requestId"] == answer.headers["x-request-id"]
    return str(told["error"])


# --- what front ends of this system do, in their order ---


async def test_the_road_of_an_existing_front_end(edge: EdgeGateway) -> None:
    edge.publish(1, 2)
    async with edge.http() as http:
        persons = data(await http.get("/api-auth/persons"))
        assert persons == [{"personName": "alice", "isActive": True}, {"personName": "bob", "isActive": False}]
        token = data(await http.get("/api-auth/auth/access-token/alice"))
        assert set(token) == {"accessToken", "apiServer", "expiresAt"}
        symbols = data(await http.post("/api-market/symbols/lookup", json={"symbols": ["S1", "S2"]}))
        ids = [symbols[name]["symbolId"] for name in ("S1", "S2")]
        asked = {"symbolIds": ids, "personName": "alice"}
        port = data(await http.post("/api-market/symbols/stream-port", json=asked))["streamPort"]
    url = token["apiServer"].replace("http", "ws") + f":{port}"
    assert url == f"ws://127.0.0.1:{edge.port}"
    async with raw(edge) as client:
        assert (await client.upgrade("/")).status == 101
        await client.text(token["accessToken"])
        assert (await client.message())["success"] is True
        await client.text({"mode": "streaming", "ids": ids})
        assert (await client.message())["type"] == "subscribed"
        assert [q["symbolId"] for q in (await client.message())["quotes"]] == ids


async def test_the_token_is_ours_and_expires_when_it_says(edge_with: EdgeWith) -> None:
    edge = await edge_with(QUOTEWIRE_TOKEN_TTL="60000")
    async with edge.http() as http:
        token = data(await http.get("/api-auth/auth/access-token/alice"))
    claims = edge.services.tokens.verify(token["accessToken"])
    assert claims.person == "alice"
    assert 50 < claims.expires_at - time.time() <= 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token["expiresAt"])


@pytest.mark.parametrize(
    ("query", "refreshed"), [("", 0), ("?refresh=true", 1), ("?refresh", 1), ("?refresh=1", 1), ("?refresh=false", 0)]
)
async def test_refresh_asks_the_upstream(edge: EdgeGateway, query: str, refreshed: int) -> None:
    async with edge.http() as http:
        data(await http.get(f"/api-auth/auth/access-token/alice{query}"))
    assert edge.upstream.calls == [("refresh", ("alice", True))] * refreshed


async def test_lookup_serves_in_part(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        answer = await http.post("/api-market/symbols/lookup", json={"symbols": [" S1", "NOPE", "S1"]})
    found = data(answer)
    assert set(found) == {"S1"}
    assert (found["S1"]["symbolId"], found["S1"]["currency"]) == (1, "CAD")
    assert answer.json()["errors"] == [
        {
            "symbol": "NOPE",
            "code": "unknown_symbol",
            "error": "Questrade knows no symbol NOPE",
            "retryable": False,
        }
    ]
    assert edge.upstream.calls == [("resolve", (("S1", "NOPE"), ()))]


async def test_search(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        found = data(await http.get("/api-market/symbols/search", params={"prefix": "s4", "offset": 1}))
        assert [symbol["symbol"] for symbol in found][:2] == ["S40", "S41"]
        too_long = "x" * 65
        for query in ("", "?prefix=", f"?prefix={too_long}", "?prefix=S&offset=-1", "?prefix=S&offset=x"):
            failure(await http.get(f"/api-market/symbols/search{query}"), 400, "invalid_request")


async def test_quotes_come_from_the_stream_and_else_are_asked_for(edge: EdgeGateway) -> None:
    edge.publish(1)
    edge.hub.publish([quote(3, 7, freshness=Freshness.STALE)])
    async with edge.http() as http:
        answer = await http.post("/api-market/quotes/batch", json={"symbols": ["S2", "S1", "S3", "S13", "NOPE", "S1"]})
    quotes = {q["symbol"]: q for q in data(answer)}
    assert list(quotes) == ["S2", "S1", "S3"]
    assert {name: q["source"] for name, q in quotes.items()} == {"S1": "stream", "S2": "poll", "S3": "poll"}
    assert "VWAP" in quotes["S1"]
    assert [(problem["symbol"], problem["code"]) for problem in answer.json()["errors"]] == [
        ("NOPE", "unknown_symbol"),
        ("S13", "upstream_unavailable"),
    ]
    assert ("snapshot", (2, 3, 13)) in edge.upstream.calls


async def test_quotes_that_did_not_change_are_not_sent_again(edge: EdgeGateway) -> None:
    edge.publish(1, 3)
    body = {"symbols": ["S1", "S3", "NOPE"]}
    asks: tuple[Callable[[httpx.AsyncClient, dict[str, str]], Awaitable[httpx.Response]], ...] = (
        lambda http, headers: http.post("/api-market/quotes/batch", json=body, headers=headers),
        lambda http, headers: http.get("/api-market/quotes?symbols=S1,S3,NOPE", headers=headers),
    )
    async with edge.http() as http:
        for ask in asks:
            first = await ask(http, {})
            tag = first.headers["etag"]
            assert first.status_code == 200
            assert first.headers["cache-control"] == "private, no-cache"
            for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
                again = await ask(http, {"If-None-Match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
                assert again.headers["cache-control"] == "private, no-cache"
                assert again.headers["x-request-id"]
            assert (await ask(http, {"If-None-Match": '"other"'})).status_code == 200
            edge.publish(3)
            changed = await ask(http, {"If-None-Match": tag})
            assert (changed.status_code, changed.json()["data"][1]["sequence"]) == (200, edge.sequences[3])
            assert changed.headers["etag"] != tag
        other = await http.get("/api-market/quotes?symbols=S3,S1,NOPE")
        assert other.headers["etag"] != (await http.get("/api-market/quotes?symbols=S1,S3,NOPE")).headers["etag"]
        head = await http.head("/api-market/quotes?symbols=S1")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == (await http.get("/api-market/quotes?ids=1")).headers["etag"]


async def test_quotes_whose_freshness_changed_have_changed(edge: EdgeGateway) -> None:
    edge.hub.publish([quote(1, 1)])
    async with edge.http() as http:
        tag = (await http.get("/api-market/quotes?ids=1")).headers["etag"]
        edge.hub.publish([quote(1, 2, freshness=Freshness.HALTED)])
        edge.upstream.quotes[1] = quote(1, 2, freshness=Freshness.HALTED)
        changed = await http.get("/api-market/quotes?ids=1", headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["data"][0]["freshness"]) == (200, "halted")


@pytest.mark.parametrize("query", ["", "?symbols=", "?ids=x", "?ids=0", "?symbols=%00", f"?ids={'1,' * 12001}"])
async def test_quotes_of_nothing_are_refused(edge: EdgeGateway, query: str) -> None:
    async with edge.http() as http:
        failure(await http.get(f"/api-market/quotes{query}"), 400, "invalid_request")


async def test_no_symbols_is_no_error(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        for path in ("/api-market/quotes/batch", "/api-market/symbols/lookup"):
            assert not data(await http.post(path, json={"symbols": []}))


# --- failures ---


class Boom(Exception):
    """Nothing the gateway knows."""


async def failing(edge: EdgeGateway, error: Exception) -> httpx.Response:
    async def fail(name: str) -> None:
        raise error

    edge.upstream.before = fail
    async with edge.http() as http:
        return await http.get("/api-market/symbols/search?prefix=S", headers={"X-Request-ID": "req-1"})


async def test_a_defect_of_ours_is_a_500_that_tells_nothing_and_is_logged(
    edge: EdgeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await failing(edge, Boom("s3cr3t detail"))
    assert "s3cr3t" not in failure(answer, 500, "internal_error")
    assert answer.json()["requestId"] == "req-1"
    logged = [record for record in caplog.records if record.name == "quotewire.edge.api"]
    assert [vars(record)["request_id"] for record in logged] == ["req-1"]
    assert logged[0].levelno == logging.ERROR
    async with edge.http() as http:
        assert (await http.get("/health")).status_code == 200


async def test_an_upstream_that_is_away_is_a_503(edge: EdgeGateway) -> None:
    told = failure(
        await failing(edge, UpstreamUnavailableError("Questrade does not answer")), 503, "upstream_unavailable"
    )
    assert told == "Questrade does not answer"


async def test_a_rate_limit_of_the_upstream_says_when_to_come_back(edge: EdgeGateway) -> None:
    answer = await failing(edge, RateLimitedError("too fast", retry_after_s=4.2))
    failure(answer, 503, "rate_limited")
    assert answer.headers["retry-after"] == "5"


async def test_request_ids_are_echoed_where_they_fit(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        for path in ("/health", "/nowhere", "/docs/x"):
            answer = await http.get(path, headers={"X-Request-ID": "sub-1764000000000-abc"})
            assert answer.headers["x-request-id"] == "sub-1764000000000-abc"
        for bad in ("x" * 129, "with space", "é", ""):
            answer = await http.get("/nowhere", headers=[(b"X-Request-ID", bad.encode("latin-1"))])
            assert answer.json()["requestId"].startswith("req-")
        ids = {(await http.get("/health")).headers["x-request-id"] for _ in range(5)}
        assert len(ids) == 5


@pytest.mark.parametrize("host", ["", "[::1", "a:b"])
async def test_a_host_header_that_names_no_host_is_a_400(edge: EdgeGateway, host: str) -> None:
    async with raw(edge) as client:
        answer = await client.request(f"GET /api-auth/auth/access-token/alice HTTP/1.1\nHost: {host}")
        assert (answer.status, answer.json()["code"]) == (400, "bad_request")


# --- who is asking ---


async def test_a_trusted_proxy_says_how_clients_reach_us(edge_with: EdgeWith) -> None:
    edge = await edge_with(QUOTEWIRE_TRUSTED_PROXIES="127.0.0.0/8")
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "q.example.com"}
    async with edge.http() as http:
        assert data(await http.get("/api-auth/auth/access-token/alice", headers=headers))["apiServer"] == (
            "https://q.example.com"
        )
        port = await http.post("/api-market/symbols/stream-port", json={"symbolIds": [1]}, headers=headers)
        assert data(port)["streamPort"] == 443


async def test_nobody_else_does(edge: EdgeGateway) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "1.2.3.4"}
    async with edge.http() as http:
        token = data(await http.get("/api-auth/auth/access-token/alice", headers=headers))
        assert token["apiServer"] == "http://127.0.0.1"
        port = await http.post("/api-market/symbols/stream-port", json={}, headers=headers)
        assert data(port)["streamPort"] == edge.port


# --- operators ---


async def test_health_and_ready(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        health = (await http.get("/health")).json()
        assert (health["success"], health["status"], health["connections"], health["persons"]) == (True, "ok", 0, 2)
        assert health["uptime"] >= 0
        assert health["upstream"]["state"] == "connected"
        ready = await http.get("/ready")
        assert (ready.status_code, ready.json()) == (200, {"success": True, "ready": True, "reasons": []})
        edge.upstream.state = upstream("error", reason="the token was refused")
        edge.upstream.people = []
        ready = await http.get("/ready")
        assert ready.status_code == 503
        assert len(ready.json()["reasons"]) == 1
        assert (await http.get("/health")).status_code == 200
        assert data(await http.get("/api/upstream")) == {"persons": []}


async def test_metrics_are_prometheus_and_count(edge: EdgeGateway) -> None:
    async with raw(edge) as client, edge.http() as http:
        await client.hello(edge, 1)
        edge.publish(1)
        await client.message()
        answer = await http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        read = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    assert read["quotewire_connections",] == 1
    assert read["quotewire_connections_opened_total", "native"] == 1
    assert read["quotewire_messages_received_total",] == 2
    assert read["quotewire_updates_total",] == 1
    assert read["quotewire_deliveries_total",] == 1
    assert read["quotewire_symbols_wanted",] == 1
    assert read["quotewire_ready",] == 1
    assert read["quotewire_bytes_sent_total",] > 100


REPORT = {
    "connectionId": "ws-1",
    "connectionsAttempted": 3,
    "messagesReceived": 100,
    "averageLatency": 12.5,
    "lastQuoteTime": "2025-11-24T16:00:00Z",
    "status": "connected",
    "somethingNew": {"a": 1},
}


async def test_clients_report_where_the_setting_says(edge_with: EdgeWith) -> None:
    edge = await edge_with(METRICS_ENDPOINT="/stats/clients")
    async with edge.http() as http:
        assert data(await http.post("/stats/clients/websocket", json=REPORT)) == {"received": True}
        data(await http.post("/stats/clients/websocket", json={**REPORT, "messagesReceived": 150}))
        summary = data(await http.get("/stats/clients"))
        assert (summary["clients"], summary["reports"], summary["messagesReceived"]) == (1, 2, 150)
        assert summary["averageLatency"] == 12.5
        # Front ends that know nothing of the setting are heard as well.
        assert data(await http.post("/api/metrics/websocket", json=REPORT)) == {"received": True}
        assert data(await http.get("/stats/clients"))["reports"] == 3
        failure(await http.get("/api/metrics"), 404, "not_found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"messagesReceived": -1},
        {"messagesReceived": "many"},
        {"messagesSent": 1e300},
        {"averageLatency": "NaN"},
        {"connectionId": "x" * 129},
        {"connectionId": 5},
    ],
)
async def test_reports_that_do_not_fit_are_refused(edge: EdgeGateway, wrong: dict[str, Any]) -> None:
    async with edge.http() as http:
        failure(await http.post("/api/metrics/websocket", json={**REPORT, **wrong}), 400, "invalid_request")
        for number in ("NaN", "Infinity", "1e400"):
            content = f'{{"connectionId":"x","messagesReceived":{number}}}'
            headers = {"Content-Type": "application/json"}
            answer = await http.post("/api/metrics/websocket", content=content, headers=headers)
            failure(answer, 400, "invalid_request")
        assert data(await http.get("/api/metrics"))["reports"] == 0


async def test_without_metrics_there_are_none(edge_with: EdgeWith) -> None:
    edge = await edge_with(ENABLE_METRICS="false")
    async with edge.http() as http:
        for method, path in (("GET", "/metrics"), ("GET", "/api/metrics"), ("POST", "/api/metrics/websocket")):
            failure(await http.request(method, path, json={} if method == "POST" else None), 404, "not_found")
        assert (await http.get("/health")).status_code == 200


# --- pages of other origins ---

PAGE = {"Origin": "https://app.example.com"}
ASK_FIRST = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


async def test_in_development_any_page_may_call(edge_with: EdgeWith) -> None:
    edge = await edge_with(QUOTEWIRE_ENV="development")
    async with edge.http() as http:
        assert (await http.get("/health", headers=PAGE)).headers["access-control-allow-origin"] == "*"
        asked = await http.options("/api-market/quotes/batch", headers=ASK_FIRST)
        assert asked.status_code == 200
        assert "POST" in asked.headers["access-control-allow-methods"]
        too_big = await http.post("/api-market/quotes/batch", content=b"x" * 1_100_000, headers=PAGE)
        assert (too_big.status_code, too_big.headers["access-control-allow-origin"]) == (413, "*")
        assert "x-request-id" in too_big.headers["access-control-expose-headers"].lower()


async def test_in_production_none_may_unless_it_is_named(edge_with: EdgeWith) -> None:
    edge = await edge_with()
    async with edge.http() as http:
        assert "access-control-allow-origin" not in (await http.get("/health", headers=PAGE)).headers
        asked = await http.options("/api-market/quotes/batch", headers=ASK_FIRST)
        failure(asked, 405, "method_not_allowed")


async def test_named_origins_and_no_others(edge_with: EdgeWith) -> None:
    edge = await edge_with(CORS_ORIGIN="https://app.example.com,https://b.example")
    async with edge.http() as http:
        allowed = await http.get("/health", headers=PAGE)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        other = await http.get("/health", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


# --- pages of ours ---


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_api_pages_need_nothing_from_elsewhere(edge: EdgeGateway, page: str) -> None:
    async with edge.http() as http:
        html = await http.get(page)
        assert html.status_code == 200
        assert external_references(html.text) == []
        parts = re.findall(r'(?:src|href)="(/[^"]+)"', html.text)
        assert parts
        for part in parts:
            assert (await http.get(part)).status_code == 200, part


async def test_the_openapi_document_describes_what_is_really_answered(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        document = (await http.get("/openapi.json")).json()
    paths = document["paths"]
    assert {
        "/api-auth/persons",
        "/api-auth/auth/access-token/{person}",
        "/api-market/symbols/lookup",
        "/api-market/symbols/stream-port",
        "/api-market/quotes",
        "/api-market/quotes/batch",
        "/api-market/quotes/stream",
        "/api/metrics/websocket",
        "/health",
        "/ready",
        "/metrics",
    } <= set(paths)
    for path, methods in paths.items():
        for method, described in methods.items():
            assert "422" not in described["responses"], (method, path)
    assert "400" in paths["/api-market/quotes/batch"]["post"]["responses"]
    assert "ValidationError" not in document["components"]["schemas"]


async def test_the_dashboard_is_served_and_needs_nothing_from_elsewhere(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        page = await http.get("/")
        assert page.status_code == 200
        assert external_references(page.text) == []


# --- the connection itself ---


async def test_requests_share_a_connection_and_may_be_pipelined(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        await client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        statuses = [(await client.answer()).status for _ in range(6)]
    assert statuses == [200, 404] * 3


async def test_an_upgrade_to_something_else_is_an_ordinary_request(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        asked = (
            "GET /health HTTP/1.1\nHost: x\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk"
        )
        assert (await client.request(asked)).status == 200
        assert (await client.request("GET /health HTTP/1.1\nHost: x")).status == 200


async def test_a_request_that_is_answered_late_still_is(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_UPGRADE_TIMEOUT="100")
    release = asyncio.Event()

    async def hold(name: str) -> None:
        await release.wait()

    edge.upstream.before = hold
    async with edge.http() as http:
        asked = asyncio.create_task(http.get("/api-market/symbols/search?prefix=S"))
        asyncio.get_running_loop().call_later(0.4, release.set)
        assert (await asked).status_code == 200


async def test_a_head_in_pieces_within_its_time_is_read(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        for byte in b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n":
            await client.send(bytes((byte,)))
        assert (await client.answer()).status == 200


async def test_a_head_of_thirty_thousand_bytes_is_read(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        assert (await client.request("GET /health HTTP/1.1\nHost: x\nX-Big: " + "x" * 30_000)).status == 200
        assert (await client.request("GET /health HTTP/1.1\nHost: x\nX-Big: " + "x" * 30_000)).status == 200
