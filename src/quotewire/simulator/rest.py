"""The API host's HTTP side: authorization, faults, limits, then the route's answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from quotewire.simulator import bodies
from quotewire.simulator.arguments import check_names
from quotewire.simulator.call import Call
from quotewire.simulator.faults import ActiveFault, Seam
from quotewire.simulator.http import cut, gone
from quotewire.simulator.limits import EVERYONE, Category, Verdict
from quotewire.simulator.oauth import HTML, JSON, TEXT
from quotewire.simulator.refusals import MAX_BODY_BYTES, Refusal
from quotewire.simulator.routes import Route, find
from quotewire.simulator.tokens import AccessState
from quotewire.simulator.world import World

DEAD_PORT: Final = 9  # the discard port: nobody listens there on a machine of today
_ENCODE: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Visit:
    """One request on its way: who asks, and what became of it."""

    request: Request
    path: str
    person: str | None = None
    route: str = "unknown"
    fault: str | None = None
    code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Api:
    """One API host's `/v1`. `port_of` names its streaming ports, `subscribe` tells the sockets."""

    world: World
    port_of: Callable[[str], int]
    subscribe: Callable[[str, tuple[int, ...]], None]

    async def serve(self, request: Request) -> Response:
        """Answer one request below `/v1/`."""
        visit = Visit(request, request.path_params["path"].strip("/"), self._person(request))
        try:
            response = await self._answer(visit)
        except Refusal as refusal:
            visit.code = refusal.code
            response = Response(_ENCODE(refusal.body()), refusal.status, visit.headers, media_type=JSON)
        self.world.ledger.call(
            self.world.real_now(),
            visit.person,
            request.method,
            visit.path,
            visit.route,
            response.status_code,
            visit.code,
            visit.fault,
        )
        return response

    async def _answer(self, visit: Visit) -> Response:
        book, now = self.world.faults, self.world.monotonic()
        if any("api" in each.params["parts"] for each in book.standing(Seam.DOWN, visit.person, now)):
            visit.fault = "down"
            return await _cut(visit, "reset")
        bent = book.modifiers(Seam.REST, visit.person, now, visit.path)
        for fault in bent:
            if fault.spec.name == "rest_slow":
                await asyncio.sleep(fault.params["after_s"])
        if self.world.config.refuse_default_agents and bodies.is_default_agent(visit.request.headers.get("user-agent")):
            return Response(bodies.FORBIDDEN, 403, media_type=HTML)
        taken = book.take(Seam.REST, visit.person, now, visit.path)
        if taken is not None:
            visit.fault = taken.spec.name
            return await self._fail(visit, taken)
        route, variables = find(visit.request.method, visit.path)
        visit.route = route.path
        person = self._authorize(visit.request)
        self.world.last_rest[person] = now
        self._limit(visit, route, person)
        if route.scope is not None and route.scope not in self.world.config.scopes:
            raise Refusal(1016)
        query = dict(visit.request.query_params)
        check_names(query, route.arguments, self.world.config.max_argument_length)
        body = await _json_body(visit.request) if route.method == "POST" else None
        dead = any(each.spec.name == "stream_port_dead" for each in bent)
        port_of = (lambda kind: DEAD_PORT) if dead else self.port_of
        answer = route.answer(Call(self.world, person, variables, query, body, port_of, self.subscribe))
        return Response(_ENCODE(answer), 200, visit.headers, media_type=JSON)

    # -- who asks

    def _person(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.world.desk.holder(token, self.world.real_now()).person if scheme == "Bearer" else None

    def _authorize(self, request: Request) -> str:
        header = request.headers.get("authorization")
        if header is None:
            raise Refusal(1014)
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or " " in token.strip():
            raise Refusal(1015)
        holder = self.world.desk.holder(token.strip(), self.world.real_now())
        if holder.state is not AccessState.VALID or holder.person is None:
            raise Refusal(1017)
        return holder.person

    def _limit(self, visit: Visit, route: Route, person: str) -> None:
        if not self.world.config.limits:
            return
        verdict = self.world.limiter.call(self._payer(person), route.category, self.world.real_now())
        visit.headers = verdict.headers()
        if not verdict.allowed:
            raise Refusal(1006)

    def _payer(self, person: str) -> str:
        return person if self.world.config.limit_scope == "person" else EVERYONE

    # -- faults

    async def _fail(self, visit: Visit, fault: ActiveFault) -> Response:
        name, params = fault.spec.name, fault.params
        if name == "rest_drop":
            return await _cut(visit, params["style"])
        if name == "rest_hang":
            await gone(visit.request, params["after_s"])
            return await _cut(visit, "close")
        refusal = _refusals(name, params)
        if refusal is not None:
            visit.headers = self._fault_headers(visit, name, params)
            raise refusal
        status = int(params.get("status", 200))
        table = {
            "rest_status": (str(params.get("body", "")), status, TEXT),
            "rest_garbage": (bodies.HALF_JSON, 200, JSON),
            "rest_maintenance": (bodies.MAINTENANCE, status, HTML),
            "user_agent_403": (bodies.FORBIDDEN, status, HTML),
        }
        body, code, kind = table[name]
        return Response(body, code, media_type=kind)

    def _fault_headers(self, visit: Visit, name: str, params: Any) -> dict[str, str]:
        now = self.world.real_now()
        if name == "rate_limit_hour":
            return Verdict(False, 0, int(now + params["reset_s"])).headers()
        if name == "rate_limit_second":
            category = Category.MARKET if visit.path.startswith("markets") else Category.ACCOUNT
            return self.world.limiter.state(self._payer(visit.person or EVERYONE), category, now).headers()
        return {}


def _refusals(name: str, params: Any) -> Refusal | None:
    if name == "rest_error":
        return Refusal(params["code"], message=params["message"])
    codes = {"rest_unauthorized": 1017, "rest_scope": 1016, "rate_limit_second": 1006, "rate_limit_hour": 1006}
    return Refusal(codes[name]) if name in codes else None


async def _cut(visit: Visit, style: str) -> Response:
    await cut(visit.request, style)
    return Response(status_code=599)  # never sent: the connection is gone


async def _json_body(request: Request) -> Any:
    if "application/json" not in request.headers.get("content-type", ""):
        raise Refusal(1013)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refusal(1005)
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refusal(1002, "body") from None
