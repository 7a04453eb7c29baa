"""`/api-market`: symbols, quotes on request, and where the stream is (R15)."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from quotewire.edge.answers import Refused, answer, not_modified, success
from quotewire.edge.conditional import KEPT, tag_of, unchanged
from quotewire.edge.ports import LookedUp
from quotewire.edge.queries import Listed, wanted
from quotewire.edge.routes_auth import find_person, public_endpoint
from quotewire.edge.schemas import Failure, PartialSuccess, PortRequest, PortView, Success, SymbolsRequest
from quotewire.edge.services import Services
from quotewire.errors import UpstreamError
from quotewire.market.quote import Quote
from quotewire.wire.codes import ErrorCode

Prefix = Annotated[str, Query(min_length=1, max_length=64)]
Offset = Annotated[int, Query(ge=0, le=100_000)]


def problems(looked_up: Sequence[LookedUp]) -> list[dict[str, Any]]:
    """The symbols that were not found, as JSON."""
    return [
        {
            "symbol": str(item.asked),
            "code": item.code or ErrorCode.UNKNOWN_SYMBOL,
            "error": item.reason,
            "retryable": item.retryable,
        }
        for item in looked_up
        if item.symbol is None
    ]


def refuse_if_down(looked_up: Sequence[LookedUp]) -> None:
    """Raise Refused(503) when nothing at all could be looked up because the upstream cannot be reached."""
    if looked_up and all(item.symbol is None and item.retryable for item in looked_up):
        raise Refused(503, "upstream_unavailable", looked_up[0].reason, headers={"Retry-After": "5"})


def router(services: Services) -> APIRouter:
    """The paths under /api-market."""
    routes = APIRouter(prefix="/api-market", tags=["market"], responses={503: {"model": Failure}})

    @routes.get("/symbols/search", response_model=Success[list[dict[str, Any]]], summary="Symbols by prefix")
    async def search(request: Request, prefix: Prefix, offset: Offset = 0) -> Response:
        return success(request, await services.upstream.search(prefix, offset))

    @routes.post("/symbols/lookup", response_model=PartialSuccess[dict[str, Any]], summary="Symbols by name")
    async def lookup(request: Request, body: SymbolsRequest) -> Response:
        names = list(dict.fromkeys(body.symbols))
        looked_up = await services.upstream.resolve(names, [])
        refuse_if_down(looked_up)
        found = {str(item.asked): item.symbol for item in looked_up if item.symbol is not None}
        return success(request, found, errors=problems(looked_up))

    @routes.post("/symbols/stream-port", response_model=Success[PortView], summary="Where the stream is")
    async def stream_port(request: Request, body: PortRequest) -> Response:
        if body.personName is not None:
            find_person(services, body.personName)
        _, port = public_endpoint(request, services)
        return success(request, {"streamPort": port})

    told: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed since the ETag of If-None-Match"}}
    shape = PartialSuccess[list[dict[str, Any]]]

    @routes.post("/quotes/batch", response_model=shape, responses=told, summary="Quotes now")
    async def batch(request: Request, body: SymbolsRequest) -> Response:
        """From the stream where it carries the symbol, else asked of Questrade within its limits (`source: poll`)."""
        return await answer_quotes(request, services, list(dict.fromkeys(body.symbols)), [])

    @routes.get("/quotes", response_model=shape, responses=told, summary="Quotes now, by name or id")
    async def quotes(request: Request, symbols: Listed = "", ids: Listed = "") -> Response:
        """The same as a GET, `?symbols=A,B&ids=1,2`."""
        names, numbers = wanted(symbols, ids)
        return await answer_quotes(request, services, names, numbers)

    return routes


async def answer_quotes(request: Request, services: Services, names: list[str], ids: list[int]) -> Response:
    """The quotes of these symbols with their entity tag; 304 where the client has them (PROTOCOL.md section 11)."""
    looked_up = await services.upstream.resolve(names, ids)
    refuse_if_down(looked_up)
    known = [item.symbol for item in looked_up if item.symbol is not None]
    quotes = await quotes_now(services, [symbol.symbol_id for symbol in known])
    found = [quotes[i] for i in dict.fromkeys(symbol.symbol_id for symbol in known) if i in quotes]
    missing = [
        {
            "symbol": symbol.symbol,
            "code": ErrorCode.UPSTREAM_UNAVAILABLE,
            "error": "no quote could be had of it now",
            "retryable": True,
        }
        for symbol in known
        if symbol.symbol_id not in quotes
    ]
    errors = problems(looked_up) + missing
    tag = tag_of(found, errors)
    headers = {"ETag": tag, "Cache-Control": KEPT}
    if unchanged(request.headers.get("if-none-match", ""), tag):
        return not_modified(request, headers)
    told = {"success": True, "data": [msgspec.to_builtins(quote) for quote in found], "errors": errors}
    return answer(request, 200, told, headers)


async def quotes_now(services: Services, ids: Sequence[int]) -> dict[int, Quote]:
    """The newest quote of each id: what the stream carries, and the rest from the upstream.

    Raises UpstreamError when the upstream cannot be asked and nothing at all is known.
    """
    known = {symbol_id: services.hub.latest(symbol_id) for symbol_id in ids}
    quotes = {symbol_id: quote for symbol_id, quote in known.items() if quote is not None and quote.tradable}
    asked = [symbol_id for symbol_id in dict.fromkeys(ids) if symbol_id not in quotes]
    # An old value that says it is old is better than none.
    old = {symbol_id: quote for symbol_id, quote in known.items() if quote is not None and symbol_id in asked}
    if asked:
        try:
            quotes.update((quote.symbol_id, quote) for quote in await services.upstream.snapshot(asked))
        except UpstreamError:
            if not quotes and not old:
                raise
    quotes.update((symbol_id, quote) for symbol_id, quote in old.items() if symbol_id not in quotes)
    return quotes
