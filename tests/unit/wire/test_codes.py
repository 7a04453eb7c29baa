"""Codes: what each range promises, and that every close can be put on the wire."""

import pytest

from quotewire.wire.codes import CLOSES, CLOSING, RETRYABLE, CloseCode, ErrorCode, should_reconnect
from quotewire.wire.frames import SENDABLE_CLOSE_CODES, close_frame


def test_every_close_code_has_its_close_and_its_reason_fits_the_frame() -> None:
    assert set(CLOSES) == set(CloseCode)
    for code, close in CLOSES.items():
        assert close.code is code
        assert close_frame(code, close.reason)[4:].decode() == close.reason


def test_every_close_code_may_be_sent_on_the_wire() -> None:
    assert all(code in SENDABLE_CLOSE_CODES or 3000 <= code <= 4999 for code in CloseCode)


def test_of_our_own_codes_the_range_decides() -> None:
    for code, close in CLOSES.items():
        if code >= 4000:
            assert close.reconnect == (code < 4500)
        assert should_reconnect(code) == close.reconnect


@pytest.mark.parametrize(("code", "verdict"), [(4499, True), (4500, False), (4321, True), (4999, False)])
def test_unknown_codes_of_ours_follow_the_range(code: int, verdict: bool) -> None:
    assert should_reconnect(code) is verdict


@pytest.mark.parametrize("code", [1005, 1006, 1012, 1013, 1015, 3000, 0])
def test_no_close_frame_and_codes_of_others_mean_reconnect(code: int) -> None:
    assert should_reconnect(code)


def test_an_error_that_closes_for_good_is_not_called_retryable_and_the_other_way_round() -> None:
    for error, close in CLOSING.items():
        assert (error in RETRYABLE) == CLOSES[close].reconnect, error


def test_all_sets_speak_of_known_codes() -> None:
    assert set(ErrorCode) >= RETRYABLE
    assert set(CLOSING) <= set(ErrorCode)
    assert set(CLOSING.values()) <= set(CloseCode)
