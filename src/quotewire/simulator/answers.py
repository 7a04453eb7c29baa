"""What the market-data endpoints answer. Pure: a Call in, a JSON object or a Refusal out."""

from typing import Any, Final

from quotewire.simulator import options, venues
from quotewire.simulator import symbols as records
from quotewire.simulator.arguments import choice, flag, many_ids, many_names, moment, one_id, required
from quotewire.simulator.call import Call
from quotewire.simulator.candles import INTERVALS
from quotewire.simulator.present import present
from quotewire.simulator.refusals import Refusal
from quotewire.simulator.universe import Listing

PAGE: Final = 20  # rows of a search answer; the real number is unverified
MOST_OPTION_IDS: Final = 100
MODES: Final = ("WebSocket",)  # RawSocket is documented and not simulated


def time(call: Call) -> dict[str, Any]:
    """`time`: the simulated clock."""
    return {"time": call.world.text(call.world.market_now())}


def markets(call: Call) -> dict[str, Any]:
    """`markets`."""
    sessions = {name: call.world.market.sessions(name) for name in venues.MARKETS}
    return {"markets": venues.market_rows(sessions, call.world.market_now(), call.world.text)}


# -- symbols


def symbols(call: Call) -> dict[str, Any]:
    """`symbols?ids=` or `?names=`, not both. Unknown names are left out."""
    if "ids" in call.query and "names" in call.query:
        raise Refusal(1002, "names")
    if "ids" in call.query:
        found = [_known(call, each) for each in many_ids(call.query["ids"], "ids")]
    else:
        names = many_names(required(call.query, "names"), "names")
        found = [_row(call, call.world.universe.by_symbol.get(name)) for name in names]
    return {"symbols": [_record(call, listing) for listing in found if listing is not None]}


def symbol(call: Call) -> dict[str, Any]:
    """`symbols/{id}`."""
    return {"symbols": [_record(call, _must(call))]}


def search(call: Call) -> dict[str, Any]:
    """`symbols/search?prefix=&offset=`."""
    prefix = required(call.query, "prefix")
    if not prefix.strip():
        raise Refusal(1002, "prefix")
    offset = int(call.query.get("offset", "0")) if call.query.get("offset", "0").isdigit() else -1
    if offset < 0:
        raise Refusal(1002, "offset")
    rows = call.world.universe.search(prefix.strip())
    return {"symbols": [records.search_row(row) for row in rows[offset : offset + PAGE]]}


def option_chain(call: Call) -> dict[str, Any]:
    """`symbols/{id}/options`; an empty chain for a symbol without options."""
    listing = _must(call)
    chosen = [each for each in call.world.contracts if each.terms.underlying_id == listing.symbol_id]
    return {"optionChain": options.chain(listing, chosen, call.world.text) if chosen else []}


# -- quotes


def quotes(call: Call) -> dict[str, Any]:
    """`markets/quotes?ids=`; with `stream=true&mode=WebSocket` it names the streaming port and subscribes instead."""
    return _quotes(call, many_ids(required(call.query, "ids"), "ids"))


def quote(call: Call) -> dict[str, Any]:
    """`markets/quotes/{id}`."""
    _must(call)
    return _quotes(call, (one_id(call.path["id"], "id"),))


def notifications(call: Call) -> dict[str, Any]:
    """`notifications?mode=WebSocket`: the notification port."""
    choice(required(call.query, "mode"), "mode", MODES)
    return {"streamPort": call.port_of("notifications")}


def option_quotes(call: Call) -> dict[str, Any]:
    """`POST markets/quotes/options` with `optionIds` or `filters`."""
    body = call.body if isinstance(call.body, dict) else {}
    wanted = body.get("optionIds")
    filters = body.get("filters")
    if not wanted and not filters:
        raise Refusal(1004, "filters")
    if wanted is not None and (not isinstance(wanted, list) or len(wanted) > MOST_OPTION_IDS):
        raise Refusal(1024, "optionIds")
    if not all(isinstance(each, int) for each in wanted or ()):
        raise Refusal(1002, "optionIds")
    if filters is not None and not isinstance(filters, list):
        raise Refusal(1002, "filters")
    chosen = [each for each in call.world.contracts if each.listing.symbol_id in set(wanted or ())]
    for each in filters or []:
        chosen += _filtered(call, each)
    rows = []
    for contract in dict.fromkeys(chosen):
        under = call.world.market.instrument(contract.terms.underlying_id)
        if under is not None:
            rows.append(options.quote(contract, under, call.world.market_now(), call.world.text))
    return {"optionQuotes": rows}


