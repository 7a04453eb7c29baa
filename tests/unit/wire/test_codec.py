"""Quotes as bytes: Questrade's names, one encoding for all, one frame a dialect."""

import msgspec
import pytest

from quotewire.wire import codec
from quotewire.wire.codec import (
    EncodedQuote,
    Form,
    encode_delta,
    encode_quote,
    gaps_frame,
    quotes_frame,
    skipped_frame,
)
from quotewire.wire.frames import text_frame
from quotewire.wire.messages import Quotes
from quotewire.wire.options import Cause, Gap
from tests.hub_clients import messages
from tests.wire_samples import quote


def test_a_quote_has_questrades_names_and_null_where_there_is_no_price() -> None:
    told = msgspec.json.decode(encode_quote(quote(8049, bid_price=101.25, vwap=100.5, last_trade_price_tr_hrs=99.0)))
    assert (told["symbolId"], told["bidPrice"], told["VWAP"], told["lastTradePriceTrHrs"]) == (8049, 101.25, 100.5, 99)
    assert told["askPrice"] is None
    assert told["high52w"] is None
    assert (told["epoch"], told["sequence"], told["freshness"], told["source"]) == (7, 1, "live", "stream")


def test_a_price_without_a_number_becomes_null_and_stays_json() -> None:
    assert b'"bidPrice":null' in encode_quote(quote(1, bid_price=float("nan")))


def test_both_forms_carry_the_same_objects() -> None:
    objects = [encode_quote(quote(1)), encode_quote(quote(2))]
    native, plain = quotes_frame(Form.NATIVE, objects), quotes_frame(Form.PLAIN, objects)
    assert plain == text_frame(b'{"quotes":[' + b",".join(objects) + b"]}")
    assert native == text_frame(b'{"type":"quotes","quotes":[' + b",".join(objects) + b"]}")


def test_the_native_form_is_a_quotes_message() -> None:
    (length,) = (int.from_bytes(quotes_frame(Form.NATIVE, [encode_quote(quote(3))])[2:4], "big"),)
    payload = quotes_frame(Form.NATIVE, [encode_quote(quote(3))])[4:]
    assert len(payload) == length
    assert msgspec.json.decode(payload, type=Quotes).quotes == [quote(3)]


def test_skipped_updates_are_told_in_a_message_without_quotes() -> None:
    told = msgspec.json.decode(skipped_frame(41)[2:], type=Quotes)
    assert (told.quotes, told.skipped) == ([], 41)


def test_an_update_is_encoded_once_and_framed_once_a_form() -> None:
    update = EncodedQuote(quote(1))
    assert update.frame(Form.NATIVE) is update.frame(Form.NATIVE)
    assert update.frame(Form.PLAIN) is update.frame(Form.PLAIN)
    assert update.object is update.object
    assert update.frame(Form.PLAIN) == quotes_frame(Form.PLAIN, [codec.encode_quote(update.quote)])


def test_a_price_without_a_number_is_nil_in_messagepack_too() -> None:
    for fields in (None, ("bidPrice",)):
        told = msgspec.msgpack.decode(encode_quote(quote(1, bid_price=float("nan")), Form.MSGPACK, fields))
        assert told["bidPrice"] is None
    delta = encode_delta(quote(1, 2, bid_price=float("inf")), quote(1, bid_price=1.0), Form.MSGPACK)
    assert msgspec.msgpack.decode(delta)["bidPrice"] is None


def test_an_update_knows_its_place_in_the_count() -> None:
    update = EncodedQuote(quote(5, 9, epoch=3))
    assert (update.symbol_id, update.epoch, update.sequence) == (5, 3, 9)


def test_a_selection_and_a_delta_are_made_once_each() -> None:
    base, update = quote(1, 1, volume=1), EncodedQuote(quote(1, 2, volume=2))
    fields = ("bidPrice", "volume")
    for form in Form:
        assert update.frame(form, fields) is update.frame(form, fields)
        assert update.body(form, fields) is update.body(form, fields)
        assert update.delta_frame(form, base, fields) is update.delta_frame(form, base, fields)
    assert update.delta_frame(Form.NATIVE, base) != update.delta_frame(Form.NATIVE, quote(1, 0, volume=2))
    assert update.body(Form.NATIVE, fields) is update.body(Form.PLAIN, fields)


def test_what_was_shed_is_made_again() -> None:
    update = EncodedQuote(quote(1))
    before = update.frame(Form.NATIVE)
    update.shed()
    assert update.frame(Form.NATIVE) == before
    other = EncodedQuote(quote(2))
    assert other.frame(Form.NATIVE) != before


@pytest.mark.parametrize("form", [Form.NATIVE, Form.MSGPACK])
def test_gaps_are_told_in_the_words_of_the_protocol(form: Form) -> None:
    gap = Gap("S1", 1, 7, 3, 5, None, 1_764_000_000_000, Cause.SLOW)
    (told,) = messages(gaps_frame(form, [gap]))
    assert told == {
        "type": "gap",
        "gaps": [
            {
                "symbol": "S1",
                "symbolId": 1,
                "epoch": 7,
                "from": 3,
                "to": 5,
                "since": None,
                "until": 1_764_000_000_000,
                "cause": "slow",
            }
        ],
    }


def test_the_lag_is_told_with_what_was_skipped() -> None:
    for form in (Form.NATIVE, Form.MSGPACK):
        assert messages(skipped_frame(3, form, 250)) == [{"type": "quotes", "quotes": [], "skipped": 3, "lagMs": 250}]
    assert messages(quotes_frame(Form.PLAIN, [], skipped=3, lag_ms=250)) == [{"quotes": []}]
