"""The numbers of several processes as one gateway's."""

from quotewire.bus.envelope import Reading
from quotewire.bus.tally import Tally
from quotewire.telemetry.catalogue import METRICS, Merge

SENT, OPEN, UPTIME = "quotewire_messages_sent_total", "quotewire_connections", "quotewire_uptime_seconds"


def total(tally: Tally, *own: Reading) -> dict[str, float]:
    return {each.name: each.value for each in tally.total(own)}


def test_counts_add_up_and_times_do_not() -> None:
    tally = Tally()
    tally.put(1, [Reading(SENT, 5), Reading(OPEN, 2), Reading(UPTIME, 10)])
    tally.put(2, [Reading(SENT, 7), Reading(OPEN, 1), Reading(UPTIME, 4)])
    assert total(tally) == {SENT: 12, OPEN: 3, UPTIME: 10}


def test_a_total_does_not_shrink_when_a_node_is_gone() -> None:
    tally = Tally()
    tally.put(1, [Reading(SENT, 5), Reading(OPEN, 2)])
    tally.put(2, [Reading(SENT, 1)])
    tally.retire(1)
    tally.retire(1)
    assert total(tally) == {SENT: 6}

    tally.put(1, [Reading(SENT, 2), Reading(OPEN, 1)])  # the one that took its place
    assert total(tally) == {SENT: 8, OPEN: 1}


def test_what_grew_is_kept_and_the_rest_is_as_before() -> None:
    tally = Tally()
    tally.grow(1, [Reading(SENT, 1)])
    tally.put(1, [Reading(SENT, 5), Reading(OPEN, 2)])
    tally.grow(1, [Reading(SENT, 9), Reading("unheard_of", 1)])
    assert total(tally) == {SENT: 9, OPEN: 2}
    tally.retire(1)
    assert total(tally) == {SENT: 9}


def test_labels_are_kept_apart() -> None:
    tally = Tally()
    closed = "quotewire_connections_closed_total"
    tally.put(1, [Reading(closed, 1, ("1001",)), Reading(closed, 2, ("4005",))])
    tally.put(2, [Reading(closed, 3, ("1001",))])
    assert {each.labels: each.value for each in tally.total()} == {("1001",): 4, ("4005",): 2}


def test_what_the_owner_reads_itself_goes_first() -> None:
    tally = Tally()
    tally.put(1, [Reading("quotewire_updates_total", 5)])
    assert total(tally, Reading("quotewire_updates_total", 6)) == {"quotewire_updates_total": 6}


def test_what_the_catalogue_does_not_know_is_left_out() -> None:
    tally = Tally()
    tally.put(1, [Reading("nonsense", 5), Reading(SENT, 5, ("too many",))])
    assert tally.total() == []


def test_means_are_means() -> None:
    tally = Tally()
    name = next(metric.name for metric in METRICS if metric.merge is Merge.MEAN)
    tally.put(1, [Reading(name, 10)])
    tally.put(2, [Reading(name, 20)])
    assert total(tally) == {name: 15}
