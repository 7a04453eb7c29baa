"""Streams with hardly any room, ended again and again: what was found there, by hand and by the seeds.

Each of the scenarios broke an invariant once. The sentence says how.
"""

from dataclasses import replace

import pytest

from tests.simulation.faults import Fault, Kind, Nature, Timetable
from tests.simulation.run import simulate

pytestmark = pytest.mark.slow

SCENARIOS = {
    # it was polled for as long as what nobody wanted any more lingered
    "what_lingers_and_what_is_wanted_in_a_full_stream": Timetable(
        8,
        Nature(
            persons=("alice", "bob"),
            symbols=12,
            wanted=9,
            least_wanted=4,
            symbols_per_stream=4,
            refresh_ends_stream_s=-1.0,
            expires_in=60,
            evict_code=1006,
            latency_s=0.005,
            pace_s=1.0,
            tick_s=0.25,
            acts_every_s=4.0,
            linger_s=3.0,
            shuffles=True,
        ),
        (
            Fault(Kind.KILLS_MANY, 5.69, 38.35, None, 0.83),
            Fault(Kind.OPT_OUT, 13.54, 27.52, "alice", 0.582),
        ),
    ),
    # the same, with one login
    "a_symbol_wanted_when_the_only_stream_is_full_of_others": Timetable(
        47,
        Nature(
            persons=("alice",),
            symbols=8,
            wanted=7,
            symbols_per_stream=3,
            second_get="add",
            refresh_ends_stream_s=-1.0,
            expires_in=300,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            latency_s=0.005,
            jitter_s=0.0,
            flicker=0.8,
            clock_ahead_s=2.5,
        ),
        (Fault(Kind.PORT_CHANGE, 14.97, 14.97, "alice", 0.601),),
    ),
    # the old value stayed, called live, because the new socket was thought to be behind
    "a_rotation_while_bids_flicker": Timetable(
        40,
        Nature(
            persons=("alice",),
            symbols=10,
            wanted=4,
            refresh_ends_stream_s=5.0,
            expires_in=30,
            api_server="https://api{:02d}.iq.questrade.com",
            jitter_s=0.0,
            flicker=0.8,
        ),
        (Fault(Kind.UPGRADE_HANG, 35.09, 52.02, "alice", 0.227),),
    ),
    # the same, from one login to another
    "a_hand_over_while_bids_flicker": Timetable(
        39,
        Nature(
            persons=("alice", "bob"),
            symbols=4,
            wanted=1,
            symbols_per_stream=4,
            get_shows_new=False,
            api_server="https://api{:02d}.iq.questrade.com",
            latency_s=0.005,
            pace_s=0.1,
            tick_s=0.1,
            flicker=0.8,
            clock_ahead_s=2.5,
            acts_every_s=4.0,
            linger_s=0.0,
            shuffles=True,
        ),
        (Fault(Kind.RESTART, 42.53, 43.98, None, 0.899),),
    ),
    # was taken for proof that new symbols are taken up in place; others were called live without a stream
    "a_symbol_that_comes_back_to_the_socket_opened_with_it": Timetable(
        44,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=11,
            wanted=8,
            least_wanted=4,
            symbols_per_stream=6,
            second_get="reconnect",
            refresh_ends_stream_s=5.0,
            api_server="https://api{:02d}.iq.questrade.com",
            evict_code=4001,
            jitter_s=0.0,
            pace_s=1.0,
            tick_s=0.25,
            opening_s=61200.0,
            acts_every_s=4.0,
            linger_s=3.0,
        ),
        (
            Fault(Kind.VAULT_LOCKED, 9.92, 11.38, None, 0.739),
            Fault(Kind.PAUSE, 29.48, 42.72, None, 0.83),
        ),
    ),
    # the same
    "a_symbol_dropped_while_its_socket_was_opened": Timetable(
        248,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=17,
            wanted=14,
            least_wanted=7,
            symbols_per_stream=5,
            second_get="reconnect",
            expires_in=300,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            evict_code=4001,
            latency_s=0.25,
            jitter_s=0.2,
            pace_s=0.1,
            tick_s=0.1,
            acts_every_s=12.0,
            linger_s=0.0,
            shuffles=True,
        ),
        (
            Fault(Kind.CLOCK_STEP, 7.52, 7.52, None, 0.939),
            Fault(Kind.DROP, 9.31, 9.31, "carol", 0.41),
        ),
    ),
    # nobody tried for longer than it takes, because everybody rested
    "streams_killed_where_each_has_its_room_full": Timetable(
        258,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=4,
            wanted=4,
            least_wanted=4,
            symbols_per_stream=2,
            expires_in=60,
            latency_s=0.005,
            jitter_s=0.0,
            pace_s=0.1,
            tick_s=0.1,
            wants_change=False,
        ),
        (Fault(Kind.KILLS_MANY, 7.17, 19.9, None, 0.44),),
    ),
    # what it had room for was given to those that were down
    "a_stream_with_room_beside_those_that_are_down": Timetable(
        333,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=9,
            wanted=6,
            least_wanted=3,
            symbols_per_stream=4,
            second_get="add",
            expiry_ends_stream=False,
            api_server="https://api{:02d}.iq.questrade.com",
            pace_s=0.1,
            tick_s=0.1,
            flicker=0.4,
            clock_ahead_s=-40.0,
            acts_every_s=12.0,
            linger_s=0.0,
        ),
        (Fault(Kind.KILLS_MANY, 8.71, 10.76, None, 0.021),),
    ),
    # the older stream's was handed on after the newer one's
    "a_backlog_after_a_pause": Timetable(
        516,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=7,
            wanted=4,
            least_wanted=2,
            symbols_per_stream=3,
            second_get="add",
            refresh_ends_stream_s=5.0,
            expires_in=300,
            evict_code=4001,
            latency_s=0.005,
            pace_s=1.0,
            tick_s=0.25,
            flicker=0.8,
            acts_every_s=4.0,
            linger_s=3.0,
            shuffles=True,
        ),
        (
            Fault(Kind.KILLS, 12.75, 51.23, "bob", 0.487),
            Fault(Kind.KILLS, 19.57, 23.93, "bob", 0.702),
            Fault(Kind.PAUSE, 24.65, 38.79, None, 0.144),
            Fault(Kind.DROP, 29.17, 29.17, None, 0.045),
        ),
    ),
    # its error escaped from the exchange
    "a_vault_that_cannot_be_read_during_an_exchange": Timetable(
        274,
        Nature(
            persons=("alice", "bob"),
            symbols=6,
            wanted=3,
            symbols_per_stream=5,
            second_get="reconnect",
            get_shows_new=False,
            refresh_ends_stream_s=5.0,
            expiry_ends_stream=False,
            expires_in=30,
            evict_code=1000,
            jitter_s=0.0,
            pace_s=1.0,
            tick_s=0.25,
            flicker=0.8,
            clock_ahead_s=-40.0,
            opening_s=71975.3,
            acts_every_s=4.0,
            linger_s=3.0,
        ),
        (
            Fault(Kind.HOST_GONE, 4.38, 4.38, None, 0.986),
            Fault(Kind.LOGIN_SLOW, 5.57, 9.99, None, 0.167),
            Fault(Kind.VAULT_LOCKED, 15.51, 20.18, None, 0.965),
            Fault(Kind.HOUR_SPENT, 43.16, 63.58, "alice", 0.621),
            Fault(Kind.VAULT_LOCKED, 44.8, 47.97, None, 0.572),
            Fault(Kind.REST_HANG, 54.5, 64.97, "bob", 0.693),
        ),
    ),
    # what the stream brought was taken for what it had brought before
    "a_symbol_that_comes_back_to_a_stream_after_a_halt": Timetable(
        999,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=10,
            wanted=7,
            least_wanted=3,
            symbols_per_stream=2,
            get_shows_new=False,
            refresh_ends_stream_s=5.0,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            evict_code=1006,
            latency_s=0.005,
            tick_s=0.5,
            acts_every_s=4.0,
            linger_s=3.0,
            shuffles=True,
        ),
        (
            Fault(Kind.CLOCK_STEP, 3.3, 3.3, None, 0.722),
            Fault(Kind.VAULT_LOCKED, 9.86, 19.86, None, 0.21),
            Fault(Kind.HALT, 13.87, 37.82, None, 0.042),
            Fault(Kind.CLOCK_STEP, 22.09, 22.09, None, 0.465),
        ),
    ),
    # nobody was told
    "a_breaker_that_is_tried_again": Timetable(
        82,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=5,
            wanted=5,
            get_shows_new=False,
            refresh_ends_stream_s=5.0,
            api_server="https://api{:02d}.iq.questrade.com",
            evict_code=1006,
            latency_s=0.005,
            jitter_s=0.0,
            doubles=True,
            clock_ahead_s=2.5,
            shuffles=True,
        ),
        (
            Fault(Kind.SHORT_LIVES, 1.08, 8.77, "bob", 0.29),
            Fault(Kind.OUTAGE, 2.88, 22.54, None, 0.404),
            Fault(Kind.REFUSED, 36.27, 41.01, "bob", 0.299),
            Fault(Kind.BLACK_HOLE, 38.54, 41.57, None, 0.356),
        ),
    ),
}

