import logging

import pytest

from quotewire.upstream.chronicle import KEPT, Chronicle, Happening, Why


def test_an_event_is_a_log_line_a_count_and_an_entry(caplog: pytest.LogCaptureFixture) -> None:
    chronicle = Chronicle(lambda: 12.0)
    with caplog.at_level(logging.INFO, logger="quotewire.upstream"):
        chronicle.note(Happening.TOKEN, Why.EXPIRY, person="alice", detail="refreshed")

    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["event"], vars(record)["person"], vars(record)["reason"]) == (
        "refreshed",
        "upstream.token",
        "alice",
        "expiry",
    )
    assert chronicle.counts[Happening.TOKEN, "expiry"] == 1
    assert chronicle.last()[0] == {
        "at": 12.0,
        "event": "token",
        "reason": "expiry",
        "person": "alice",
        "detail": "refreshed",
    }


def test_the_list_is_bounded_and_newest_first() -> None:
    chronicle = Chronicle()
    for number in range(KEPT + 5):
        chronicle.note(Happening.CALL, str(number))

    assert len(chronicle.last()) == KEPT
    assert chronicle.last()[0]["reason"] == str(KEPT + 4)
