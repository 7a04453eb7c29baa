"""What `/v1/markets` says, as data: names, venues, routes and feeds as in the captures of 2019 and 2026. Pure."""

from typing import Any, Final

from quotewire.simulator.activity import Sessions
from quotewire.simulator.clock import TorontoText

UNLIMITED: Final = 2_147_483_647
LIMITED: Final = 99_999

_CANADA: Final = "ALPH CXC OMGA PURE CNSX ATS ICX LIQ LYX CXD NEOL NEO MATCH CX2"
_CANADA_ROUTES: Final = "AUTO CX2 AQN AQL CXC OME OM2 CXD"
_CANADA_BOOKS: Final = "ALPH CXC NEO NEOL OMGA PURE"
_STATES: Final = "NASDAQ NYSE NYSEAM CHX PHLX ARCA BATS BSE ISE NSE IDC EDGA EDGX BATSY ISEG IEX ADF"
_STATES_ROUTES: Final = "AUTO ARCA NASDAQ MNGD IEX BATS EDGA EDGX"
_STATES_BOOKS: Final = "ARCA BATS EDGA EDGX NASDAQ NYSEAM"
_LARGE_BOOKS: Final = f"{_STATES_BOOKS} NYSE"
_OPTION_VENUES: Final = (
    "NASDAQ NYSE NYSEAM AMXO CHX PHLX XPHO ARCA ARCO BATS XBOX BSE XNDQ XCBO ISE OPRA NSE IDC EDGA EDGX C2OX BATO XBXO "
    "MIAXO MPRL EDGO MCRY GMNI MEMR"
)
_OPTION_FEEDS: Final = "AMXO ARCO BATO C2OX EDGO GMNI ISE MCRY MEMR MIAXO MPRL OPRA XBOX XBXO XCBO XNDQ XPHO"

# name, venues, primary routes, secondary routes, level 1 feeds, level 2 feeds, snap quote limit
_MARKETS: Final = (
    ("TSX", f"TSX {_CANADA}", "AUTO", f"TSX {_CANADA_ROUTES}", "TSX", f"{_CANADA_BOOKS} TSX", UNLIMITED),
    ("TSXV", f"TSXV {_CANADA}", "AUTO", f"TSXV {_CANADA_ROUTES}", "TSX", f"{_CANADA_BOOKS} TSXV", UNLIMITED),
    ("MX", "MX", "AUTO", "", "MX", "MX", UNLIMITED),
    ("CNSX", "ALPH CXC OMGA CNSX ATS", "AUTO", "AUTO CX2 AQN AQL CXC OME OM2", "TSX", "ALPH CNSX CXC OMGA", UNLIMITED),
    ("NASDAQ", _STATES, _STATES_ROUTES, "", "BATSY BSE CHX IEX NASDAQ NSE PHLX", _LARGE_BOOKS, UNLIMITED),
    ("NYSE", _STATES, f"{_STATES_ROUTES} NYSE", "", "BATSY BSE CHX IEX NSE NYSE PHLX", _LARGE_BOOKS, UNLIMITED),
    ("NYSEAM", _STATES, _STATES_ROUTES, "", "BATSY BSE CHX IEX NSE NYSEAM PHLX", _STATES_BOOKS, UNLIMITED),
    ("ARCA", _STATES, _STATES_ROUTES, "", "NYSEAM", _STATES_BOOKS, UNLIMITED),
    ("BATS", _STATES, _STATES_ROUTES, "", "NYSEAM", _STATES_BOOKS, LIMITED),
    ("OPRA", _OPTION_VENUES, "AUTO MNGD", "", _OPTION_FEEDS, "", UNLIMITED),
    ("PINX", "PINX", "AUTO MNGD IEX", "", "PINX", "PINX", UNLIMITED),
    ("OTCBB", "NASDAQ NYSE ARCA PINX OTCBB", "AUTO MNGD", "", "PINX", "PINX", UNLIMITED),
    ("NEO", "ALPH CXC OMGA ATS NEOL NEO", "AUTO", "TSX AUTO AQN AQL", "TSX", "ALPH CXC NEO NEOL OMGA", LIMITED),
)  # fmt: skip
MARKETS: Final = tuple(row[0] for row in _MARKETS)


def market_rows(sessions: dict[str, Sessions], now: float, text: TorontoText) -> list[dict[str, Any]]:
    """The rows of `/v1/markets`: the hours are those of the latest trading day that has begun."""
    rows = []
    for name, venues, primary, secondary, level1, level2, limit in _MARKETS:
        day = sessions[name].latest_day(now)
        rows.append(
            {
                "name": name,
                "tradingVenues": venues.split(),
                "defaultTradingVenue": "AUTO",
                "primaryOrderRoutes": primary.split(),
                "secondaryOrderRoutes": secondary.split(),
                "level1Feeds": level1.split(),
                "level2Feeds": level2.split(),
                "extendedStartTime": text(day.extended_start),
                "startTime": text(day.start),
                "endTime": text(day.end),
                "extendedEndTime": text(day.extended_end),
                "snapQuotesLimit": limit,
            }
        )
    return rows