THREE = Nature(
    persons=("alice", "bob", "carol"),
    symbols=6,
    wanted=6,
    least_wanted=6,
    symbols_per_stream=4,
    pace_s=0.1,
    tick_s=0.1,
    wants_change=False,
    acts_every_s=600.0,
)
TRAINS = {
    "one": Fault(Kind.KILLS, 5.0, 45.0, "alice", 0.6),
    "in_turn": Fault(Kind.KILLS_ROUND, 5.0, 45.0, None, 0.6),
    "all_but_one": Fault(Kind.KILLS_MANY, 5.0, 25.0, None, 0.6),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_found_stays_mended(name: str) -> None:
    result = simulate(SCENARIOS[name])

    assert result.breach is None, str(result)


@pytest.mark.parametrize("flicker", [0.0, 0.5])
@pytest.mark.parametrize("train", TRAINS)
def test_a_stream_ended_every_four_seconds_where_one_has_not_room_for_two(train: str, flicker: float) -> None:
    nature = replace(THREE, flicker=flicker)
    result = simulate(Timetable(1, nature, (TRAINS[train],)))

    assert result.breach is None, str(result)
    assert max(result.gaps.values()) <= 1.0, "no symbol is behind for longer, though one stream has too little room"
    assert result.healed_s <= 2.0
