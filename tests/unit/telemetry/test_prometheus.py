"""The exposition, read back by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from quotewire.telemetry.catalogue import METRICS, Kind, Sample
from quotewire.telemetry.prometheus import CONTENT_TYPE, render


def parse(text: bytes) -> dict[str, tuple[str, str, dict[tuple[str, ...], float]]]:
    """By family: its type, its help, and the values by their labels."""
    families = {}
    for family in text_string_to_metric_families(text.decode()):
        values = {tuple(sample.labels.values()): sample.value for sample in family.samples}
        families[family.name] = (family.type, family.documentation, values)
    return families


def test_every_metric_is_described_even_without_a_reading() -> None:
    families = parse(render([]))
    for metric in METRICS:
        name = metric.name.removesuffix("_total")
        kind, told, values = families[name]
        assert (kind, told, values) == (metric.kind.value, metric.help, {})


def test_values_and_labels_come_back() -> None:
    read = [
        Sample("quotewire_connections", 3),
        Sample("quotewire_connections_closed_total", 2, ("1001",)),
        Sample("quotewire_connections_closed_total", 5, ("other",)),
        Sample("quotewire_uptime_seconds", 1.5),
    ]
    families = parse(render(read))
    assert families["quotewire_connections"][2] == {(): 3.0}
    assert families["quotewire_connections_closed"][2] == {("1001",): 2.0, ("other",): 5.0}
    assert families["quotewire_uptime_seconds"][2] == {(): 1.5}
    assert families["quotewire_connections_closed"][0] == Kind.COUNTER


def test_label_values_are_escaped() -> None:
    odd = 'a"b\\c\nd'
    families = parse(render([Sample("quotewire_upstream", 1, (odd,))]))
    assert families["quotewire_upstream"][2] == {(odd,): 1.0}


def test_the_content_type_is_that_of_the_text_format() -> None:
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
