"""`/api-auth`: whose logins are held, and tokens of this gateway for the quote stream (R15)."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from quotewire.edge.addresses import is_trusted, requester
from quotewire.edge.answers import Refused, success
from quotewire.edge.ports import Person
from quotewire.edge.schemas import Failure, PersonView, Success, TokenView
from quotewire.edge.services import Services

TRUE = ("1", "true", "yes", "")


def public_endpoint(request: Request, services: Services) -> tuple[str, int]:
    """How clients reach this gateway: `scheme://host` without a port, and the port.

    From the setting where there is one; else from the request, believing X-Forwarded-* of trusted proxies alone (R25).
    """
    settings = services.settings
    url = settings.public_url
    if url is None:
        scheme = request.url.scheme
        host = request.headers.get("host", "")
        peer = request.client.host if request.client else ""
        if is_trusted(peer, settings.trusted_proxies):
            scheme = request.headers.get("x-forwarded-proto", scheme).split(",")[0].strip()
            host = request.headers.get("x-forwarded-host", host).split(",")[0].strip()
        url = f"{scheme}://{host}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise Refused(400, "bad_request", "the Host header does not name a host and port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}", port or (443 if parts.scheme == "https" else 80)


def find_person(services: Services, name: str) -> Person:
    """The person of that name. Raises Refused(404)."""
    for person in services.upstream.persons():
        if person.name == name:
            return person
    raise Refused(404, "unknown_person", f"no login is held for a person named {name[:64]!r}")


def router(services: Services) -> APIRouter:
    """The paths under /api-auth."""
    routes = APIRouter(prefix="/api-auth", tags=["auth"], responses={404: {"model": Failure}, 429: {"model": Failure}})

    @routes.get("/persons", response_model=Success[list[PersonView]], summary="Whose logins are held")
    async def persons(request: Request) -> Response:
        views = [{"personName": p.name, "isActive": p.is_active} for p in services.upstream.persons()]
        return success(request, views)

    @routes.get(
        "/auth/access-token/{person}",
        response_model=Success[TokenView],
        summary="A token of this gateway that opens the quote stream",
    )
    async def access_token(request: Request, person: str, refresh: str | None = None) -> Response:
        """`?refresh=true` forces a renewal of that person's own login too, at most once a minute.

        Between those a login that works is left alone, however many clients ask: each renewal cuts the streams on it.
        """
        refusal = services.gate.ask_token(requester(request, services.settings.trusted_proxies))
        if refusal is not None:
            raise Refused.by(refusal)
        found = find_person(services, person)
        if refresh is not None and refresh.lower() in TRUE:
            await services.upstream.refresh(found.name, force=True)
        token, expires_at = services.tokens.mint(found.name)
        api_server, _ = public_endpoint(request, services)
        expires = datetime.fromtimestamp(expires_at, UTC).isoformat().replace("+00:00", "Z")
        return success(request, {"accessToken": token, "apiServer": api_server, "expiresAt": expires})

    return routes
