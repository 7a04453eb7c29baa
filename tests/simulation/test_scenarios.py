"""What the seeds found, kept by name: each of these broke an invariant once. The sentence says how."""

import pytest

from tests.simulation.faults import Fault, Kind, Nature, Timetable
from tests.simulation.run import simulate

pytestmark = pytest.mark.slow

SCENARIOS = {
    # the second person's login was asked for before it was known, and the upstream ended
    "a_restart_with_several_working_logins": Timetable(
        16,
        Nature(
            persons=("alice", "bob"),
            symbols=10,
            wanted=8,
            second_get="reconnect",
            latency_s=0.005,
            clock_ahead_s=2.5,
            wants_change=False,
        ),
        (Fault(Kind.CRASH, 40.05, 41.35, None, 0.627),),
    ),
    # the steward spun without a pause until the stream was back
    "new_symbols_on_a_stream_that_goes_down": Timetable(
        17,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=7,
            wanted=3,
            get_shows_new=False,
            refresh_ends_stream_s=5.0,
            evict_code=1006,
            latency_s=0.25,
            clock_ahead_s=2.5,
            wants_change=False,
        ),
        (Fault(Kind.OUTAGE, 33.53, 41.02, None, 0.54),),
    ),
    # its older answer was handed on after the stream's newer one
    "a_slow_poll_while_a_stream_comes_back": Timetable(
        103,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=6,
            wanted=6,
            refresh_ends_stream_s=-1.0,
            expiry_ends_stream=False,
            api_server="https://api{:02d}.iq.questrade.com",
            jitter_s=0.0,
        ),
        (
            Fault(Kind.ACCESS_KILLED, 2.49, 2.49, "carol", 0.131),
            Fault(Kind.CRASH, 13.11, 34.07, None, 0.712),
            Fault(Kind.AUTH_CLOSED, 13.59, 19.61, None, 0.369),
            Fault(Kind.REST_SLOW, 45.47, 61.55, "alice", 0.708),
        ),
    ),
    # the older list arrived last and counted; symbols were called live that nothing carried
    "two_subscription_requests_at_once": Timetable(
        216,
        Nature(
            persons=("alice", "bob"),
            symbols=5,
            wanted=4,
            symbols_per_stream=3,
            expires_in=60,
            api_server="https://api{:02d}.iq.questrade.com",
            latency_s=0.25,
            clock_ahead_s=2.5,
            shuffles=True,
        ),
        (
            Fault(Kind.REST_HOUR, 13.09, 40.36, "bob", 0.635),
            Fault(Kind.REST_FORBIDDEN, 37.64, 44.82, "bob", 0.817),
            Fault(Kind.REST_HOUR, 58.55, 70.5, None, 0.744),
        ),
    ),
    # its symbols were called live without any stream
    "a_stream_that_ends_while_its_replacement_is_slow": Timetable(
        282,
        Nature(
            persons=("alice",),
            symbols=10,
            wanted=7,
            expires_in=60,
            api_server="https://api{:02d}.iq.questrade.com",
            evict_code=1006,
            latency_s=0.25,
            jitter_s=0.2,
            clock_ahead_s=-40.0,
        ),
        (
            Fault(Kind.LOGIN_BROKEN, 6.2, 8.86, "alice", 0.321),
            Fault(Kind.LAG, 13.81, 15.71, None, 0.861),
            Fault(Kind.ACCESS_KILLED, 15.36, 15.36, "alice", 0.953),
            Fault(Kind.SILENT, 19.44, 24.53, None, 0.46),
        ),
    ),
    # its late frames went back behind another stream
    "a_stream_that_goes_on_sending_what_it_should_not_carry": Timetable(
        793,
        Nature(
            persons=("alice", "bob"),
            symbols=4,
            wanted=1,
            symbols_per_stream=3,
            second_get="add",
            get_shows_new=False,
            expiry_ends_stream=False,
            expires_in=300,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            evict_code=1006,
            latency_s=0.005,
            jitter_s=0.2,
            clock_ahead_s=2.5,
        ),
        (
            Fault(Kind.OUTAGE, 4.56, 13.08, None, 0.954),
            Fault(Kind.CLOCK_STEP, 21.57, 21.57, None, 0.116),
            Fault(Kind.LOGIN_DOWN, 30.62, 35.44, None, 0.713),
            Fault(Kind.LAG, 41.35, 67.54, "bob", 0.139),
        ),
    ),
    # the cool-down lasted as long as the clock had been set back
    "the_clock_is_set_back_after_a_refused_token": Timetable(
        390,
        Nature(
            persons=("alice",),
            symbols=10,
            wanted=1,
            second_get="add",
            evict_code=1000,
            latency_s=0.005,
            jitter_s=0.2,
            clock_ahead_s=-40.0,
            wants_change=False,
            shuffles=True,
        ),
        (
            Fault(Kind.SHORT_LIVES, 1.54, 10.32, "alice", 0.95),
            Fault(Kind.CLOCK_STEP, 7.33, 7.33, None, 0.147),
            Fault(Kind.LOGIN_SLOW, 9.71, 13.34, None, 0.182),
            Fault(Kind.DEAD_SOCKET, 14.16, 14.16, "alice", 0.023),
            Fault(Kind.UPGRADE_HANG, 22.11, 24.24, "alice", 0.456),
            Fault(Kind.RESTART, 28.13, 47.72, None, 0.614),
        ),
    ),
    # everybody waited for tokens that seemed to be young
    "the_clock_is_set_back_with_short_lived_tokens": Timetable(
        934,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=6,
            wanted=1,
            get_shows_new=False,
            expires_in=60,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            evict_code=1000,
            jitter_s=0.2,
            wants_change=False,
        ),
        (
            Fault(Kind.AUTH_CLOSED, 9.1, 19.64, None, 0.771),
            Fault(Kind.HOST_CHANGE, 19.01, 19.01, "alice", 0.374),
            Fault(Kind.CLOCK_STEP, 21.79, 21.79, None, 0.138),
            Fault(Kind.LAG, 37.59, 61.91, "bob", 0.517),
            Fault(Kind.LOGIN_SLOW, 37.94, 50.0, None, 0.886),
            Fault(Kind.LOGIN_SLOW, 55.68, 75.28, None, 0.543),
        ),
    ),
    # the end of the hour was read against the wrong clock
    "the_clock_is_set_back_before_the_hourly_limit": Timetable(
        443,
        Nature(
            persons=("alice", "bob"),
            symbols=3,
            wanted=3,
            second_get="add",
            refresh_ends_stream_s=5.0,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            evict_code=4001,
            latency_s=0.005,
            clock_ahead_s=2.5,
        ),
        (
            Fault(Kind.STUCK_SYMBOL, 0.65, 0.65, "bob", 0.867),
            Fault(Kind.AUTH_REFUSED, 8.26, 11.61, "bob", 0.931),
            Fault(Kind.CLOCK_STEP, 13.54, 13.54, None, 0.258),
            Fault(Kind.REST_HOUR, 16.63, 24.68, None, 0.963),
            Fault(Kind.LOGIN_ERROR, 18.1, 23.92, None, 0.489),
            Fault(Kind.PAUSE, 19.35, 20.96, None, 0.029),
        ),
    ),
    # the same, with nothing measured yet
    "a_restart_with_the_wrong_clock_at_the_hourly_limit": Timetable(
        1068,
        Nature(
            persons=("alice", "bob", "carol"),
            symbols=10,
            wanted=4,
            symbols_per_stream=3,
            second_get="add",
            expires_in=300,
            api_server="https://api{:02d}.iq.questrade.com",
            jitter_s=0.0,
            shuffles=True,
        ),
        (
            Fault(Kind.CLOCK_STEP, 1.62, 1.62, None, 0.254),
            Fault(Kind.PAUSE, 5.7, 8.86, None, 0.054),
            Fault(Kind.RESTART, 12.48, 14.91, None, 0.742),
            Fault(Kind.HOST_GONE, 13.24, 13.24, "bob", 0.517),
            Fault(Kind.REST_HOUR, 13.69, 20.64, None, 0.527),
            Fault(Kind.GARBAGE, 14.63, 15.86, "carol", 0.879),
        ),
    ),
    # an open breaker hid that the host was gone; no other was asked for
    "a_host_that_is_gone_while_the_disk_is_full": Timetable(
        53,
        Nature(
            persons=("alice", "bob"),
            symbols=10,
            wanted=9,
            symbols_per_stream=3,
            second_get="add",
            get_shows_new=False,
            expiry_ends_stream=False,
            evict_code=1000,
            shuffles=True,
        ),
        (
            Fault(Kind.DISK_FULL, 16.13, 34.98, None, 0.153),
            Fault(Kind.HOST_GONE, 16.5, 16.5, "alice", 0.989),
            Fault(Kind.DISK_FULL, 31.08, 46.38, None, 0.825),
        ),
    ),
    # nobody found out, because the person was failing already
    "a_host_that_is_gone_after_another_failure": Timetable(
        878,
        Nature(persons=("alice", "bob"), symbols=8, wanted=7, symbols_per_stream=3, evict_code=4001),
        (
            Fault(Kind.UPGRADE_HANG, 5.33, 10.08, None, 0.463),
            Fault(Kind.DROP, 5.47, 5.47, "bob", 0.708),
            Fault(Kind.LOGIN_BROKEN, 13.78, 16.41, None, 0.575),
            Fault(Kind.HOST_GONE, 18.48, 18.48, None, 0.136),
            Fault(Kind.REST_SECOND, 19.2, 21.15, "bob", 0.897),
            Fault(Kind.REST_DOWN, 19.65, 21.5, "bob", 0.516),
        ),
    ),
    # the symbols stayed with the stream that was proved dead
    "a_dead_socket_on_a_host_that_is_gone": Timetable(
        2549,
        Nature(
            persons=("alice", "bob"),
            symbols=4,
            wanted=1,
            second_get="reconnect",
            refresh_ends_stream_s=-1.0,
            api_server="https://api{:02d}.iq.questrade.com",
            evict_code=1006,
            wants_change=False,
            shuffles=True,
        ),
        (
            Fault(Kind.CLOCK_STEP, 9.65, 9.65, None, 0.979),
            Fault(Kind.DEAD_SOCKET, 12.54, 12.54, None, 0.946),
            Fault(Kind.REST_PAGE, 24.37, 26.38, "alice", 0.086),
            Fault(Kind.MUTE_SYMBOL, 24.93, 29.86, "bob", 0.086),
            Fault(Kind.HOST_GONE, 34.28, 34.28, "alice", 0.241),
            Fault(Kind.LOGIN_SLOW, 38.44, 46.52, None, 0.166),
        ),
    ),
    # the paces were not known yet, and five minutes had to pass
    "every_socket_dies_silently_after_a_start": Timetable(
        965,
        Nature(
            persons=("alice", "bob"),
            symbols=10,
            wanted=6,
            symbols_per_stream=3,
            second_get="add",
            get_shows_new=False,
            refresh_ends_stream_s=-1.0,
            api_server="https://api{:02d}.iq.questrade.com",
            evict_code=4001,
            clock_ahead_s=2.5,
            shuffles=True,
        ),
        (Fault(Kind.DEAD_SOCKET, 5.98, 5.98, None, 0.206),),
    ),
    # the socket was left open
    "nonsense_in_answer_to_the_token": Timetable(
        1054,
        Nature(
            persons=("alice",),
            symbols=3,
            wanted=3,
            refresh_ends_stream_s=-1.0,
            expiry_ends_stream=False,
            expires_in=60,
            api_server="https://api{:02d}.iq.questrade.com/v1",
            evict_code=1000,
            latency_s=0.005,
            jitter_s=0.0,
            shuffles=True,
        ),
        (
            Fault(Kind.GARBAGE, 27.01, 45.8, "alice", 0.495),
            Fault(Kind.HOST_GONE, 27.82, 27.82, "alice", 0.784),
            Fault(Kind.DEAD_SOCKET, 39.45, 39.45, None, 0.714),
        ),
    ),
    # its change was swallowed and no other came for 20 s: what only the symbol's own pace can show is not late
    "a_change_swallowed_by_a_stream_that_goes_on": Timetable(
        3,
        Nature(persons=("alice", "bob"), symbols=6, wanted=6, pace_s=12.0, wants_change=False),
        (Fault(Kind.MUTE_SYMBOL, 30.05, 40.05, None, 0.36),),
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_found_stays_mended(name: str) -> None:
    result = simulate(SCENARIOS[name])

    assert result.breach is None, str(result)
