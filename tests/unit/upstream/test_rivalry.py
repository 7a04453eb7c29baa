from quotewire.resilience.backoff import Chance
from quotewire.upstream.rivalry import LONG_ROW, MISSED, PEACE_S, ROW, SHORT_S, STAY_AWAY, Rivalry


def always() -> float:
    return 1.0


LONGEST: Chance = always


def ends(rivalry: Rivalry, *lives: float, code: int = 1006, now: float = 1000.0) -> list[float | None]:
    return [rivalry.ended(lived_s, code, now, LONGEST) for lived_s in lives]


def test_one_or_two_short_lives_tell_nothing() -> None:
    assert ends(Rivalry(), 1.0, 2.0) == [None, None]


def test_streams_that_live_longer_are_ended_by_something_else() -> None:
    rivalry = Rivalry()

    assert ends(rivalry, 1.0, 1.0, SHORT_S, 1.0, 1.0) == [None] * 5
    assert rivalry.row == ROW - 1


def test_several_in_a_row_tell_of_another_program_and_each_wait_is_longer() -> None:
    rivalry = Rivalry()
    waits = ends(rivalry, *[1.0] * 10)[ROW - 1 :]

    assert waits == [STAY_AWAY.ceiling(number) for number in range(1, 9)]
    assert waits[-1] == STAY_AWAY.cap_s == 600
    assert rivalry.held_until == 1000.0 + 600


def test_once_known_a_single_short_life_is_enough_until_a_long_one_shows_that_it_is_over() -> None:
    rivalry = Rivalry()
    ends(rivalry, *[1.0] * ROW)

    assert ends(rivalry, SHORT_S, 1.0)[1] is not None
    assert ends(rivalry, PEACE_S, 1.0, 1.0) == [None, None, None]


def test_ends_by_trouble_of_the_server_itself_are_no_eviction_until_there_are_very_many() -> None:
    rivalry = Rivalry()

    assert ends(rivalry, *[1.0] * (LONG_ROW - 1), code=1011) == [None] * (LONG_ROW - 1)
    assert ends(rivalry, 1.0, code=1011) == [STAY_AWAY.ceiling(1)]


def test_where_nobody_else_has_room_the_stream_is_tried_sooner_but_less_and_less_often() -> None:
    rivalry = Rivalry()
    ends(rivalry, *[1.0] * (ROW - 1))
    waits = []
    for _ in range(8):
        ends(rivalry, 1.0)
        waits.append(rivalry.missed_at - 1000.0)

    assert waits == [MISSED.ceiling(number) for number in range(1, 9)]
    assert waits[0] == 2
    assert waits[-1] == MISSED.cap_s == 600


def test_the_operator_is_told_whose_login_it_is_and_what_to_do() -> None:
    told = Rivalry(row=3).words("alice", 29.6)

    assert told.startswith("another program seems to use alice's login")
    assert "30 s" in told
    assert "quotewire persons stream alice off" in told
