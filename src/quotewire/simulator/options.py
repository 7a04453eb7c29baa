"""Option chains and option quotes, from the underlying's price. Pure.

Chains are small: three monthly expiries, seven strikes around the listing price. Ids and quotes are invented, quotes by
a Black-Scholes formula with a volatility per strike; the furthest strikes have never traded and quote nulls.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from quotewire.simulator.clock import TorontoText, midnight
from quotewire.simulator.instrument import Instrument
from quotewire.simulator.prices import OPTION_TICKS, UNITS, number, on_grid, tick_at, tidy
from quotewire.simulator.universe import CANADIAN, Listing, OptionTerms

EXPIRIES: Final = 3
STRIKES: Final = 7
FIRST_ID: Final = 70_000_001
PER_UNDERLYING: Final = EXPIRIES * STRIKES * 2
RATE: Final = 0.03
YEAR_S: Final = 365.25 * 86_400


@dataclass(frozen=True, slots=True)
class Contract:
    """One option of a chain; `untraded` has nulls for quotes."""

    listing: Listing
    terms: OptionTerms
    untraded: bool


def contracts(underlyings: list[Listing], today: date) -> list[Contract]:
    """All options of all chains, in order of id."""
    made = []
    for place, under in enumerate(underlyings):
        for index, (expiry, strike, kind) in enumerate(_grid(under, today)):
            made.append(_contract(under, FIRST_ID + place * PER_UNDERLYING + index, expiry, strike, kind))
    return made


def chain(under: Listing, options: list[Contract], text: TorontoText) -> list[dict[str, Any]]:
    """The `optionChain` of an underlying."""
    rows: dict[str, dict[float, dict[str, Any]]] = {}
    for option in options:
        strikes = rows.setdefault(option.terms.expiry, {})
        pair = strikes.setdefault(option.terms.strike, {"strikePrice": tidy(option.terms.strike, 4)})
        pair["callSymbolId" if option.terms.kind == "Call" else "putSymbolId"] = option.listing.symbol_id
    return [
        {
            "expiryDate": text(midnight(date.fromisoformat(expiry))),
            "description": under.description,
            "listingExchange": options[0].listing.exchange,
            "optionExerciseType": "American",
            "chainPerRoot": [
                {
                    "optionRoot": under.symbol.split(".")[0],
                    "chainPerStrikePrice": [strikes[strike] for strike in sorted(strikes)],
                    "multiplier": 100,
                }
            ],
        }
        for expiry, strikes in rows.items()
    ]


def quote(option: Contract, under: Instrument, now: float, text: TorontoText) -> dict[str, Any]:
    """One row of `optionQuotes`."""
    value, greeks = _black_scholes(option.terms, under.last / UNITS, now)
    tick = tick_at(OPTION_TICKS, value * UNITS)
    bid = on_grid(OPTION_TICKS, value * UNITS)
    ask, last = bid + 2 * tick, bid + tick
    traded = not option.untraded
    lots = option.listing.symbol_id % 40 + 1
    volume = lots * 7 if traded else 0
    return {
        "underlying": option.terms.underlying,
        "underlyingId": option.terms.underlying_id,
        "symbol": option.listing.symbol,
        "symbolId": option.listing.symbol_id,
        "tier": "",
        "bidPrice": number(bid) if traded else None,
        "bidSize": lots if traded else 0,
        "askPrice": number(ask) if traded else None,
        "askSize": lots + 3 if traded else 0,
        "lastTradePriceTrHrs": number(last) if traded else None,
        "lastTradePrice": number(last) if traded else None,
        "lastTradeSize": 1 if traded else 0,
        "lastTradeTick": "Equal" if traded else None,
        "lastTradeTime": text(under.began if traded else midnight(under.day.date)),
        "volume": volume,
        "openPrice": number(last) if traded else 0,
        "highPrice": number(ask) if traded else 0,
        "lowPrice": number(bid) if traded else 0,
        **greeks,
        "openInterest": volume * 11,
        "strikePrice": tidy(option.terms.strike, 4),
        "expiryDate": text(midnight(date.fromisoformat(option.terms.expiry))),
        "optionType": option.terms.kind,
        "delay": 0,
        "isHalted": under.halted,
        "VWAP": number(last) if traded else 0,
    }


def level1(row: dict[str, Any]) -> dict[str, Any]:
    """The same option as an ordinary quote: the captured keys of a level 1 quote, without greeks."""
    keys: tuple[str, ...] = (
        "symbol",
        "symbolId",
        "tier",
        "bidPrice",
        "bidSize",
        "askPrice",
        "askSize",
        "lastTradePriceTrHrs",
    )
    keys += ("lastTradePrice", "lastTradeSize", "lastTradeTick", "lastTradeTime", "volume", "openPrice", "highPrice")
    keys += ("lowPrice", "delay", "isHalted")
    return {**{key: row[key] for key in keys}, "high52w": None, "low52w": None, "VWAP": row["VWAP"]}


def _grid(under: Listing, today: date) -> Iterator[tuple[date, float, str]]:
    price = under.price / UNITS
    step = 1.0 if price < 25 else 2.5 if price < 100 else 5.0 if price < 300 else 10.0
    middle = round(price / step) * step
    for expiry in _third_fridays(today):
        for place in range(-(STRIKES // 2), STRIKES // 2 + 1):
            for kind in ("Call", "Put"):
                yield expiry, middle + place * step, kind


def _third_fridays(today: date) -> list[date]:
    found: list[date] = []
    month = today.replace(day=1)
    while len(found) < EXPIRIES:
        friday = month + timedelta(days=(4 - month.weekday()) % 7 + 14)
        if friday > today:
            found.append(friday)
        month = (month + timedelta(days=32)).replace(day=1)
    return found


def _contract(under: Listing, symbol_id: int, expiry: date, strike: float, kind: str) -> Contract:
    root, canadian = under.symbol.split(".")[0], under.exchange in CANADIAN
    symbol = f"{root}{expiry:%d%b%y}{kind[0]}{strike:.2f}{'.MX' if canadian else ''}"
    terms = OptionTerms(under.symbol, under.symbol_id, strike, expiry.isoformat(), kind)
    listing = Listing(
        symbol=symbol,
        symbol_id=symbol_id,
        exchange="MX" if canadian else "OPRA",
        price=0,
        average_volume=0,
        shares=0,
        description=f"{kind.upper()} {root} {expiry:%m/%d/%y} {strike:g}",
        security_type="Option",
        currency=under.currency,
        ticks=OPTION_TICKS,
        option=terms,
    )
    far = strike > under.price / UNITS * 1.05 if kind == "Call" else strike < under.price / UNITS * 0.95
    return Contract(listing, terms, untraded=far)


def _black_scholes(terms: OptionTerms, price: float, now: float) -> tuple[float, dict[str, Any]]:
    expiry = midnight(date.fromisoformat(terms.expiry)) + 16 * 3600
    years = max(expiry - now, 60.0) / YEAR_S
    moneyness = math.log(price / terms.strike)
    sigma = 0.28 + 0.4 * moneyness * moneyness
    spread = sigma * math.sqrt(years)
    d1 = (moneyness + (RATE + sigma * sigma / 2) * years) / spread
    d2 = d1 - spread
    sign = 1.0 if terms.kind == "Call" else -1.0
    discounted = terms.strike * math.exp(-RATE * years)
    value = sign * (price * _normal(sign * d1) - discounted * _normal(sign * d2))
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    theta = -price * density * sigma / (2 * math.sqrt(years)) - sign * RATE * discounted * _normal(sign * d2)
    return max(value, 0.01), {
        "volatility": tidy(sigma * 100, 4),
        "delta": tidy(sign * _normal(sign * d1), 6),
        "gamma": tidy(density / (price * spread), 6),
        "theta": tidy(theta / 365, 6),
        "vega": tidy(price * density * math.sqrt(years) / 100, 6),
        "rho": tidy(sign * years * discounted * _normal(sign * d2) / 100, 6),
    }


def _normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2
