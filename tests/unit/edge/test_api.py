"""The REST application without sockets: what every path has in common."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from quotewire.edge import api
from tests.unit.edge.conftest import MakeServices

LOOKUP = "/api-market/symbols/lookup"


@pytest.fixture
async def http(make_services: MakeServices) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=api.create(make_services()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/api-auth/persons", "/", "/docs", "/openapi.json"])
async def test_head_is_get_without_the_body(http: httpx.AsyncClient, path: str) -> None:
    asked, headed = await http.get(path), await http.head(path)
    assert headed.status_code == asked.status_code
    assert headed.headers["content-type"] == asked.headers["content-type"]
    assert headed.content == b""
    assert asked.content


async def test_head_of_a_path_that_only_takes_posts(http: httpx.AsyncClient) -> None:
    answer = await http.head(LOOKUP)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"content": "{bad", "headers": {"content-type": "application/json"}}, "the body is not JSON"),
        ({"content": '{"symbols":["A"]}'}, "content-type: application/json"),
        ({"json": []}, "the body must be a JSON object"),
        ({"json": "text"}, "the body must be a JSON object"),
        ({}, "needs a JSON object"),
        ({"json": {}}, "symbols: Field required"),
        ({"json": {"symbols": [1]}}, "symbols.0: "),
    ],
)
async def test_a_bad_body_is_told_in_a_sentence(http: httpx.AsyncClient, sent: dict[str, Any], told: str) -> None:
    answer = await http.post(LOOKUP, **sent)
    failure = answer.json()
    assert answer.status_code == 400
    assert (failure["success"], failure["code"]) == (False, "invalid_request")
    assert told in failure["error"]
    assert failure["requestId"] == answer.headers["x-request-id"]


async def test_the_openapi_document_tells_the_refusals_that_are_given(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    answers = {
        status
        for operations in document["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }
    assert "422" not in answers
    refusal = document["paths"][LOOKUP]["post"]["responses"]["400"]
    assert refusal["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}
    assert "Failure" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
