"""What clients report of themselves: totals that only grow, means of what each said last, a bound on how many."""

import pytest

from quotewire.edge import client_reports
from quotewire.edge.client_reports import COUNTED, ClientReports


def test_totals_add_up_the_growth_of_each_client() -> None:
    reports = ClientReports()
    reports.add("a", {"messagesReceived": 10})
    reports.add("b", {"messagesReceived": 5, "reconnectionCount": 1})
    reports.add("a", {"messagesReceived": 25})
    assert reports.totals["messagesReceived"] == 30
    assert reports.totals["reconnectionCount"] == 1
    assert reports.reports == 3


def test_a_client_that_began_anew_counts_from_nothing() -> None:
    reports = ClientReports()
    reports.add("a", {"messagesSent": 100})
    reports.add("a", {"messagesSent": 3})
    assert reports.totals["messagesSent"] == 103


def test_the_mean_latency_is_of_what_each_client_said_last() -> None:
    reports = ClientReports()
    assert reports.mean_latency_ms() is None
    reports.add("a", {"averageLatency": 500})
    reports.add("a", {"averageLatency": 100})
    reports.add("b", {"averageLatency": 300})
    reports.add("c", {"averageLatency": 0})
    assert reports.mean_latency_ms() == 200


def test_the_client_heard_least_recently_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_reports, "MAX_CLIENTS", 2)
    reports = ClientReports()
    for client in ("a", "b", "a", "c"):
        reports.add(client, {"messagesSent": 1})
    assert reports.summary()["clients"] == 2
    reports.add("a", {"messagesSent": 2})
    reports.add("b", {"messagesSent": 1})  # forgotten: counted again, as of a new client
    assert reports.totals["messagesSent"] == 5


def test_the_summary_has_every_count() -> None:
    summary = ClientReports().summary()
    assert set(summary) == {"clients", "reports", "averageLatency", *COUNTED}
    assert summary["averageLatency"] is None
