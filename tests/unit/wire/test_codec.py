"""Quotes as bytes: Questrade's names, one encoding for all, one frame a dialect."""

import msgspec

from quotewire.wire import codec
from quotewire.wire.codec import EncodedQuote, Form, encode_quote, quotes_frame, skipped_frame
from quotewire.wire.frames import text_frame
from quotewire.wire.messages import Quotes
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
