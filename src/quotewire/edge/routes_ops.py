"""Health, readiness, metrics, and the view of the upstream: what operators and load balancers ask."""

import contextlib

from fastapi import APIRouter, Request, Response

from quotewire.edge.addresses import requester
from quotewire.edge.answers import answer, success
from quotewire.edge.health import unready
from quotewire.edge.samples import whole_samples
from quotewire.edge.schemas import ClientReport, Received, Success
from quotewire.edge.services import Services
from quotewire.errors import UpstreamError
from quotewire.telemetry.prometheus import CONTENT_TYPE, render
from quotewire.version import VERSION

DEFAULT_ENDPOINT = "/api/metrics"
"""Where clients report that know nothing of METRICS_ENDPOINT: the dashboard, and existing front ends (R15)."""


async def _numbers(services: Services) -> tuple[int, int, int]:
    """Connections, symbols wanted and updates: of the whole gateway, or of this process while that cannot be asked."""
    gate, hub = services.gate, services.hub.stats()
    if gate.whole is not None:
        with contextlib.suppress(UpstreamError):
            read = {sample.name: int(sample.value) for sample in await gate.whole.samples() if not sample.labels}
            names = ("quotewire_connections", "quotewire_symbols_wanted", "quotewire_updates_total")
            return read.get(names[0], 0), read.get(names[1], 0), read.get(names[2], 0)
    return len(gate.connections), int(hub["symbols_wanted"]), int(hub["updates"])


def router(services: Services) -> APIRouter:
    """The paths operators use."""
    routes = APIRouter(tags=["operations"])
    endpoint = services.settings.metrics_endpoint

    @routes.get("/health", summary="Is the process alive?")
    async def health(request: Request) -> Response:
        connections, symbols, updates = await _numbers(services)
        told = {
            "success": True,
            "status": "ok",
            "version": VERSION,
            "uptime": round(services.uptime_s(), 3),
            "connections": connections,
            "symbols": symbols,
            "updates": updates,
            "persons": len(services.upstream.persons()),
            "upstream": services.upstream.state,
            "drain": {"phase": services.gate.drain.phase, "clients": len(services.gate.connections)},
        }
        return answer(request, 200, told)

    @routes.get("/ready", summary="Can quotes be served live, and if not, why?")
    async def ready(request: Request) -> Response:
        reasons = unready(services)
        told = {"success": not reasons, "ready": not reasons, "reasons": reasons}
        return answer(request, 503 if reasons else 200, told)

    @routes.get("/api/upstream", summary="Persons, tokens, streams, budgets and the last reasons")
    async def upstream(request: Request) -> Response:
        whole = services.gate.whole
        return success(request, services.upstream.report() if whole is None else await whole.report())

    if services.settings.enable_metrics:

        @routes.get("/metrics", summary="Prometheus metrics")
        async def metrics() -> Response:
            return Response(render(await whole_samples(services)), media_type=CONTENT_TYPE)

        @routes.get(endpoint, summary="What clients reported, added up")
        async def client_metrics(request: Request) -> Response:
            whole = services.gate.whole
            return success(request, services.reports.summary() if whole is None else await whole.clients())

        @routes.post(f"{endpoint}/websocket", response_model=Success[Received], summary="A client's own metrics")
        async def report(request: Request, body: ClientReport) -> Response:
            address = requester(request, services.settings.trusted_proxies)
            client = body.connectionId or request.headers.get("x-connection-id", "")[:128] or address
            counts = {name: v for name, v in body.model_dump().items() if isinstance(v, int | float)}
            if services.gate.whole is None:
                services.reports.add(client, counts)
            else:
                services.gate.whole.reported(client, counts)
            return success(request, {"received": True})

        if endpoint != DEFAULT_ENDPOINT:
            routes.post(f"{DEFAULT_ENDPOINT}/websocket", include_in_schema=False)(report)

    return routes
