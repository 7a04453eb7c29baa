"""The metrics of this process, read when asked; and the seam to the other processes of the gateway."""

from quotewire.edge.drain import Phase
from quotewire.edge.draining import WAYS
from quotewire.edge.health import CONNECTED, unready
from quotewire.edge.services import Services
from quotewire.telemetry.catalogue import Sample


def counters(services: Services) -> list[Sample]:
    """What this process alone counts and what only grows, as far as that is read in no time."""
    gate, hub = services.gate, services.hub.counters()
    plain = {
        "quotewire_messages_received_total": gate.messages_in,
        "quotewire_messages_sent_total": gate.messages_out + hub["deliveries"],
        "quotewire_bytes_sent_total": gate.bytes_out + hub["bytes"],
        "quotewire_updates_total": hub["updates"],
        "quotewire_deliveries_total": hub["deliveries"],
        "quotewire_updates_stale_total": hub["updates_stale"],
    }
    labelled = (
        ("quotewire_connections_opened_total", gate.opened),
        ("quotewire_connections_refused_total", gate.refused),
        ("quotewire_connections_closed_total", gate.closed),
        ("quotewire_closes_sent_total", gate.closing),
        ("quotewire_errors_sent_total", gate.errors),
    )
    return [
        *(Sample(name, float(value)) for name, value in plain.items()),
        *(Sample(name, float(count), (str(label),)) for name, counts in labelled for label, count in counts.items()),
        *(Sample("quotewire_limits_exceeded_total", float(count), of) for of, count in gate.limiter.refused.items()),
        *(Sample("quotewire_drain_clients_total", float(gate.drain.ways[way]), (way,)) for way in WAYS),
    ]


def samples(services: Services) -> list[Sample]:
    """Every metric of this process, read now."""
    gate, hub, upstream = services.gate, services.hub.stats(), services.upstream
    persons = upstream.persons()
    active = sum(1 for person in persons if person.is_active)
    plain = {
        "quotewire_uptime_seconds": services.uptime_s(),
        "quotewire_ready": float(not unready(services)),
        "quotewire_connections": len(gate.connections),
        "quotewire_updates_skipped_total": hub["updates_skipped"],
        "quotewire_updates_gapped_total": hub["updates_gapped"],
        "quotewire_clients_waiting": hub["clients_waiting"],
        "quotewire_clients_apart": hub["clients_apart"],
        "quotewire_updates_waiting": hub["updates_waiting"],
        "quotewire_lanes": hub["lanes"],
        "quotewire_flush_window_seconds": hub["window_s"],
        "quotewire_flush_round_seconds": hub["round_s"],
        "quotewire_history_symbols": hub["history_symbols"],
        "quotewire_history_updates": hub["history_updates"],
        "quotewire_symbols_wanted": hub["symbols_wanted"],
        "quotewire_symbols_known": hub["symbols_known"],
        "quotewire_upstream_connected": float(upstream.state.state == CONNECTED),
        "quotewire_client_reports_total": services.reports.reports,
    }
    read = [*counters(services), *(Sample(name, float(value)) for name, value in plain.items())]
    labelled = (
        ("quotewire_upstream", upstream.counters()),
        ("quotewire_client_reported_total", services.reports.totals),
        ("quotewire_persons", {"true": active, "false": len(persons) - active}),
    )
    for name, counts in labelled:
        read += [Sample(name, float(value), (str(label),)) for label, value in counts.items()]
    for scope, accounts in (("ip", gate.limiter.addresses), ("key", gate.limiter.keys)):
        read.append(Sample("quotewire_limit_accounts", float(len(accounts)), (scope,)))
    for phase in Phase:
        read.append(Sample("quotewire_drain_phase", float(gate.drain.phase is phase), (phase.value,)))
    read += [Sample(reading.name, float(reading.value), reading.labels) for reading in upstream.readings()]
    latency = services.reports.mean_latency_ms()
    return read if latency is None else [*read, Sample("quotewire_client_latency_milliseconds", latency)]


async def whole_samples(services: Services) -> list[Sample]:
    """Every metric of the gateway, whichever of its processes is asked. Raises UpstreamError where that cannot be."""
    return samples(services) if services.gate.whole is None else list(await services.gate.whole.samples())
