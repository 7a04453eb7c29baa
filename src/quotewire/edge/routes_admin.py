"""`/admin`: what an operator may tell the gateway. There are no such paths without QUOTEWIRE_ADMIN_TOKEN.

The token is asked of everybody, of this machine too: behind a proxy that runs beside the gateway, the whole world comes
from loopback. It is refused on a connection that others can read, unless that comes from this machine.
"""

import hmac
from typing import Any

from fastapi import APIRouter, Request, Response

from quotewire.edge.addresses import is_trusted, requester
from quotewire.edge.answers import Refused, answer
from quotewire.edge.draining import WAYS
from quotewire.edge.schemas import DrainView, Failure, Success
from quotewire.edge.services import Services
from quotewire.settings import is_loopback


def authorize(request: Request, services: Services, admin_token: str) -> None:
    """Let the operator in. Raises Refused for anybody else; guesses are few, by the limit on token requests."""
    trusted = services.settings.trusted_proxies
    peer = request.client.host if request.client else ""
    scheme = request.url.scheme
    if is_trusted(peer, trusted):
        scheme = request.headers.get("x-forwarded-proto", scheme).split(",")[0].strip()
    address = requester(request, trusted)
    if scheme != "https" and not is_loopback(address):
        raise Refused(403, "insecure", "the admin token is taken over https, or from this machine")
    refusal = services.gate.ask_token(address)
    if refusal is not None:
        raise Refused.by(refusal)
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode("latin-1"), f"Bearer {admin_token}".encode("latin-1")):
        told = "this needs the header Authorization: Bearer, with the admin token"
        raise Refused(401, "unauthorized", told, headers={"WWW-Authenticate": "Bearer"})


def drain_view(services: Services) -> dict[str, Any]:
    """How far the gateway is with leaving."""
    drain = services.gate.drain
    return {"phase": drain.phase, "clients": len(services.gate.connections), **{way: drain.ways[way] for way in WAYS}}


def router(services: Services) -> APIRouter:
    """The paths under /admin; none where there is no admin token."""
    refusals: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (401, 403, 429)}
    routes = APIRouter(prefix="/admin", tags=["admin"], responses=refusals)
    admin_token = services.settings.admin_token
    if admin_token is None:
        return routes

    @routes.post(
        "/drain", status_code=202, response_model=Success[DrainView], summary="Send all clients away, then stop"
    )
    async def drain(request: Request) -> Response:
        """The gateway is unready at once, lets nobody in, and ends when its clients are gone, as after SIGTERM.

        Asking again changes nothing. `?now=true` sends away at once who is still here, as a second SIGTERM does.
        """
        authorize(request, services, admin_token)
        services.ask_drain(hasten=request.query_params.get("now", "").lower() in ("true", "1"))
        return answer(request, 202, {"success": True, "data": drain_view(services)})

    @routes.get("/drain", response_model=Success[DrainView], summary="How far the gateway is with leaving")
    async def progress(request: Request) -> Response:
        authorize(request, services, admin_token)
        return answer(request, 200, {"success": True, "data": drain_view(services)})

    return routes
