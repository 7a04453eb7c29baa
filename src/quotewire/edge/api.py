"""The REST application: the routers, the failure envelope on every path, body limits, CORS, and the dashboard."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quotewire.edge import routes_admin, routes_auth, routes_market, routes_ops, routes_stream
from quotewire.edge.answers import Refused, failure, request_id
from quotewire.edge.gate import Gate
from quotewire.edge.routes_stream import HEAD
from quotewire.edge.services import Services
from quotewire.errors import QuotewireError, RateLimitedError, UpstreamError
from quotewire.version import VERSION

log = logging.getLogger("quotewire.edge.api")

WEB = Path(__file__).parent / "web"
MAX_BODY_BYTES = 1024 * 1024
PATIENCE = 8
"""A body this many times the limit is cut off; one that is merely too long is read to its end and refused."""

PAGE_POLICY = {
    # The page loads its own files and speaks to this gateway, or to the one it was built for; nothing else may.
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' http: https: ws: wss:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
HTTP_CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class Stoppable:
    """ASGI middleware: a request still being served when the gateway stops is cancelled, and told so."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if not self._gate.draining:
                raise
            if not begun and scope["type"] == "http":
                headers = {"Retry-After": "5", "Connection": "close"}
                refusal = failure(Request(scope), 503, "stopping", "the gateway is stopping", headers)
                await refusal(scope, receive, send)


class HeadAsGet:
    """ASGI middleware that answers HEAD wherever GET is answered (RFC 9110 section 9.1): the same, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def bodiless(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET", HEAD: True}, receive, bodiless)


class BodyLimit:
    """ASGI middleware that refuses a body longer than the limit, declared or not, before anyone holds it whole."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        size = 0
        more = True
        # Read on past the limit, keeping nothing: a peer that is still sending when the socket closes hears no answer.
        while more and size <= self._limit * PATIENCE:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunk = message.get("body", b"")
            size += len(chunk)
            more = message.get("more_body", False)
            if size <= self._limit:
                chunks.append(chunk)
        if size > self._limit:
            told = f"a request body may have {self._limit} bytes"
            refusal = failure(Request(scope), 413, "body_too_large", told, {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": b"".join(chunks), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


def create(services: Services) -> FastAPI:
    """Build the application."""
    app = FastAPIOffline(
        title="quotewire",
        version=VERSION,
        description="One Questrade login, any number of screens. The WebSocket is described in spec/PROTOCOL.md.",
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Stoppable, gate=services.gate)
    origins = list(services.settings.cors_origins)
    if origins:  # the outermost, so that a page can read the refusals of the others too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After", "ETag", "X-Connection-ID"],
            max_age=600,
        )
    _handle_failures(app)
    for module in (routes_auth, routes_market, routes_stream, routes_ops, routes_admin):
        app.include_router(module.router(services))
    _serve_dashboard(app)
    _describe_refusals(app)
    return app


def _describe_refusals(app: FastAPI) -> None:
    """A bad request is answered with 400 and the failure envelope: the OpenAPI document has to say so too."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        schema = described()
        for operations in schema["paths"].values():
            for operation in operations.values():
                if operation["responses"].pop("422", None) is not None:
                    failure = {"schema": {"$ref": "#/components/schemas/Failure"}}
                    told = {"description": "The request is malformed", "content": {"application/json": failure}}
                    operation["responses"]["400"] = told
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _malformed(request: Request, error: dict[str, Any]) -> str:
    """Say what is wrong with a request, from the first thing that was found."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error['ctx']['error']} (character {where})"
    if where:
        return f"{where}: {error['msg']}"
    if error["type"] == "missing":
        return "this path needs a JSON object as its body"
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        return "the body must be sent with content-type: application/json"
    return "the body must be a JSON object"


def _handle_failures(app: FastAPI) -> None:
    async def refused(request: Request, error: Any) -> Response:
        return failure(request, error.status, error.code, str(error), error.headers)

    async def invalid(request: Request, error: Any) -> Response:
        return failure(request, 400, "invalid_request", _malformed(request, error.errors()[0]))

    async def http(request: Request, error: Any) -> Response:
        code = HTTP_CODES.get(error.status_code, f"http_{error.status_code}")
        told = f"there is nothing at {request.url.path}" if error.status_code == 404 else str(error.detail)
        return failure(request, error.status_code, code, told, error.headers)

    async def known(request: Request, error: Any) -> Response:
        headers = {"Retry-After": str(int(error.retry_after_s) + 1)} if isinstance(error, RateLimitedError) else None
        status = 503 if isinstance(error, UpstreamError) else 500
        log.warning(
            str(error), extra={"event": "request_failed", "code": error.code, "request_id": request_id(request)}
        )
        return failure(request, status, error.code, str(error), headers)

    async def unknown(request: Request, error: Any) -> Response:
        told = "the gateway failed to serve this request; its log says why under the request id"
        log.error("request failed", exc_info=error, extra={"event": "request_error", "request_id": request_id(request)})
        return failure(request, 500, "internal_error", told)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(QuotewireError, known)
    app.add_exception_handler(Exception, unknown)


def _serve_dashboard(app: FastAPI) -> None:
    index = WEB / "index.html"

    @app.get("/", include_in_schema=False)
    async def dashboard() -> Response:
        if index.is_file():
            return FileResponse(index, headers={"Cache-Control": "no-cache", **PAGE_POLICY})
        return PlainTextResponse("The dashboard is not built: run `make web`. The API is described at /docs.")

    assets = WEB / "assets"
    if assets.is_dir():
        app.mount("/assets", StaticFiles(directory=assets), name="assets")
