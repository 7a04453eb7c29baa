"""Every metric of the gateway: name, kind, meaning, labels. Exporters and documents read this and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric's value is."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Merge(StrEnum):
    """How the values of several processes become the gateway's."""

    SUM = "sum"
    MAX = "max"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels` have few values each: never a client, a symbol or an attempt number."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one metric; `labels` in the order of the metric's."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


METRICS: tuple[Metric, ...] = (
    Metric("quotewire_uptime_seconds", Kind.GAUGE, "Since this process began to serve.", merge=Merge.MAX),
    Metric("quotewire_ready", Kind.GAUGE, "1 when quotes can be served live, else 0.", merge=Merge.MAX),
    Metric("quotewire_connections", Kind.GAUGE, "WebSockets open now."),
    Metric("quotewire_connections_opened_total", Kind.COUNTER, "WebSockets opened.", ("dialect",)),
    Metric("quotewire_connections_refused_total", Kind.COUNTER, "Openings refused, by HTTP status.", ("status",)),
    Metric("quotewire_connections_closed_total", Kind.COUNTER, "WebSockets closed, by close code.", ("code",)),
    Metric("quotewire_closes_sent_total", Kind.COUNTER, "Closes the gateway began, by reason.", ("reason",)),
    Metric("quotewire_errors_sent_total", Kind.COUNTER, "Errors told to clients, by code (PROTOCOL.md).", ("code",)),
    Metric(
        "quotewire_limits_exceeded_total",
        Kind.COUNTER,
        "What was refused because an address or a key had its share already.",
        ("limit", "scope"),
    ),
    Metric("quotewire_limit_accounts", Kind.GAUGE, "Addresses and keys the limits keep count of.", ("scope",)),
    Metric("quotewire_drain_phase", Kind.GAUGE, "1 for the phase of leaving this is in.", ("phase",), merge=Merge.MAX),
    Metric("quotewire_drain_clients_total", Kind.COUNTER, "Clients sent away when the gateway left.", ("way",)),
    Metric("quotewire_messages_received_total", Kind.COUNTER, "Messages from clients."),
    Metric("quotewire_messages_sent_total", Kind.COUNTER, "Frames written to clients."),
    Metric("quotewire_bytes_sent_total", Kind.COUNTER, "Bytes written to clients."),
    Metric("quotewire_updates_total", Kind.COUNTER, "Quote updates taken from upstream."),
    Metric("quotewire_deliveries_total", Kind.COUNTER, "Updates put into clients' outboxes."),
    Metric(
        "quotewire_updates_skipped_total",
        Kind.COUNTER,
        "Updates replaced by newer ones: for slow clients, and where clients ask for the newest or a maximum rate.",
    ),
    Metric("quotewire_updates_gapped_total", Kind.COUNTER, "Updates told as gaps to slow clients that want every one."),
    Metric("quotewire_updates_stale_total", Kind.COUNTER, "Updates dropped because a newer one was known."),
    Metric("quotewire_clients_waiting", Kind.GAUGE, "Clients whose socket takes no more now."),
    Metric("quotewire_clients_apart", Kind.GAUGE, "Clients with an outbox of their own: slow, paced or resuming."),
    Metric("quotewire_updates_waiting", Kind.GAUGE, "Updates in those outboxes."),
    Metric("quotewire_lanes", Kind.GAUGE, "Different sets of wishes among the clients that keep up."),
    Metric(
        "quotewire_flush_window_seconds",
        Kind.GAUGE,
        "How long updates are gathered now before they are written; 0 when calm.",
        merge=Merge.MAX,
    ),
    Metric(
        "quotewire_flush_round_seconds",
        Kind.GAUGE,
        "How long the last round over the clients took, pauses included.",
        merge=Merge.MAX,
    ),
    Metric("quotewire_history_symbols", Kind.GAUGE, "Symbols with updates kept for clients that come back."),
    Metric("quotewire_history_updates", Kind.GAUGE, "Updates kept for clients that come back."),
    Metric("quotewire_symbols_wanted", Kind.GAUGE, "Symbols at least one client wants.", merge=Merge.MAX),
    Metric("quotewire_symbols_known", Kind.GAUGE, "Symbols with a quote in memory.", merge=Merge.MAX),
    Metric("quotewire_persons", Kind.GAUGE, "Persons whose login is held.", ("active",)),
    Metric("quotewire_upstream_connected", Kind.GAUGE, "1 while a Questrade stream is up, else 0."),
    Metric("quotewire_upstream", Kind.GAUGE, "Readings of the upstream, by name.", ("reading",)),
    Metric(
        "quotewire_upstream_events_total",
        Kind.COUNTER,
        "What happened upstream and why; docs/upstream.md lists the reasons.",
        ("event", "reason"),
    ),
    Metric("quotewire_upstream_token_state", Kind.GAUGE, "1 for the state a login is in.", ("person", "state")),
    Metric("quotewire_upstream_token_age_seconds", Kind.GAUGE, "Since the access token was made.", ("person",)),
    Metric("quotewire_upstream_stream_live", Kind.GAUGE, "1 while the person's stream is up, else 0.", ("person",)),
    Metric("quotewire_upstream_symbols_carried", Kind.GAUGE, "Symbols the person's stream carries.", ("person",)),
    Metric(
        "quotewire_upstream_budget_used",
        Kind.GAUGE,
        "Calls of the last second or hour, by Questrade's count where it is higher.",
        ("person", "category", "window"),
    ),
    Metric("quotewire_upstream_budget_limit", Kind.GAUGE, "Calls allowed.", ("person", "category", "window")),
    Metric(
        "quotewire_upstream_breaker",
        Kind.GAUGE,
        "0 closed, 1 half-open, 2 open: the endpoint is left alone for that person.",
        ("person", "endpoint"),
    ),
    Metric("quotewire_client_reports_total", Kind.COUNTER, "Reports clients made of themselves."),
    Metric("quotewire_client_reported_total", Kind.COUNTER, "What clients counted, summed.", ("count",)),
    Metric(
        "quotewire_client_latency_milliseconds",
        Kind.GAUGE,
        "Mean of the latencies clients reported last.",
        merge=Merge.MEAN,
    ),
    Metric(
        "quotewire_bus_nodes",
        Kind.GAUGE,
        "Worker processes that have all the others have. With workers only, as the next ones.",
    ),
    Metric(
        "quotewire_bus_joins_total",
        Kind.COUNTER,
        "Worker processes that joined, those that took another's place included.",
    ),
    Metric("quotewire_bus_behind", Kind.GAUGE, "Symbols worker processes are behind in, added up."),
    Metric("quotewire_bus_held_back_total", Kind.COUNTER, "Updates held back for a worker process that lagged."),
    Metric("quotewire_bus_missed_total", Kind.COUNTER, "Updates a worker process will never get: told as gaps."),
)
"""The catalogue, in the order it is exported."""

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


def check(samples: Sequence[Sample]) -> None:
    """Raise AssertionError for a sample the catalogue does not know, or with other labels than it says."""
    for sample in samples:
        metric = BY_NAME.get(sample.name)
        assert metric is not None, f"{sample.name} is not in the catalogue"
        assert len(sample.labels) == len(metric.labels), f"{sample.name} has labels {metric.labels}"
