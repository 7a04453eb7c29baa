"""Timetables from seeds: what Questrade is like in one seed, and which faults come when.

Three families take turns. *Broad* ones draw from every fault, on a quiet market with room to spare. *Tight* ones have
streams with hardly any room beyond what is wanted, quick quotes, and streams that are ended again and again. *Mixed*
ones have both.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from quotewire.market.calendar import MarketPhase, phase_at
from tests.simulation.faults import HAZARDS, MOMENTARY, PERSONS, Fault, Kind, Nature, Point, Timetable
from tests.simulation.market import EXCHANGE, toronto

HOSTS: Final = (
    "https://api{:02d}.iq.questrade.com/",
    "https://api{:02d}.iq.questrade.com",
    "https://api{:02d}.iq.questrade.com/v1",
)
REGULAR_S: Final = 36_600.0
"""Ten past ten in the morning; seconds of the day in Toronto, as all of these."""
EDGES: Final = (14_400.0, 34_200.0, 57_600.0, 72_000.0)
"""Extended hours begin, the market opens, it closes, extended hours end."""
OTHER_TIMES: Final = (21_600.0, 61_200.0)
LASTS_S: Final = 300.0
"""What a seed takes at most, or nearly: for this long the market has to be regular for what only then is looked for."""

REGULAR_ONLY: Final = frozenset({Kind.STUCK_SYMBOL, Kind.DEAD_SOCKET, Kind.BLACK_HOLE})
"""Silence. Outside regular hours it is what most symbols do, and is not looked for."""
NOT_AT_THE_CLOSE: Final = frozenset({Kind.SILENT, Kind.MUTE_SYMBOL})
"""Silence in which a market closes is not found out: what comes next comes the next day."""
FOR_EVERYBODY: Final = frozenset(
    {
        Kind.LOGIN_ERROR,  # the login server does not know who calls before it has read the token
        Kind.LOGIN_BUSY,
        Kind.LOGIN_PAGE,
        Kind.LOGIN_DOWN,
        Kind.LOGIN_BROKEN,
        Kind.LOGIN_HANG,
        Kind.LOGIN_SLOW,
        Kind.CHILD_KILLED,
        Kind.CRASH,
        Kind.RESTART,
        Kind.PAUSE,
        Kind.CLOCK_STEP,
        Kind.DISK_FULL,
        Kind.VAULT_LOCKED,
        Kind.OUTAGE,
        Kind.BLACK_HOLE,
        Kind.KILLS_ROUND,
        Kind.KILLS_MANY,
        Kind.HALT,
    }
)
FOR_ONE: Final = frozenset({Kind.REVOKED, Kind.ACCESS_KILLED, Kind.SHORT_LIVES, Kind.EVICTED, Kind.KILLS, Kind.OPT_OUT})
LONGEST_S: Final = {Kind.DISK_FULL: 40.0, Kind.VAULT_LOCKED: 10.0}
KILLS: Final = (Kind.KILLS, Kind.KILLS_ROUND, Kind.KILLS_MANY, Kind.DROP)
BESIDE: Final = (
    Kind.OPT_OUT,
    Kind.HALT,
    Kind.HOUR_SPENT,
    Kind.PORT_DEAD,
    Kind.CRASH,
    Kind.RESTART,
    Kind.PAUSE,
    Kind.CLOCK_STEP,
    Kind.ACCESS_KILLED,
    Kind.MUTE_SYMBOL,
    Kind.LAG,
    Kind.REFUSED,
    Kind.PORT_CHANGE,
    Kind.VAULT_LOCKED,
)
"""What may come with a train of kills."""


def timetable(seed: int) -> Timetable:
    """The timetable of a seed."""
    chance = random.Random(seed)
    match seed % 5:
        case 0 | 2:
            return _broad(seed, chance)
        case 1 | 3:
            return _tight(seed, chance)
        case _:
            return _mixed(seed, chance)


def draw(chance: random.Random, kind: Kind, at: float, longest_s: float, persons: tuple[str, ...]) -> Fault:
    """A fault of a kind."""
    lasts = 0.0 if kind in MOMENTARY else chance.uniform(0.5, longest_s) ** chance.choice((0.6, 1.0))
    lasts = min(lasts, LONGEST_S.get(kind, lasts))
    whom = chance.choice((None, *persons))
    if kind in FOR_EVERYBODY:
        whom = None
    elif kind in FOR_ONE:
        whom = chance.choice(persons)
    amount = chance.random()
    point = chance.choice(tuple(Point)) if kind is Kind.CHILD_KILLED else None
    return Fault(kind, round(at, 2), round(at + lasts, 2), whom, round(amount, 3), point)


# --- natures ---


def _broad_nature(chance: random.Random) -> Nature:
    """A Questrade with room to spare, most of the time."""
    symbols = chance.randint(3, 10)
    return Nature(
        persons=PERSONS[: chance.choice((1, 2, 2, 3))],
        symbols=symbols,
        wanted=chance.randint(1, symbols),
        symbols_per_stream=chance.choice((500, 500, 500, 3)),
        acts_every_s=30.0,
        **_habits(chance),
    )


def _tight_nature(chance: random.Random) -> Nature:
    """A Questrade whose streams have hardly more room than is wanted, or less; and quick quotes."""
    persons = PERSONS[: chance.choice((2, 3, 3))]
    most = chance.randint(2, 6)
    room, without_one = len(persons) * most, (len(persons) - 1) * most
    wanted = chance.choice(
        (without_one - chance.randint(0, most - 1), chance.randint(without_one + 1, room), room + chance.randint(0, 3))
    )
    churns = chance.random() < 0.4
    pace_s, tick_s = chance.choice(((2.5, 0.5), (1.0, 0.25), (1.0, 0.25), (0.4, 0.2), (0.1, 0.1)))
    return Nature(
        persons=persons,
        symbols=wanted + 3 * churns,
        wanted=wanted,
        least_wanted=max(1, wanted // 2) if churns else wanted,
        symbols_per_stream=most,
        acts_every_s=chance.choice((4.0, 12.0)) if churns else 30.0,
        linger_s=chance.choice((30.0, 3.0, 0.0, 0.0)),
        pace_s=pace_s,
        tick_s=tick_s,
        **_habits(chance) | {"wants_change": churns},
    )


def _habits(chance: random.Random) -> dict[str, Any]:
    """What is the same for both."""
    opening_s = REGULAR_S
    if chance.random() < 0.25:
        edge = chance.choice(EDGES) - chance.uniform(2.0, 50.0)
        opening_s = round(chance.choice((edge, edge, chance.choice(OTHER_TIMES))), 1)
    return {
        "second_get": chance.choice(("replace", "replace", "add", "reconnect")),
        "get_shows_new": chance.random() < 0.7,
        "refresh_ends_stream_s": chance.choice((0.0, 0.0, 5.0, -1.0)),
        "expiry_ends_stream": chance.random() < 0.7,
        "expires_in": chance.choice((1800, 1800, 1800, 300, 60, 30)),
        "api_server": chance.choice(HOSTS),
        "evict_code": chance.choice((0, 0, 1000, 1006, 4001)),
        "latency_s": chance.choice((0.005, 0.04, 0.04, 0.25)),
        "jitter_s": chance.choice((0.0, 0.02, 0.2)),
        "clock_ahead_s": chance.choice((0.0, 0.0, 2.5, -40.0)),
        "opening_s": opening_s,
        "flicker": chance.choice((0.0, 0.0, 0.4, 0.8)),
        "doubles": chance.random() < 0.2,
        "wants_change": chance.random() < 0.6,
        "shuffles": chance.random() < 0.5,
    }


# --- families ---


def _broad(seed: int, chance: random.Random) -> Timetable:
    return _any_faults(seed, chance, _broad_nature(chance))


def _mixed(seed: int, chance: random.Random) -> Timetable:
    return _any_faults(seed, chance, _tight_nature(chance))


def _any_faults(seed: int, chance: random.Random, nature: Nature) -> Timetable:
    span = chance.choice((20.0, 40.0, 60.0))
    kinds = [kind for kind in kinds_for(nature) if kind not in HAZARDS or chance.random() < 0.3]
    count = chance.choice((1, 1, 2, 2, 3, 4, 6))
    faults = [
        draw(chance, chance.choice(kinds), chance.uniform(0.0, span), span / 2, nature.persons) for _ in range(count)
    ]
    match chance.randint(0, 39):
        case 0:  # a person's tokens get no answer, though the login server seems well
            nature = replace(nature, expires_in=30)
            kind, whom = chance.choice((Kind.LOGIN_BROKEN, Kind.LOGIN_HANG)), chance.choice(nature.persons)
            faults.append(Fault(kind, round(chance.uniform(0.0, 20.0), 2), 140.0, whom))
        case 1:  # another program that refreshes the same login again and again
            whom = chance.choice(nature.persons)
            faults.append(Fault(Kind.SHORT_LIVES, 5.0, 90.0, whom, round(chance.uniform(0.0, 0.3), 3)))
        case 2:  # or are declined
            nature = replace(nature, expires_in=30)
            kind = chance.choice((Kind.LOGIN_ERROR, Kind.LOGIN_BUSY, Kind.LOGIN_PAGE))
            faults.append(Fault(kind, 10.0, 70.0, chance.choice(nature.persons)))
        case _:
            pass
    return _ordered(seed, nature, faults)


def _tight(seed: int, chance: random.Random) -> Timetable:
    nature, span = _tight_nature(chance), chance.choice((20.0, 40.0))
    kinds = kinds_for(nature)
    faults = [
        draw(chance, chance.choice(KILLS), chance.uniform(2.0, span), span, nature.persons)
        for _ in range(chance.choice((1, 1, 2, 3)))
    ]
    if chance.random() < 0.5:
        beside = [kind for kind in BESIDE if kind in kinds]
        faults.append(draw(chance, chance.choice(beside), chance.uniform(0.0, span), span / 2, nature.persons))
    return _ordered(seed, nature, faults)


def _ordered(seed: int, nature: Nature, faults: Sequence[Fault]) -> Timetable:
    return Timetable(seed, nature, tuple(sorted(faults, key=lambda fault: (fault.at, fault.kind))))


def kinds_for(nature: Nature) -> list[Kind]:
    """Which faults there may be."""
    phases = [phase_at(EXCHANGE, toronto(nature.opening_s + after_s)) for after_s in (0.0, LASTS_S)]
    regular = all(phase is MarketPhase.REGULAR for phase in phases)
    unfit = frozenset() if regular else REGULAR_ONLY
    if phases[-1] is MarketPhase.CLOSED:
        unfit |= NOT_AT_THE_CLOSE
    return [kind for kind in Kind if kind not in unfit]
