"""The simulator's answers have the keys, the order of keys and the JSON types of real payloads.

Real payloads are read from `QUOTEWIRE_FIXTURES`, or from `../shared/fixtures` beside the repository; they are not part
of it, and without them these tests are skipped.
"""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quotewire.market.quote import QuotePatch
from quotewire.simulator import Simulator
from tests.integration.broker_client import AAPL, MSFT, Broker, broker, config, hear, hear_quotes

FIXTURES = Path(os.environ.get("QUOTEWIRE_FIXTURES", Path(__file__).parents[2] / ".." / "shared" / "fixtures"))
FB = 2067121
EDITED = {"commissionCharged": "comissionCharged"}  # that client's fixture spells it right; the wire does not

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no real payloads at {FIXTURES}")


def captured(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def kind(value: Any) -> str:
    """The JSON type; an integral number and a fraction are both numbers."""
    if isinstance(value, bool):
        return "boolean"
    names = {int: "number", float: "number", str: "string", list: "array", dict: "object", type(None): "null"}
    return names[type(value)]


def differences(real: Any, ours: Any, at: str = "$", *, exact: bool = True) -> list[str]:
    """Where ours departs from the shape of the real one; of arrays the first elements are compared."""
    if kind(real) != kind(ours):
        return [f"{at}: {kind(real)} on the wire, {kind(ours)} here"]
    if isinstance(real, dict):
        found = []
        if exact and list(real) != list(ours):
            found.append(f"{at}: keys {list(real)} on the wire, {list(ours)} here")
        missing = [key for key in real if EDITED.get(key, key) not in ours]
        found += [f"{at}: {key} is missing here" for key in missing]
        for key in real:
            if key not in missing:
                found += differences(real[key], ours[EDITED.get(key, key)], f"{at}.{key}", exact=exact)
        return found
    if isinstance(real, list) and real:
        return differences(real[0], ours[0], f"{at}[0]", exact=exact) if ours else [f"{at}: empty here"]
    return []


@pytest.fixture
async def alice() -> AsyncIterator[Broker]:
    async with Simulator(config(start="2026-03-03T16:48:34")) as sim, broker(sim) as client:
        yield client


GETS = [
    ("rest-time-2019.json", "time"),
    ("rest-time-2026.json", "time"),
    ("rest-markets-2019.json", "markets"),
    ("rest-markets-2026.json", "markets"),
    ("rest-symbols-2019.json", f"symbols/{AAPL}"),
    ("rest-symbols-2019.json", "symbols?names=AAPL"),
    ("rest-search-2019.json", "symbols/search?prefix=AAPL"),
    ("rest-options-2019.json", f"symbols/{AAPL}/options"),
    ("rest-quotes-2019.json", f"markets/quotes/{AAPL}"),
    ("rest-quotes-2019.json", f"markets/quotes?ids={AAPL}"),
    (
        "rest-candles-2019.json",
        f"markets/candles/{AAPL}?startTime=2026-02-20T20:29:24-05:00&endTime=2026-03-03T20:29:24-05:00&interval=OneDay",
    ),
]


@pytest.mark.parametrize(("name", "path"), GETS)
async def test_answers_have_the_captured_shape(alice: Broker, name: str, path: str) -> None:
    answer = await alice.get(path)
    assert answer.status_code == 200, answer.text
    assert differences(captured(name), answer.json()) == []


async def test_stream_frames_have_the_captured_shape(alice: Broker) -> None:
    connection = await alice.stream(MSFT, FB)
    frame = await hear_quotes(connection)
    real = captured("stream-quotes-2016.json")
    assert differences(real, {"quotes": frame}) == []
    assert [quote["symbolId"] for quote in frame] == [quote["symbolId"] for quote in real["quotes"]]
    await connection.close()


async def test_markets_are_the_captured_ones_with_the_captured_hours(alice: Broker) -> None:
    ours = (await alice.get("markets")).json()["markets"]
    real = captured("rest-markets-2026.json")["markets"]
    for mine, theirs in zip(ours, real, strict=True):
        for key in ("name", "extendedStartTime", "startTime", "endTime", "extendedEndTime", "snapQuotesLimit"):
            assert mine[key] == theirs[key], f"{theirs['name']} {key}"
        for key in ("tradingVenues", "level1Feeds", "level2Feeds"):
            assert sorted(mine[key]) == sorted(theirs[key]), f"{theirs['name']} {key}"


async def test_option_quotes_have_every_key_of_the_client_fixture(alice: Broker) -> None:
    chain = (await alice.get(f"symbols/{AAPL}/options")).json()["optionChain"]
    wanted = {"underlyingId": AAPL, "expiryDate": chain[0]["expiryDate"]}
    answer = await alice.http.post(
        f"{alice.api}/v1/markets/quotes/options",
        json={"filters": [wanted]},
        headers={"Authorization": f"Bearer {alice.access_token}"},
    )
    ours = answer.json()
    traded = [row for row in ours["optionQuotes"] if row["bidPrice"] is not None]
    untraded = [row for row in ours["optionQuotes"] if row["bidPrice"] is None]
    assert differences(captured("rest-option_quotes-client-fixture.json"), {"optionQuotes": traded}, exact=False) == []
    for row in untraded:
        assert (row["bidSize"], row["askSize"], row["lastTradePriceTrHrs"], row["VWAP"]) == (0, 0, None, 0)
    assert untraded


async def test_orders_and_executions_have_every_key_of_the_client_fixtures(alice: Broker) -> None:
    port = (await alice.get("notifications?mode=WebSocket")).json()["streamPort"]
    connection = await alice.socket(port)
    await hear(connection)
    alice.sim.notify("alice", [{}], [{}])
    message = await hear(connection)
    orders, executions = {"orders": message["orders"]}, {"executions": message["executions"]}
    assert differences(captured("rest-orders-client-fixture.json"), orders, exact=False) == []
    assert differences(captured("rest-executions-client-fixture.json"), executions, exact=False) == []
    await connection.close()


async def test_times_have_six_digits_and_the_toronto_offset_and_integral_numbers_no_point(alice: Broker) -> None:
    quote = (await alice.get(f"markets/quotes/{AAPL}")).json()["quotes"][0]
    real = captured("rest-quotes-2019.json")["quotes"][0]
    assert len(quote["lastTradeTime"]) == len(real["lastTradeTime"])
    assert quote["lastTradeTime"].endswith(("-05:00", "-04:00"))
    text = (await alice.get("markets/quotes?ids=8049,27426,2067121")).text
    assert ".0," not in text


def test_every_captured_quote_key_is_known_to_the_product() -> None:
    real = captured("rest-quotes-2019.json")["quotes"][0]
    assert set(real) == set(QuotePatch.__struct_encode_fields__)
