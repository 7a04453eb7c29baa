from quotewire.upstream.adoption import ADOPT_S, Adoption, Habit, Lesson


def test_data_of_a_new_symbol_proves_that_it_is_taken_up_in_place() -> None:
    adoption = Adoption(Lesson())
    adoption.asked({1, 2}, 10.0)
    assert adoption.unproven == {1, 2}

    adoption.seen([7, 1])

    assert adoption.lesson.habit is Habit.IN_PLACE
    assert adoption.unproven == frozenset(), "the others are believed once one has shown it"


def test_silence_leads_to_a_new_socket_and_data_there_teach_that_it_is_needed() -> None:
    adoption = Adoption(Lesson())
    adoption.asked({1}, 10.0)

    assert not adoption.judge(10.0 + ADOPT_S - 0.1)
    assert adoption.judge(10.0 + ADOPT_S)
    adoption.opened_anew(14.0)
    adoption.seen([1])

    assert adoption.lesson.habit is Habit.REOPEN


def test_a_symbol_silent_even_on_a_new_socket_teaches_nothing() -> None:
    adoption = Adoption(Lesson())
    adoption.asked({1}, 0.0)
    assert adoption.judge(ADOPT_S)
    adoption.opened_anew(4.0)

    assert not adoption.judge(4.0 + ADOPT_S)
    assert adoption.lesson.habit is Habit.UNKNOWN
    assert adoption.unproven == frozenset()


def test_where_it_is_known_to_work_a_quiet_symbol_is_left_alone() -> None:
    adoption = Adoption(Lesson(Habit.IN_PLACE))
    adoption.asked({1}, 0.0)

    assert not adoption.judge(ADOPT_S)


def test_a_symbol_no_longer_wanted_is_not_waited_for() -> None:
    adoption = Adoption(Lesson())
    adoption.asked({1}, 0.0)
    adoption.dropped({1})

    assert not adoption.judge(ADOPT_S)


def test_a_lesson_can_be_unlearned() -> None:
    adoption = Adoption(Lesson(Habit.REOPEN))
    adoption.asked({1}, 0.0)
    adoption.seen([1])

    assert adoption.lesson.habit is Habit.IN_PLACE


def test_data_that_come_before_the_answer_count() -> None:
    adoption = Adoption(Lesson())

    assert adoption.heard([1, 2])
    assert not adoption.heard([2]), "no news"
    adoption.asked({1, 2, 3}, 10.0)

    assert adoption.lesson.habit is Habit.IN_PLACE
    assert adoption.unproven == frozenset()
    assert adoption.early == {1, 2}, "until the open socket is known to carry them"
    adoption.settled({1, 2, 3})
    assert adoption.early == set()


def test_data_of_a_symbol_the_socket_was_asked_for_before_teach_nothing() -> None:
    adoption = Adoption(Lesson())
    adoption.dropped([1])
    adoption.heard([1])
    adoption.asked({1, 2}, 10.0)

    assert adoption.lesson.habit is Habit.UNKNOWN
    assert adoption.unproven == {2}


def test_a_symbol_that_comes_back_to_the_same_socket_teaches_nothing() -> None:
    adoption = Adoption(Lesson(Habit.REOPEN))
    adoption.dropped({1})
    adoption.asked({1, 2}, 0.0)

    adoption.seen([1])

    assert adoption.lesson.habit is Habit.REOPEN
    assert adoption.unproven == {2}


def test_what_a_socket_was_opened_with_and_nobody_wants_any_more_teaches_nothing_when_it_comes_back() -> None:
    adoption = Adoption(Lesson())
    adoption.dropped({1})
    adoption.opened_anew(0.0, {1})
    assert adoption.heard([1])

    adoption.asked({1, 2}, 1.0)

    assert adoption.lesson.habit is Habit.UNKNOWN


def test_what_the_socket_was_opened_for_proves_nothing_in_place_though_more_was_asked_for_since() -> None:
    adoption = Adoption(Lesson(Habit.REOPEN))
    adoption.asked({1}, 0.0)
    adoption.opened_anew(1.0)
    adoption.asked({2}, 1.1)
    assert adoption.unproven == {2}

    adoption.seen([1])

    assert adoption.lesson.habit is Habit.REOPEN
    assert adoption.unproven == {2}


def test_what_showed_data_counts_until_another_socket_is_there_that_was_opened_for_it() -> None:
    adoption = Adoption(Lesson(Habit.REOPEN))
    adoption.dropped({1})
    adoption.heard([1, 2])

    adoption.asked({1}, 0.0)
    adoption.dropped({1, 2}, taken={1})
    assert adoption.early == {1}, "Questrade was asked for it, and sends it"

    adoption.opened_anew(1.0)
    assert adoption.early == set()


def test_what_was_taken_and_has_shown_nothing_stays_unproven_until_a_request_leaves_it_out() -> None:
    adoption = Adoption(Lesson())
    adoption.asked({1, 2}, 0.0)
    adoption.dropped({1}, taken={1, 2})
    assert adoption.unproven == {1, 2}, "that nobody wants it any more does not prove that it is carried"

    adoption.settled({2})
    assert adoption.unproven == {2}


def test_what_is_asked_for_again_is_not_what_the_socket_was_opened_for() -> None:
    adoption = Adoption(Lesson())
    adoption.asked({1}, 0.0)
    adoption.opened_anew(1.0)
    assert adoption.unproven == frozenset()

    adoption.asked({1}, 2.0)

    assert adoption.unproven == {1}
