"""Symbol records and search rows, keys in the captured order. Pure.

Fundamentals are derived from the listing by arithmetic: the same for every seed, plausible, invented.
"""

from datetime import date
from typing import Any, Final

from quotewire.simulator.clock import TorontoText, midnight
from quotewire.simulator.instrument import Instrument
from quotewire.simulator.listings import FUNDS
from quotewire.simulator.prices import UNITS, number, tidy
from quotewire.simulator.universe import Listing

DIVIDEND_DATES: Final = (date(2019, 8, 9), date(2019, 8, 15))  # AAPL's, as captured; everyone's here


def search_row(listing: Listing) -> dict[str, Any]:
    """One row of `symbols/search`."""
    return {
        "symbol": listing.symbol,
        "symbolId": listing.symbol_id,
        "description": listing.description,
        "securityType": listing.security_type,
        "listingExchange": listing.exchange,
        "isTradable": listing.tradable,
        "isQuotable": listing.quotable,
        "currency": listing.currency,
    }


def record(listing: Listing, instrument: Instrument | None, text: TorontoText) -> dict[str, Any]:
    """One full symbol record. An instrument gives the day's reference prices; without one they are null."""
    option = listing.option
    return {
        "symbol": listing.symbol,
        "symbolId": listing.symbol_id,
        **_prices(listing, instrument),
        **_fundamentals(listing, text),
        "tradeUnit": 100 if option else 1,
        "optionType": option.kind if option else None,
        "optionDurationType": "Month" if option else None,
        "optionRoot": option.underlying.split(".")[0] if option else "",
        "optionContractDeliverables": _deliverables(listing),
        "optionExerciseType": "American" if option else None,
        "listingExchange": listing.exchange,
        "description": listing.description,
        "securityType": listing.security_type,
        "optionExpiryDate": text(midnight(date.fromisoformat(option.expiry))) if option else None,
        "dividendDate": text(midnight(DIVIDEND_DATES[1])) if _pays(listing) else None,
        "optionStrikePrice": tidy(option.strike, 4) if option else None,
        "isTradable": listing.tradable,
        "isQuotable": listing.quotable,
        "hasOptions": listing.has_options,
        "currency": listing.currency,
        "minTicks": [{"pivot": number(pivot), "minTick": number(tick)} for pivot, tick in listing.ticks],
        "industrySector": listing.sector or None,
        "industryGroup": listing.group or None,
        "industrySubgroup": listing.subgroup or None,
    }


def _prices(listing: Listing, instrument: Instrument | None) -> dict[str, Any]:
    known = instrument is not None and not instrument.never_trades
    average = listing.average_volume
    return {
        "prevDayClosePrice": number(instrument.previous_close) if instrument and known else None,
        "highPrice52": number(instrument.high52) if instrument and known else None,
        "lowPrice52": number(instrument.low52) if instrument and known else None,
        "averageVol3Months": average - average // 67,
        "averageVol20Days": average,
    }


def _fundamentals(listing: Listing, text: TorontoText) -> dict[str, Any]:
    company = listing.security_type == "Stock" and listing.symbol not in FUNDS and listing.shares > 0
    price = listing.price / UNITS
    eps = round(price / (12 + listing.symbol_id % 17), 2) if company and price > 1 else None
    dividend = round(price * 0.003, 2) if _pays(listing) else 0
    return {
        "outstandingShares": listing.shares,
        "eps": tidy(eps, 2) if eps else None,
        "pe": tidy(price / eps, 5) if eps else None,
        "dividend": tidy(dividend, 2),
        "yield": tidy(dividend * 400 / price, 5) if price else 0,
        "exDate": text(midnight(DIVIDEND_DATES[0])) if _pays(listing) else None,
        "marketCap": int(listing.shares * price),
    }


def _pays(listing: Listing) -> bool:
    return listing.sector in ("FinancialServices", "Energy", "Industrials", "Technology") and listing.price > 20 * UNITS


def _deliverables(listing: Listing) -> dict[str, Any]:
    option = listing.option
    if option is None:
        return {"underlyings": [], "cashInLieu": 0}
    under = {"multiplier": 100, "underlyingSymbol": option.underlying, "underlyingSymbolId": str(option.underlying_id)}
    return {"underlyings": [under], "cashInLieu": 0}
