"""Prometheus exposition of the catalogue, read when asked: nothing is counted here."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from quotewire.telemetry.catalogue import METRICS, Kind, Metric, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Readings(Collector):
    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Family]:
        for metric in METRICS:
            family = _family(metric)
            for sample in self._samples:
                if sample.name == metric.name:
                    family.add_metric(sample.labels, sample.value)
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)


def render(samples: Sequence[Sample]) -> bytes:
    """Write the samples in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Readings(samples))
    return generate_latest(registry)
