"""The control paths, for tests and people: faults, statistics, new tokens, order messages."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quotewire.simulator.faultlist import FAULTS
from quotewire.simulator.faults import FaultError, catalogue

LARGEST_BODY = 1_000_000


class Controlled(Protocol):
    """The part of the Simulator that can be reached from outside."""

    async def fault(
        self, name: str, *, person: str | None, count: int | None, seconds: float | None, **params: Any
    ) -> dict[str, Any]:
        """Put a fault in force."""

    async def clear(self, name: str | None, person: str | None) -> int:
        """End faults."""

    def issue_token(self, person: str) -> str:
        """Make a refresh token by hand."""

    def record(self, on: bool) -> None:
        """Keep the quotes sent, or stop."""

    def notify(self, person: str, orders: list[dict[str, Any]], executions: list[dict[str, Any]] | None) -> int:
        """Send an order message."""

    def stats(self, record: bool) -> dict[str, Any]:
        """What has happened."""


class FaultRequest(msgspec.Struct, forbid_unknown_fields=False):
    """`POST /control/fault`; other keys are the fault's own parameters."""

    fault: str
    person: str | None = None
    count: int | None = None
    seconds: float | None = None


class ClearRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /control/clear`; without a name all faults end."""

    fault: str | None = None
    person: str | None = None


class TokenRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /control/token`."""

    person: str


class RecordRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /control/record`."""

    on: bool = True


class NotifyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /control/notify`; each order and execution is laid over a plausible one."""

    person: str
    orders: list[dict[str, Any]] = msgspec.field(default_factory=lambda: [{}])
    executions: list[dict[str, Any]] | None = None


class Control:
    """Answers the control paths."""

    def __init__(self, target: Controlled) -> None:
        self._target = target

    async def fault(self, request: Request) -> Response:
        """Put a fault in force."""
        raw = msgspec.json.decode(await _body(request))
        wanted = msgspec.convert(raw, FaultRequest)
        params = {key: value for key, value in raw.items() if key not in FaultRequest.__struct_fields__}
        done = await self._target.fault(
            wanted.fault, person=wanted.person, count=wanted.count, seconds=wanted.seconds, **params
        )
        return _json(done)

    async def faults(self, request: Request) -> Response:
        """List the faults there are."""
        return _json({"faults": catalogue(FAULTS.values())})

    async def clear(self, request: Request) -> Response:
        """End faults."""
        wanted = msgspec.json.decode(await _body(request), type=ClearRequest)
        return _json({"cleared": await self._target.clear(wanted.fault, wanted.person)})

    async def token(self, request: Request) -> Response:
        """Make a refresh token by hand."""
        wanted = msgspec.json.decode(await _body(request), type=TokenRequest)
        return _json({"person": wanted.person, "refresh_token": self._target.issue_token(wanted.person)})

    async def record(self, request: Request) -> Response:
        """Keep the quotes sent, or stop."""
        wanted = msgspec.json.decode(await _body(request), type=RecordRequest)
        self._target.record(wanted.on)
        return _json({"record": wanted.on})

    async def notify(self, request: Request) -> Response:
        """Send an order message."""
        wanted = msgspec.json.decode(await _body(request), type=NotifyRequest)
        return _json({"sockets": self._target.notify(wanted.person, wanted.orders, wanted.executions)})

    async def stats(self, request: Request) -> Response:
        """What has happened; `?record=0` leaves the recorded quotes out."""
        return _json(self._target.stats(request.query_params.get("record", "1") != "0"))


def control_routes(control: Control) -> list[Route]:
    """The routes, for the login port and the control port alike."""
    return [
        Route("/control/stats", _guarded(control.stats), methods=["GET"]),
        Route("/control/faults", _guarded(control.faults), methods=["GET"]),
        Route("/control/fault", _guarded(control.fault), methods=["POST"]),
        Route("/control/clear", _guarded(control.clear), methods=["POST"]),
        Route("/control/token", _guarded(control.token), methods=["POST"]),
        Route("/control/record", _guarded(control.record), methods=["POST"]),
        Route("/control/notify", _guarded(control.notify), methods=["POST"]),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except FaultError as error:
            return _json({"error": str(error), "faults": sorted(FAULTS)}, 400)
        except (msgspec.ValidationError, msgspec.DecodeError, AttributeError) as error:
            return _json({"error": f"the body is not what {request.url.path} takes: {error}"}, 400)

    return answer


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise FaultError(f"the body is longer than {LARGEST_BODY} bytes")
    return body or b"{}"
