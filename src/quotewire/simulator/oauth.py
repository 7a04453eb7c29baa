"""The login: `/oauth2/token` and `/oauth2/revoke`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from quotewire.simulator import bodies
from quotewire.simulator.faults import ActiveFault, Seam
from quotewire.simulator.http import cut, gone
from quotewire.simulator.tokens import Bought, RefreshState
from quotewire.simulator.world import World

LARGEST_FORM: Final = 16_384
JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(slots=True)
class Login:
    """Answers the login host. `api_root` is the current API host's root URL, without a slash at its end."""

    world: World
    api_root: Callable[[], str]
    refreshed: Callable[[str], None]

    async def token(self, request: Request) -> Response:
        """`/oauth2/token`, GET or POST, arguments in the query or the form. A refresh token is good for one answer."""
        values = await _values(request)
        token = values.get("refresh_token", "")
        person = self.world.desk.look(token, self.world.real_now()).person
        self.world.ledger.token_begins(person)
        try:
            return await self._answer(request, values, token, person)
        finally:
            self.world.ledger.token_ends(person)

    async def _answer(self, request: Request, values: dict[str, str], token: str, person: str | None) -> Response:
        book, now = self.world.faults, self.world.monotonic()
        if any("login" in each.params["parts"] for each in book.standing(Seam.DOWN, person, now)):
            self._note(request, person, token, "fault:down")
            await cut(request)
            return Response(status_code=500)
        bent = book.modifiers(Seam.TOKEN, person, now)
        if self.world.config.refuse_default_agents and bodies.is_default_agent(request.headers.get("user-agent")):
            self._note(request, person, token, "user_agent")
            return Response(bodies.FORBIDDEN, 403, media_type=HTML)
        fault_or_none = book.take(Seam.TOKEN, person, now)
        if fault_or_none is not None:
            return await self._fail(request, person, token, fault_or_none)
        if values.get("grant_type") != "refresh_token":
            self._note(request, person, token, "bad_grant_type")
            return Response(bodies.BAD_REQUEST, 400, media_type=TEXT)
        slow = next((each for each in bent if each.spec.name == "token_slow"), None)
        if slow is None:
            return self._redeem(request, token, bent)
        return await self._redeem_slowly(request, token, bent, slow)

    async def revoke(self, request: Request) -> Response:
        """`/oauth2/revoke`: ends the grant of a token of either kind. Status and body are unverified: 200, empty."""
        values = await _values(request)
        token = values.get("token", "")
        person = self.world.desk.revoke(token, self.world.real_now())
        self._note(request, person, token, "revoked" if person else "revoke_unknown")
        if person is not None:
            self.refreshed(person)
        return Response("", 200) if person else Response(bodies.BAD_REQUEST, 400, media_type=TEXT)

    async def _redeem_slowly(
        self, request: Request, token: str, bent: list[ActiveFault], slow: ActiveFault
    ) -> Response:
        if slow.params["spend"] == "at_once":
            answer = self._redeem(request, token, bent)
            await gone(request, slow.params["after_s"])
            return answer
        if await gone(request, slow.params["after_s"]):
            self._note(request, self.world.desk.look(token, self.world.real_now()).person, token, "abandoned")
            return Response(status_code=500)  # never sent: the client has gone, its token is as it was
        return self._redeem(request, token, bent)

    def _redeem(self, request: Request, token: str, bent: list[ActiveFault]) -> Response:
        life, shape, root = None, self.world.config.api_server, None
        for fault in bent:
            if fault.spec.name == "expires_in":
                life = fault.params["value"]
            elif fault.spec.name == "api_server_shape":
                shape = fault.params["shape"]
            elif fault.spec.name == "api_server":
                root = fault.params["value"]
        bought = self.world.desk.redeem(token, self.world.real_now(), life)
        if not isinstance(bought, Bought):
            outcome = "reused" if bought.state is RefreshState.SPENT else bought.state.value
            self._note(request, bought.person, token, outcome)
            return Response(bodies.BAD_REQUEST, 400, media_type=TEXT)
        self._note(request, bought.person, token, "granted")
        self.refreshed(bought.person)
        return Response(_token_body(bought, root or shaped(self.api_root(), shape)), media_type=JSON)

    async def _fail(self, request: Request, person: str | None, token: str, fault: ActiveFault) -> Response:
        name, params = fault.spec.name, fault.params
        if params.get("spend") or name == "token_lost_answer":
            bought = self.world.desk.redeem(token, self.world.real_now())
            if isinstance(bought, Bought):
                self.refreshed(bought.person)
        if name == "token_spent" and not params["keep"]:
            self.world.desk.spend(token)
        self._note(request, person, token, f"fault:{name}")
        if name in ("token_lost_answer", "token_drop"):
            await cut(request, params["style"])
        elif name == "token_hang":
            await gone(request, params["after_s"])
            await cut(request, "close")
        elif name == "token_524":
            await gone(request, params["after_s"])
        return _failures(name, params)

    def _note(self, request: Request, person: str | None, token: str, outcome: str) -> None:
        self.world.ledger.token_use(self.world.real_now(), person, token, outcome, request.method)


def shaped(root: str, shape: str) -> str:
    """An API root in one of the three documented shapes."""
    return {"slash": f"{root}/", "none": root, "v1": f"{root}/v1"}[shape]


def _token_body(bought: Bought, api_server: str) -> str:
    """The success body: keys in the captured order, slashes escaped, no blanks."""
    fields = {
        "access_token": bought.access_token,
        "api_server": api_server,
        "expires_in": bought.expires_in,
        "refresh_token": bought.refresh_token,
        "token_type": "Bearer",
    }
    return json.dumps(fields, separators=(",", ":")).replace("/", "\\/")


def _failures(name: str, params: object) -> Response:
    values = params if isinstance(params, dict) else {}
    status = int(values.get("status", 500))
    table = {
        "token_spent": (400, bodies.BAD_REQUEST, TEXT),
        "token_500": (500, "", TEXT),
        "token_524": (524, bodies.TIMEOUT, HTML),
        "token_429": (429, "Too Many Requests", TEXT),
        "token_maintenance": (status, bodies.MAINTENANCE, HTML),
        "token_garbage": (200, bodies.HALF_GRANT, JSON),
        "token_status": (status, str(values.get("body", "")), TEXT),
        "user_agent_403": (status, bodies.FORBIDDEN, HTML),
    }
    code, body, kind = table.get(name, (500, "", TEXT))
    return Response(body, code, media_type=kind)


async def _values(request: Request) -> dict[str, str]:
    """The arguments of a login call: those of the query, then those of a form body."""
    values = dict(parse_qsl(request.url.query, keep_blank_values=True))
    if request.method == "POST":
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_FORM:
                break
        values |= dict(parse_qsl(body[:LARGEST_FORM].decode("utf-8", "replace"), keep_blank_values=True))
    return values
