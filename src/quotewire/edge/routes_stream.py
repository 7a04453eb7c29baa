"""`/api-market/quotes/stream`: quotes as server-sent events, for clients that cannot speak WebSocket."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response
from starlette.types import Receive, Scope, Send

from quotewire.edge.addresses import requester
from quotewire.edge.answers import Refused, request_id
from quotewire.edge.events import EventStream
from quotewire.edge.gate import too_many
from quotewire.edge.http import HTTP, STREAM_PATH
from quotewire.edge.limits import Seat
from quotewire.edge.queries import Listed, wanted
from quotewire.edge.schemas import Failure
from quotewire.edge.services import Services
from quotewire.errors import UnauthorizedError
from quotewire.wire.commands import Resolution
from quotewire.wire.events import read_positions
from quotewire.wire.handshake import CONNECTION_ID, Refusal
from quotewire.wire.options import Position

HEAD = "quotewire.head"
"""Set in the scope of a HEAD request that is served as a GET."""


class EventStreamResponse(Response):
    """The answer whose body is the stream."""

    media_type = "text/event-stream"

    def __init__(
        self,
        stream: EventStream,
        found: Sequence[Resolution],
        positions: Mapping[int, Position],
        headers: dict[str, str],
    ) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._stream = stream
        self._found = found
        self._positions = positions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the head, hand the socket over, and end the body when the stream is over."""
        stream, protocol = self._stream, scope[HTTP]
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        transport = cast(asyncio.Transport, protocol.transport)
        if transport.is_closing():
            stream.never_opened()
            return
        try:
            stream.open(transport, self._found, self._positions)
            protocol.stream = stream
            await stream.ended.wait()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            protocol.stream = None
            stream.lost()


def bearer(request: Request, access_token: str | None) -> str:
    """The client token: from the header, else from the query, where a browser's EventSource can set no header."""
    given = request.headers.get("authorization", "")
    return given.removeprefix("Bearer ") if given.startswith("Bearer ") else access_token or ""


def last_position(request: Request, given: str | None) -> Mapping[int, Position]:
    """Where the client left off. Raises Refused for what is no checkpoint of ours."""
    text = request.headers.get("last-event-id") or given or ""
    positions = read_positions(text)
    if positions is None:
        raise Refused(400, "invalid_request", "Last-Event-ID is no checkpoint of this gateway; leave it out")
    return positions


async def seated(request: Request, services: Services, key: str) -> tuple[Seat, str]:
    """A seat for the stream, counted as a connection of its address and key; and the address. Raises Refused."""
    gate, address = services.gate, requester(request, services.settings.trusted_proxies)
    seat = gate.seat(address)
    if isinstance(seat, Refusal):
        gate.refused[str(seat.status)] += 1
        raise Refused.by(seat)
    try:
        refusal = await gate.admit_to_whole(seat)
        if refusal is None:
            exceeded = await seat.join(key, asyncio.get_running_loop().time())
            refusal = None if exceeded is None else too_many(exceeded)
        if refusal is not None:
            raise Refused.by(refusal)
    except BaseException:
        seat.leave()
        raise
    return seat, address


async def resolved(services: Services, seat: Seat, names: Sequence[str], ids: Sequence[int]) -> list[Resolution]:
    """What was found of the symbols wanted. Raises Refused when nothing was, or when they are too many."""
    found = await services.gate.resolve(names, ids)
    missing = [each for each in found if each.code is not None]
    if len(missing) == len(found):
        if any(each.retryable for each in missing):
            raise Refused(503, "upstream_unavailable", missing[0].reason, headers={"Retry-After": "5"})
        raise Refused(404, "unknown_symbol", missing[0].reason)
    symbols = len({each.symbol_id for each in found if each.code is None})
    await seat.reserve(symbols)
    refused = seat.claim(symbols)
    if refused is not None:
        raise Refused(429, "too_many_symbols", refused)
    return found


def router(services: Services) -> APIRouter:
    """The stream."""
    refusals: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 404, 429, 503)}
    told: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "The stream"}}
    routes = APIRouter(tags=["market"], responses=refusals)

    @routes.get(STREAM_PATH, summary="Quotes as server-sent events", response_class=Response, responses=told)
    async def stream(
        request: Request,
        symbols: Listed = "",
        ids: Listed = "",
        access_token: str | None = None,
        last_event_id: Annotated[str | None, Query(alias="lastEventId")] = None,
    ) -> Response:
        """The quotes of the WebSocket, with the same epochs and sequences (PROTOCOL.md section 11).

        The client token is sent as `Authorization: Bearer`, or as `access_token` where no header can be set.
        """
        names, numbers = wanted(symbols, ids)
        positions = last_position(request, last_event_id)
        try:
            claims = services.tokens.verify(bearer(request, access_token))
        except UnauthorizedError as error:
            raise Refused(401, "unauthorized", str(error), headers={"WWW-Authenticate": "Bearer"}) from None
        connection_id = request.headers.get("x-connection-id", "")
        if not CONNECTION_ID.fullmatch(connection_id):
            connection_id = services.gate.new_connection_id()
        headers = {
            "Cache-Control": "no-store",
            "Connection": "close",
            "X-Accel-Buffering": "no",
            "X-Connection-ID": connection_id,
            "X-Request-ID": request_id(request),
        }
        if request.scope.get(HEAD):
            return Response(headers=headers, media_type=EventStreamResponse.media_type)
        seat, address = await seated(request, services, claims.key)
        try:
            found = await resolved(services, seat, names, numbers)
            events = EventStream(services.gate, seat, address=address, connection_id=connection_id)
            return EventStreamResponse(events, found, positions, headers)
        except BaseException:
            seat.leave()
            raise

    return routes
