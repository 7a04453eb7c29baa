from collections.abc import Callable
from typing import Any

import pytest

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.quote import QuotePatch
from quotewire.questrade import wire
from quotewire.questrade.records import TimeRecord


def test_success_is_the_acceptance_of_the_token() -> None:
    assert wire.decode_frame('{"success":true}') == wire.Accepted()


def test_success_false_is_a_failure() -> None:
    assert isinstance(wire.decode_frame('{"success":false}'), wire.FailureFrame)


@pytest.mark.parametrize("code", ["1017", '"1017"'])
def test_an_error_object_may_spell_its_code_as_number_or_text(code: str) -> None:
    frame = wire.decode_frame(f'{{"code":{code},"message":"Access token is invalid"}}')

    assert frame == wire.FailureFrame(1017, "Access token is invalid")


def test_a_quote_frame_becomes_patches() -> None:
    frame = wire.decode_frame(b'{"quotes":[{"symbolId":1,"bidPrice":142,"askPrice":null},{"symbolId":2}],"extra":{}}')

    assert isinstance(frame, wire.QuotesFrame)
    first, second = frame.patches
    assert (first.bid_price, first.ask_price) == (142.0, None)
    assert second == QuotePatch(symbol_id=2)


@pytest.mark.parametrize(
    "bad",
    [
        '{"symbolId":0}',
        '{"symbolId":"8049"}',
        '{"bidPrice":1.0}',
        '{"symbolId":2,"bidPrice":"12"}',
        '{"symbolId":2,"volume":1.5}',
        "7",
        "null",
        "[]",
    ],
)
def test_a_bad_quote_object_spoils_only_itself(bad: str) -> None:
    frame = wire.decode_frame(f'{{"quotes":[{{"symbolId":1,"volume":5}},{bad},{{"symbolId":3}}]}}')

    assert isinstance(frame, wire.QuotesFrame)
    assert [patch.symbol_id for patch in frame.patches] == [1, 3]
    assert frame.spoiled == 1


def test_a_whole_number_written_with_a_decimal_point_is_still_one() -> None:
    frame = wire.decode_frame('{"quotes":[{"symbolId":1.0,"volume":100.0,"bidSize":19.0,"delay":0.0,"isHalted":true}]}')

    assert isinstance(frame, wire.QuotesFrame)
    assert frame.patches == [QuotePatch(symbol_id=1, volume=100, bid_size=19, delay=0, is_halted=True)]


def test_a_notification_carries_its_account_as_text() -> None:
    frame = wire.decode_frame('{"orders":[{"id":7,"comissionCharged":4.95}],"accountNumber":27000001}')

    assert isinstance(frame, wire.NotificationFrame)
    assert (frame.account, frame.executions, frame.orders[0].commission) == ("27000001", [], 4.95)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"[]", b"{}", b"\xff\xfe", b'{"quotes":7}', b'{"quotes":[{"symbolId":1']
)
def test_anything_else_is_unreadable_and_never_raises(data: bytes) -> None:
    assert isinstance(wire.decode_frame(data), wire.UnreadableFrame)


def test_a_rest_answer_that_cannot_be_read_is_no_answer() -> None:
    with pytest.raises(UpstreamUnavailableError, match="TimeRecord"):
        wire.decode(b"<html>", TimeRecord)


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_stream_port_must_be_a_port(port: int) -> None:
    with pytest.raises(UpstreamUnavailableError, match="no port"):
        wire.decode_port(f'{{"streamPort":{port}}}'.encode())


def test_an_error_body_that_is_none_is_told_as_none() -> None:
    assert wire.decode_error(b"Bad Request") is None
    error = wire.decode_error(b'{"code":"x","message":"y"}')
    assert error is not None
    assert error.number == 0


@pytest.mark.parametrize("under", ['"8049"', "8049", "null"])
def test_an_option_tells_what_it_delivers_by_number_or_by_text(under: str) -> None:
    option = b'{"symbol":"O","symbolId":1,"optionContractDeliverables":{"underlyings":[{"underlyingSymbolId":%s}]}}'
    data = b'{"symbols":[' + option % under.encode() + b',{"symbol":"S","symbolId":2}]}'

    assert [each.symbol for each in wire.decode(data, wire.SymbolsAnswer).symbols] == ["O", "S"]


@pytest.mark.parametrize(
    ("bad", "lost"),
    [
        ('{"symbol":"B","symbolId":2,"eps":"much"}', 2),
        ('{"symbolId":2}', 2),
        ('{"symbol":"B","symbolId":"2"}', 0),
        ('{"symbol":"B"}', 0),
        ("7", 0),
        ("null", 0),
    ],
)
@pytest.mark.parametrize("decode", [wire.decode_symbols, wire.decode_search])
def test_a_symbol_that_cannot_be_read_spoils_only_itself(
    decode: Callable[[bytes], wire.Rows[Any]], bad: str, lost: int
) -> None:
    if decode is wire.decode_search and "eps" in bad:
        bad = bad.replace("eps", "currency").replace('"much"', "7")
    rows = decode(f'{{"symbols":[{{"symbol":"A","symbolId":1}},{bad},{{"symbol":"C","symbolId":3}}]}}'.encode())

    assert [row.symbol_id for row in rows] == [1, 3]
    assert rows.lost == (lost,)


def test_a_quote_that_cannot_be_read_is_told_by_its_id() -> None:
    frame = wire.decode_quotes(b'{"quotes":[{"symbolId":1},{"symbolId":2,"bidPrice":"x"},7]}')

    assert [patch.symbol_id for patch in frame.patches] == [1]
    assert (frame.spoiled, frame.lost) == (2, (2, 0))


@pytest.mark.parametrize("data", [b'{"symbols":7}', b"[]", b'{"symbols":[{"symbol"', b'{"quotes":[]}'])
def test_an_answer_without_rows_is_no_answer(data: bytes) -> None:
    for decode in (wire.decode_symbols, wire.decode_search):
        with pytest.raises(UpstreamUnavailableError):
            decode(data)
