"""What clients report of themselves (R19), added up. Bounded: the client heard least recently is forgotten first."""

from collections import Counter, OrderedDict
from collections.abc import Mapping

MAX_CLIENTS = 10_000
COUNTED = (
    "connectionsAttempted",
    "connectionsSucceeded",
    "connectionsFailed",
    "messagesReceived",
    "messagesSent",
    "reconnectionCount",
    "tokenRefreshCount",
)


class ClientReports:
    """Sums of counts that only grow, although each client reports totals since its own start."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, dict[str, float]] = OrderedDict()
        self.totals: Counter[str] = Counter()
        self.reports = 0

    def add(self, client: str, report: Mapping[str, float]) -> None:
        """Take one report. A count lower than the last one means that the client began anew."""
        self.reports += 1
        last = self._last.pop(client, {})
        for name in COUNTED:
            value, before = report.get(name, 0), last.get(name, 0)
            self.totals[name] += int(value - before if value >= before else value)
        self._last[client] = dict(report)
        while len(self._last) > MAX_CLIENTS:
            self._last.popitem(last=False)

    def mean_latency_ms(self) -> float | None:
        """The mean of what each client reported last; None when none did."""
        told = [report["averageLatency"] for report in self._last.values() if report.get("averageLatency", 0) > 0]
        return sum(told) / len(told) if told else None

    def summary(self) -> dict[str, object]:
        """The aggregate as JSON."""
        return {
            "clients": len(self._last),
            "reports": self.reports,
            "averageLatency": self.mean_latency_ms(),
            **{name: self.totals[name] for name in COUNTED},
        }
