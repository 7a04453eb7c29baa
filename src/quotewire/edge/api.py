"""The REST application: the routers, the failure envelope on every path, body limits, CORS, and the dashboard."""

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

from quotewire.edge import routes_auth, routes_market, routes_ops
from quotewire.edge.answers import Refused, failure, request_id
from quotewire.edge.services import Services
from quotewire.errors import QuotewireError, RateLimitedError, UpstreamError
from quotewire.version import VERSION

log = logging.getLogger("quotewire.edge.api")

WEB = Path(__file__).parent / "web"
MAX_BODY_BYTES = 1024 * 1024
PATIENCE = 8
"""A body this many times the limit is cut off; one that is merely too long is read to its end and refused."""

HTTP_CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


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
    origins = list(services.settings.cors_origins)
    if origins:  # the outermost, so that a page can read the refusals of the others too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=600,
        )
    _handle_failures(app)
    for module in (routes_auth, routes_market, routes_ops):
        app.include_router(module.router(services))
    _serve_dashboard(app)
    return app


def _handle_failures(app: FastAPI) -> None:
    async def refused(request: Request, error: Any) -> Response:
        return failure(request, error.status, error.code, str(error), error.headers)

    async def invalid(request: Request, error: Any) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        told = f"{where}: {first['msg']}" if where else str(first["msg"])
        return failure(request, 400, "invalid_request", told)

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
            return FileResponse(index, headers={"Cache-Control": "no-cache"})
        return PlainTextResponse("The dashboard is not built: run `make web`. The API is described at /docs.")

    assets = WEB / "assets"
    if assets.is_dir():
        app.mount("/assets", StaticFiles(directory=assets), name="assets")
