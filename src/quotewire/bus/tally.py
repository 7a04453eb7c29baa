"""The numbers of all processes as those of one gateway. Pure.

Counters of a node that is gone stay in the sum: a total that shrank would look like a restart to whoever reads it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quotewire.bus.envelope import Reading
from quotewire.telemetry.catalogue import BY_NAME, Kind, Merge


class Key(NamedTuple):
    """One line of the metrics."""

    name: str
    labels: tuple[str, ...]


class Tally:
    """The last readings of every node, and the counters of those that are gone."""

    def __init__(self) -> None:
        self._by_node: dict[int, dict[Key, float]] = {}
        self._gone: dict[Key, float] = {}

    def put(self, node: int, readings: Iterable[Reading]) -> None:
        """What a node counts now. Readings the catalogue does not know, or not with these labels, are left out."""
        self._by_node[node] = {Key(each.name, each.labels): each.value for each in readings if _is_known(each)}

    def grow(self, node: int, readings: Iterable[Reading]) -> None:
        """Some of what a node counts has grown."""
        known = self._by_node.setdefault(node, {})
        known.update({Key(each.name, each.labels): each.value for each in readings if _is_known(each)})

    def retire(self, node: int) -> None:
        """A node is gone: its counters are kept, its gauges are not."""
        for key, value in self._by_node.pop(node, {}).items():
            if BY_NAME[key.name].kind is Kind.COUNTER:
                self._gone[key] = self._gone.get(key, 0.0) + value

    def total(self, own: Sequence[Reading] = ()) -> list[Reading]:
        """The whole gateway's numbers. What the owner itself reads (`own`) goes before what nodes say of the same."""
        gathered: dict[Key, list[float]] = {key: [value] for key, value in self._gone.items()}
        for readings in self._by_node.values():
            for key, value in readings.items():
                gathered.setdefault(key, []).append(value)
        whole = {key: merged(BY_NAME[key.name].merge, values) for key, values in gathered.items()}
        names = {each.name for each in own}
        rest = [Reading(key.name, value, key.labels) for key, value in whole.items() if key.name not in names]
        return [*own, *rest]


def _is_known(reading: Reading) -> bool:
    metric = BY_NAME.get(reading.name)
    return metric is not None and len(metric.labels) == len(reading.labels)


def merged(how: Merge, values: Sequence[float]) -> float:
    """Several processes' values of one metric as one. `values` is never empty."""
    if how is Merge.MAX:
        return max(values)
    if how is Merge.MEAN:
        return sum(values) / len(values)
    return sum(values)
