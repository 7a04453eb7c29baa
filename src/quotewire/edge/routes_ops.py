"""Health, readiness, metrics, and the view of the upstream: what operators and load balancers ask."""

from fastapi import APIRouter, Request, Response

from quotewire.edge.addresses import requester
from quotewire.edge.answers import answer, success
from quotewire.edge.health import CONNECTED, unready
from quotewire.edge.schemas import ClientReport, Received, Success
from quotewire.edge.services import Services
from quotewire.telemetry.catalogue import Sample
from quotewire.telemetry.prometheus import CONTENT_TYPE, render
from quotewire.version import VERSION


def samples(services: Services) -> list[Sample]:
    """Every metric of the catalogue, read now."""
    gate, hub, upstream = services.gate, services.hub.stats(), services.upstream
    persons = upstream.persons()
    active = sum(1 for person in persons if person.is_active)
    plain = {
        "quotewire_uptime_seconds": services.uptime_s(),
        "quotewire_ready": float(not unready(services)),
        "quotewire_connections": len(gate.connections),
        "quotewire_messages_received_total": gate.messages_in,
        "quotewire_messages_sent_total": gate.messages_out,
        "quotewire_bytes_sent_total": gate.bytes_out,
        "quotewire_updates_total": hub["updates"],
        "quotewire_deliveries_total": hub["deliveries"],
        "quotewire_updates_skipped_total": gate.skipped + sum(c.outbox.total_skipped for c in gate.connections),
        "quotewire_clients_waiting": hub["clients_waiting"],
        "quotewire_symbols_wanted": hub["symbols_wanted"],
        "quotewire_symbols_known": hub["symbols_known"],
        "quotewire_upstream_connected": float(upstream.state.state == CONNECTED),
        "quotewire_client_reports_total": services.reports.reports,
    }
    read = [Sample(name, float(value)) for name, value in plain.items()]
    labelled = (
        ("quotewire_connections_opened_total", gate.opened),
        ("quotewire_connections_refused_total", gate.refused),
        ("quotewire_connections_closed_total", gate.closed),
        ("quotewire_closes_sent_total", gate.closing),
        ("quotewire_errors_sent_total", gate.errors),
        ("quotewire_upstream", upstream.counters()),
        ("quotewire_client_reported_total", services.reports.totals),
        ("quotewire_persons", {"true": active, "false": len(persons) - active}),
    )
    for name, counts in labelled:
        read += [Sample(name, float(value), (str(label),)) for label, value in counts.items()]
    for (limit, scope), count in gate.limiter.refused.items():
        read.append(Sample("quotewire_limits_exceeded_total", float(count), (limit, scope)))
    for scope, accounts in (("ip", gate.limiter.addresses), ("key", gate.limiter.keys)):
        read.append(Sample("quotewire_limit_accounts", float(len(accounts)), (scope,)))
    read += [Sample(reading.name, float(reading.value), reading.labels) for reading in upstream.readings()]
    latency = services.reports.mean_latency_ms()
    return read if latency is None else [*read, Sample("quotewire_client_latency_milliseconds", latency)]


def router(services: Services) -> APIRouter:
    """The paths operators use."""
    routes = APIRouter(tags=["operations"])
    endpoint = services.settings.metrics_endpoint

    @routes.get("/health", summary="Is the process alive?")
    async def health(request: Request) -> Response:
        hub = services.hub.stats()
        told = {
            "success": True,
            "status": "ok",
            "version": VERSION,
            "uptime": round(services.uptime_s(), 3),
            "connections": len(services.gate.connections),
            "symbols": hub["symbols_wanted"],
            "updates": hub["updates"],
            "persons": len(services.upstream.persons()),
            "upstream": services.upstream.state,
        }
        return answer(request, 200, told)

    @routes.get("/ready", summary="Can quotes be served live, and if not, why?")
    async def ready(request: Request) -> Response:
        reasons = unready(services)
        told = {"success": not reasons, "ready": not reasons, "reasons": reasons}
        return answer(request, 503 if reasons else 200, told)

    @routes.get("/api/upstream", summary="Persons, tokens, streams, budgets and the last reasons")
    async def upstream(request: Request) -> Response:
        return success(request, services.upstream.report())

    if services.settings.enable_metrics:

        @routes.get("/metrics", summary="Prometheus metrics")
        async def metrics() -> Response:
            return Response(render(samples(services)), media_type=CONTENT_TYPE)

        @routes.get(endpoint, summary="What clients reported, added up")
        async def client_metrics(request: Request) -> Response:
            return success(request, services.reports.summary())

        @routes.post(f"{endpoint}/websocket", response_model=Success[Received], summary="A client's own metrics")
        async def report(request: Request, body: ClientReport) -> Response:
            address = requester(request, services.settings.trusted_proxies)
            client = body.connectionId or request.headers.get("x-connection-id", "")[:128] or address
            counts = {name: v for name, v in body.model_dump().items() if isinstance(v, int | float)}
            services.reports.add(client, counts)
            return success(request, {"received": True})

    return routes