def strategy_quotes(call: Call) -> dict[str, Any]:
    """`POST markets/quotes/strategies`: known, and not simulated; the answer is the usual unexpected error."""
    raise Refusal(1009)


def candles(call: Call) -> dict[str, Any]:
    """`markets/candles/{id}?startTime&endTime&interval`."""
    listing = _must(call)
    start = moment(required(call.query, "startTime"), "startTime")
    end = moment(required(call.query, "endTime"), "endTime")
    interval = choice(required(call.query, "interval"), "interval", INTERVALS)
    if end <= start:
        raise Refusal(1002, "endTime")
    instrument = call.world.market.instrument(listing.symbol_id)
    if instrument is None:
        return {"candles": []}
    return {"candles": call.world.candles.candles(instrument, start, end, interval, call.world.market_now())}


# -- parts


def _quotes(call: Call, ids: tuple[int, ...]) -> dict[str, Any]:
    found = [listing for listing in (_known(call, each) for each in ids) if listing is not None and listing.quotable]
    if flag(call.query.get("stream", "false"), "stream"):
        choice(required(call.query, "mode"), "mode", MODES)
        call.subscribe(call.person, tuple(listing.symbol_id for listing in found))
        return {"streamPort": call.port_of("quotes")}
    return {"quotes": [row for row in (_quote(call, listing) for listing in found) if row is not None]}


def _quote(call: Call, listing: Listing) -> Any:
    world = call.world
    row = world.market.row(listing.symbol_id)
    if row is not None:
        return present(row, world.faults, call.person, world.monotonic())
    contract = next((each for each in world.contracts if each.listing is listing), None)
    under = None if contract is None else world.market.instrument(contract.terms.underlying_id)
    if contract is None or under is None:
        return None
    return options.level1(options.quote(contract, under, world.market_now(), world.text))


def _known(call: Call, symbol_id: int) -> Listing | None:
    listing = call.world.universe.by_id.get(symbol_id)
    if listing is None and call.world.config.unknown_ids == "fail":
        raise Refusal(1019)
    return listing


def _must(call: Call) -> Listing:
    listing = call.world.universe.by_id.get(one_id(call.path["id"], "id"))
    if listing is None:
        raise Refusal(1019)
    return listing


def _row(call: Call, listing: Listing | None) -> Listing | None:
    if listing is None and call.world.config.unknown_ids == "fail":
        raise Refusal(1019)
    return listing


def _record(call: Call, listing: Listing) -> dict[str, Any]:
    return records.record(listing, call.world.market.instrument(listing.symbol_id), call.world.text)


def _filtered(call: Call, wanted: Any) -> list[options.Contract]:
    if not isinstance(wanted, dict):
        raise Refusal(1002, "filters")
    for name in ("underlyingId", "expiryDate"):
        if name not in wanted:
            raise Refusal(1004, name)
    expiry = str(wanted["expiryDate"])[:10]
    kind = wanted.get("optionType")
    lowest, highest = wanted.get("minstrikePrice"), wanted.get("maxstrikePrice")
    for name, value in (("minstrikePrice", lowest), ("maxstrikePrice", highest)):
        if value is not None and not isinstance(value, int | float):
            raise Refusal(1002, name)
    return [
        each
        for each in call.world.contracts
        if each.terms.underlying_id == wanted["underlyingId"]
        and each.terms.expiry == expiry
        and kind in (None, each.terms.kind)
        and (lowest is None or each.terms.strike >= lowest)
        and (highest is None or each.terms.strike <= highest)
    ]
