"""How the REST paths answer: the envelope, failures as values, and the request id in both."""

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from quotewire.wire.handshake import Refusal

_encode = msgspec.json.Encoder().encode
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class Refused(Exception):
    """A request that is not served; becomes a failure answer with this status."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    @classmethod
    def by(cls, refusal: Refusal) -> "Refused":
        """The refusal of an opening, as one of a request."""
        return cls(refusal.status, refusal.code, refusal.message, headers=dict(refusal.headers))


def choose_request_id(given: str) -> str:
    """`given` where it fits, else a new id."""
    return given if REQUEST_ID.fullmatch(given) else f"req-{int(time.time() * 1000)}-{secrets.token_hex(5)}"


def request_id(request: Request) -> str:
    """The client's own request id from `X-Request-ID`, else one made here; the same for the whole request."""
    kept: str | None = getattr(request.state, "request_id", None)
    if kept is None:
        kept = choose_request_id(request.headers.get("x-request-id", ""))
        request.state.request_id = kept
    return kept


def success(request: Request, data: Any, **more: Any) -> Response:
    """Answer `{success, data}`; `data` may hold msgspec structs."""
    return answer(request, 200, {"success": True, "data": data, **more})


def failure(
    request: Request, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer `{success: false, error, code, requestId}`."""
    told = {"success": False, "error": message, "code": code, "requestId": request_id(request)}
    return answer(request, status, told, headers)


def answer(request: Request, status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Answer JSON of any shape, never to be cached unless `headers` say so."""
    named = {"X-Request-ID": request_id(request), "Cache-Control": "no-store", **(headers or {})}
    return Response(_encode(body), status, named, media_type="application/json")


def not_modified(request: Request, headers: Mapping[str, str]) -> Response:
    """Answer that the client has what it asks for."""
    return Response(status_code=304, headers={"X-Request-ID": request_id(request), **headers})
