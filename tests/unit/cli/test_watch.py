"""The arguments of `watch`, and how its table reads."""

import argparse
import io

import pytest
from rich.console import Console

from quotewire.cli import watch
from quotewire.cli.watch_table import COLUMNS, NOTHING, age, change, columns, header, price, row
from quotewire.client.state import ClientState
from quotewire.errors import ConfigurationError
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.resilience.lifecycle_types import Quality, Reason, State
from quotewire.wire.messages import UpstreamState


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    watch.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_a_count_is_a_positive_number(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("AAPL", f"--count={count}")
    assert "a whole number from 1" in capsys.readouterr().err


def test_fields_are_those_of_a_quote(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("AAPL", "--fields", "symbol, VWAP").fields == ("symbol", "VWAP")
    with pytest.raises(SystemExit):
        parse("AAPL", "--fields", "symbol,bid")
    assert "bid: the fields are symbol, symbolId" in capsys.readouterr().err


def test_fields_need_json() -> None:
    with pytest.raises(ConfigurationError, match="--fields goes with --json"):
        watch.run(parse("AAPL", "--fields", "symbol"))


def test_the_address_is_the_option_then_the_environment_then_this_machine() -> None:
    environ = {"QUOTEWIRE_URL": "http://b"}
    assert watch.address("http://a", environ) == "http://a"
    assert watch.address(None, environ) == "http://b"
    assert watch.address(None, {}) == "http://127.0.0.1:4005"


def quote(freshness: Freshness = Freshness.LIVE, **fields: object) -> Quote:
    return Quote(
        symbol="AAPL",
        symbol_id=8049,
        epoch=1,
        sequence=1,
        freshness=freshness,
        source=Source.STREAM,
        received_at=1_000,
        **{"delayed": False, **fields},  # type: ignore[arg-type]
    )


def test_a_row_has_a_word_for_its_freshness() -> None:
    known = quote(bid_price=101.5, ask_price=101.51, last_trade_price=101.5, volume=1_234_567)
    cells = row("AAPL", known, 100.0, 3_500.0)
    assert [cell.plain for cell in cells] == [
        "AAPL", "101.50", "101.51", "101.50", "+1.50 +1.50%", "1,234,567", "live", "2.5 s",
    ]  # fmt: skip
    assert row("AAPL", quote(Freshness.STALE, delayed=True), None, 0.0)[6].plain == "stale (delayed)"
    assert [cell.plain for cell in row("NEW", None, None, 0.0)] == ["NEW", *([NOTHING] * 7)]


def test_prices_have_the_decimals_they_need() -> None:
    assert [price(value) for value in (None, 5.0, 0.125, 0.12345, 1234.5)] == [
        NOTHING,
        "5.00",
        "0.125",
        "0.1235",
        "1,234.50",
    ]


def test_the_change_has_a_sign() -> None:
    assert change(99.0, 100.0).plain == "-1.00 -1.00%"
    assert change(None, 100.0).plain == change(99.0, None).plain == change(99.0, 0.0).plain == NOTHING


def test_ages() -> None:
    assert [age(ms) for ms in (-500, 900, 59_000, 600_000, 9_000_000)] == ["0.0 s", "0.9 s", "59 s", "10 min", "2 h"]


def test_the_header_tells_the_state_the_person_and_the_latency() -> None:
    state = ClientState(
        state=State.CONNECTED,
        reason=Reason.AUTHENTICATED,
        since=0,
        person="alice",
        latency_ms=12.4,
        quality=Quality.GOOD,
        upstream=UpstreamState(state="connected", reason="idle", since=0),
    )
    assert header(state, "http://a", 0).plain == "● connected  alice  http://a  12 ms"


def test_the_header_tells_what_is_wrong() -> None:
    state = ClientState(
        state=State.CONNECTING,
        reason=Reason.CONNECTION_LOST,
        since=0,
        detail="connection refused",
        upstream=UpstreamState(state="degraded", reason="no_stream", since=0),
    )
    shown = header(state, "http://a", 7).plain.splitlines()
    assert shown == [
        f"● connecting  {NOTHING}  http://a  7 skipped",
        "the gateway's own connection: degraded (no_stream)",
        "connection refused",
    ]


def test_the_header_fits_a_plain_terminal() -> None:
    out = io.StringIO()
    state = ClientState(state=State.ERROR, reason=Reason.CLOSED_FOR_GOOD, since=0)
    Console(file=out, width=40, color_system=None).print(header(state, "http://a", 0))
    assert "error" in out.getvalue()


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, COLUMNS),
        (80, COLUMNS),
        (70, ("symbol", "bid", "ask", "last", "change", "volume", "freshness")),
        (40, ("symbol", "bid", "last", "freshness")),
        (20, ("symbol", "last", "freshness")),
    ],
)
def test_a_narrow_terminal_leaves_columns_out_and_never_the_freshness(width: int, shown: tuple[str, ...]) -> None:
    assert columns(width) == shown
