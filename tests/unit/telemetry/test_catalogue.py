"""The catalogue: names and labels as Prometheus wants them, and the gateway's own readings held against it."""

import re

import pytest

from quotewire.edge.samples import samples
from quotewire.telemetry.catalogue import BY_NAME, METRICS, Kind, Metric, Sample, check
from tests.unit.edge.conftest import MakeServices, make_services  # noqa: F401  the fixture


def test_names_are_unique_and_say_their_kind() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"quotewire_[a-z0-9_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.help.endswith(".")
        assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)


@pytest.mark.parametrize(
    "sample",
    [Sample("quotewire_nothing", 1.0), Sample("quotewire_persons", 1.0), Sample("quotewire_ready", 1.0, ("x",))],
)
def test_a_sample_that_does_not_fit_is_found(sample: Sample) -> None:
    with pytest.raises(AssertionError, match=sample.name):
        check([sample])


async def test_the_gateways_samples_are_all_of_the_catalogue(make_services: MakeServices) -> None:  # noqa: F811
    services = make_services()
    services.gate.opened["native"] += 1
    services.gate.refused["429"] += 1
    services.gate.closed["1001"] += 1
    services.gate.closing["going_away"] += 1
    services.gate.errors["rate_limited"] += 1
    services.gate.limiter.refused["connections", "ip"] += 1
    services.reports.add("a", {"averageLatency": 5, "messagesSent": 2})
    read = samples(services)
    check(read)
    without_workers = {metric.name for metric in METRICS if not metric.name.startswith("quotewire_bus_")}
    assert {sample.name for sample in read} == without_workers


async def test_no_reading_comes_twice(make_services: MakeServices) -> None:  # noqa: F811
    read = samples(make_services())
    assert len({(sample.name, sample.labels) for sample in read}) == len(read)


def test_a_metric_is_a_value() -> None:
    assert Metric("a", Kind.GAUGE, "b") == Metric("a", Kind.GAUGE, "b", ())
