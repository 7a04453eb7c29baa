"""What one client is owed: everything in order while it takes data, the newest of each symbol while it does not."""

from quotewire.hub.outbox import MAX_RUN, Outbox


def test_while_the_connection_takes_data_everything_goes_out_in_order() -> None:
    outbox = Outbox()
    for framed in (b"a1", b"b1", b"a2"):
        outbox.put(framed[0], framed)
    assert len(outbox) == 3
    assert not outbox.conflating
    assert outbox.take() == ([b"a1", b"b1", b"a2"], 0)
    assert outbox.take() == ([], 0)


def test_once_it_does_not_the_newest_of_each_symbol_is_kept_and_the_rest_counted() -> None:
    outbox = Outbox()
    outbox.put(1, b"a1")
    outbox.conflate()
    for symbol_id, framed in ((1, b"a2"), (2, b"b1"), (1, b"a3"), (2, b"b2"), (1, b"a4")):
        outbox.put(symbol_id, framed)
    assert outbox.conflating
    assert len(outbox) == 3
    assert outbox.take() == ([b"a1", b"b2", b"a4"], 3)
    assert not outbox.conflating


def test_slots_go_out_in_the_order_of_their_newest_update() -> None:
    outbox = Outbox()
    outbox.conflate()
    for symbol_id, framed in ((1, b"a1"), (2, b"b1"), (3, b"c1"), (1, b"a2")):
        outbox.put(symbol_id, framed)
    assert outbox.take() == ([b"b1", b"c1", b"a2"], 1)


def test_skipped_is_told_once_and_counted_for_ever() -> None:
    outbox = Outbox()
    for _ in range(2):
        outbox.conflate()
        outbox.put(1, b"x")
        outbox.put(1, b"y")
        assert outbox.take() == ([b"y"], 1)
    assert outbox.skipped == 0
    assert outbox.total_skipped == 2


def test_to_conflate_twice_loses_nothing() -> None:
    outbox = Outbox()
    outbox.conflate()
    outbox.put(1, b"a")
    outbox.conflate()
    assert outbox.take() == ([b"a"], 0)


def test_the_run_is_bounded_even_for_a_connection_that_takes_data() -> None:
    outbox = Outbox()
    for i in range(MAX_RUN + 1000):
        outbox.put(7, b"%d" % i)
    assert len(outbox) == MAX_RUN + 1
    owed, skipped = outbox.take()
    assert owed[-1] == b"%d" % (MAX_RUN + 999)
    assert len(owed) + skipped == MAX_RUN + 1000


def test_dropped_symbols_are_owed_no_more() -> None:
    outbox = Outbox()
    outbox.conflate()
    for symbol_id in (1, 2, 3):
        outbox.put(symbol_id, b"%d" % symbol_id)
    outbox.drop((1, 3, 99))
    assert outbox.take() == ([b"2"], 0)


def test_to_drop_from_an_empty_outbox_is_nothing() -> None:
    Outbox().drop((1,))
