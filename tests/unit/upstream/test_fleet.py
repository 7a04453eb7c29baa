"""Who carries what, and who takes over; the sessions do as told, at once or when the test says so."""

import asyncio
from typing import cast

from quotewire.market.quote import QuotePatch
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.testing import virtual
from quotewire.upstream.chronicle import Chronicle
from quotewire.upstream.desk import Desk
from quotewire.upstream.fleet import BRIDGED_S, LONG_OVERLAP_S, OVERLAP_S, STABLE_S, SWITCH_OFF_S, Fleet
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.plan import Limits
from quotewire.upstream.pool import MISSED_S, MISSES, REST_S, TRIES, TRY_AGAIN_S, Record
from quotewire.upstream.rivalry import ROW, Rivalry
from quotewire.upstream.session import StreamSession
from quotewire.upstream.world import World
from tests.unit.upstream.fakes import FakeKeeper

WANTED = frozenset(range(1, 13))


class FakeSession:
    """A stream that carries what it is assigned as soon as `works`."""

    def __init__(self, person: str, bench: "Bench") -> None:
        self.person = person
        self.works = True
        self.is_live = False
        self.is_stuck = False
        self.has_lapsed = False
        self.live_since = 0.0
        self.assigned: frozenset[int] = frozenset()
        self.carried: frozenset[int] = frozenset()
        self.rivalry = Rivalry()
        self.aim = self
        self.most: int | None = None
        self.retries = 0
        self._bench = bench

    @property
    def as_session(self) -> StreamSession:
        return cast(StreamSession, self)

    def is_renewing(self, now: float) -> bool:
        return False

    def assign(self, ids: frozenset[int]) -> None:
        if ids != self.assigned:
            self.assigned = ids
            self.settle()

    def settle(self) -> None:
        before = (self.is_live, self.carried)
        self.is_live = self.works and bool(self.assigned)
        self.carried = self.assigned if self.is_live else frozenset()
        if (self.is_live, self.carried) != before:
            self._bench.fleet.on_stream(self.as_session)

    def carried_for(self, least_s: float, now: float) -> frozenset[int]:
        return self.carried

    def token_changed(self) -> None:
        self.settle()

    def retry(self) -> None:
        self.retries += 1

    def fails(self) -> None:
        was_live = self.is_live
        self.works, self.is_live, self.carried = False, False, frozenset()
        self._bench.fleet.on_stream(self.as_session)
        self._bench.fleet.on_failure(self.as_session, was_dropped=was_live)


class Bench:
    """A fleet of fake sessions; it is its own sink, and the desk that tells who is blocked."""

    def __init__(self, *persons: str, limit: int = 400, doubles: bool = False) -> None:
        self.now = 1000.0
        self.keeper = FakeKeeper(*persons)
        self.chronicle = Chronicle()
        self.blocked: set[str] = set()
        self.unplaced: frozenset[int] = frozenset()
        self.gaps = 0
        self.first_failures: list[str] = []
        self.fleet = Fleet(
            keeper=cast(Keeper, self.keeper),
            desk=cast(Desk, self),
            chronicle=self.chronicle,
            sink=self,
            limits=Limits(limit),
            doubles=doubles,
            lifecycle=LifecycleConfig(),
            world=World(monotonic=lambda: self.now),
        )
        self.sessions = {person: FakeSession(person, self) for person in persons}
        for person, session in self.sessions.items():
            self.fleet.sessions[person] = session.as_session
            self.fleet._records[person] = Record()

    def blocked_s(self, person: str) -> float:
        return 1800.0 if person in self.blocked else 0.0

    def on_patches(self, session: StreamSession, patches: list[QuotePatch]) -> None:
        """Data came."""

    def is_placed(self, session: StreamSession, symbol_id: int) -> bool:
        return symbol_id not in self.unplaced

    def on_turn(self, session: StreamSession) -> None:
        """A stream turned."""

    def on_carried(self) -> None:
        self.gaps += bool(self.fleet._wanted - self.fleet.carried)

    def on_first_failure(self, person: str) -> None:
        self.first_failures.append(person)

    def counts(self) -> dict[str, int]:
        return {person: len(session.carried) for person, session in self.sessions.items()}

    def reasons(self) -> list[str]:
        return [entry["reason"] for entry in self.chronicle.last()]


def test_symbols_are_spread_over_all_who_can_stream() -> None:
    bench = Bench("alice", "bob", "carol")
    bench.keeper.off.add("bob")
    bench.fleet.want(WANTED)

    assert bench.counts() == {"alice": 6, "bob": 0, "carol": 6}


def test_a_failed_streams_symbols_go_to_others_with_one_reason_and_come_back_later() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    bench.sessions["alice"].fails()
    assert bench.counts() == {"alice": 0, "bob": 12}
    assert bench.reasons() == ["person_failed"]
    assert bench.first_failures == ["alice"]

    bench.sessions["alice"].works = True
    bench.now += REST_S + 0.1
    bench.fleet.want(WANTED)
    assert min(bench.counts().values()) > 0


def test_of_those_who_all_failed_a_while_ago_one_whose_stream_is_back_carries_everything() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    alice, bob = bench.sessions["alice"], bench.sessions["bob"]
    alice.fails()
    bob.works = False
    bob.fails()
    assert bench.fleet.carried == frozenset()

    bob.works = True
    bob.settle()
    bench.fleet.on_stream(bob.as_session)

    bench.now += BRIDGED_S + 0.01
    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 0, "bob": 12}


def test_a_dropped_stream_is_tried_at_once_for_what_nobody_else_has_room_for() -> None:
    bench = Bench("alice", "bob", limit=8)
    bench.fleet.want(WANTED)
    alice, bob = bench.sessions["alice"], bench.sessions["bob"]
    alice.fails()

    assert len(bob.carried) == 8
    assert alice.assigned == WANTED - bob.carried
    assert alice.retries == 1, "it does not wait out its back-off"
    bench.fleet.want(WANTED)
    assert alice.retries == 1, "one attempt at a time"

    alice.works = True
    alice.settle()
    assert bench.fleet.carried == WANTED


def test_what_lingers_stays_only_where_nothing_wanted_needs_the_room() -> None:
    bench = Bench("alice", limit=4)
    bench.fleet.want(frozenset({1, 2, 3}))
    bench.fleet.want(frozenset({3, 4}), {1, 2})
    assert bench.sessions["alice"].carried == {1, 2, 3, 4}

    bench.fleet.want(frozenset({3, 4, 5}), {1, 2})
    assert bench.sessions["alice"].carried == {1, 3, 4, 5}


def test_streams_that_end_together_are_nobody_elses_doing() -> None:
    bench = Bench("alice", "bob")
    alice, bob = bench.sessions["alice"], bench.sessions["bob"]
    for _ in range(ROW):
        for session in (alice, bob):
            alone = bench.fleet.on_end(session.as_session)
            session.rivalry.ended(1.0, 1006, bench.now, lambda: 1.0, alone=alone)
        bench.now += 10.0
    assert max(alice.rivalry.held_until, bob.rivalry.held_until) < bench.now - 10.0

    for _ in range(ROW):
        assert bench.fleet.on_end(alice.as_session)
        alice.rivalry.ended(1.0, 1006, bench.now, lambda: 1.0)
        bench.now += 10.0
    assert alice.rivalry.held_until > bench.now


def test_a_stream_that_is_up_stands_in_for_one_that_is_not_up_yet() -> None:
    bench = Bench("alice", "bob")
    bob = bench.sessions["bob"]
    bob.works = False
    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 6, "bob": 0}

    bench.now += BRIDGED_S + 0.01
    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 12, "bob": 0}

    bob.works = True
    bob.settle()
    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 6, "bob": 6}


def test_others_stand_in_for_a_stream_that_goes_on_but_takes_nothing_new() -> None:
    bench = Bench("alice", "bob", limit=8)
    bench.fleet.want(frozenset(range(1, 7)))
    bob = bench.sessions["bob"]
    bob.settle = lambda: None  # type: ignore[method-assign]
    bob.is_stuck = True
    bench.fleet.want(WANTED)
    bench.now += BRIDGED_S + 0.01
    bench.fleet.want(WANTED)

    assert bench.counts() == {"alice": 8, "bob": 3}, "as far as there is room"


def test_others_stand_in_for_a_stream_whose_socket_ended_before_its_replacement_is_there() -> None:
    bench = Bench("alice", "bob", limit=12)
    bench.fleet.want(WANTED)
    bob = bench.sessions["bob"]
    bob.settle = lambda: None  # type: ignore[method-assign]
    bob.has_lapsed, bob.carried = True, frozenset()
    bench.fleet.want(WANTED)
    bench.now += BRIDGED_S + 0.01
    bench.fleet.want(WANTED)

    assert bench.sessions["alice"].carried == WANTED


def test_an_attempt_under_way_is_not_given_up_because_another_is_back_first() -> None:
    """What the socket already sends would go unread."""
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    alice, bob = bench.sessions["alice"], bench.sessions["bob"]
    alice.fails()
    bob.fails()
    mine = alice.assigned
    assert mine
    bob.works = True
    bob.settle()
    bench.fleet.want(WANTED)

    assert alice.assigned == mine


def test_a_symbol_leaves_its_old_stream_when_the_new_one_has_carried_it_for_a_while() -> None:
    bench = Bench("alice", "bob")
    bench.sessions["bob"].works = False
    bench.fleet.want(WANTED)
    alice, bob = bench.sessions["alice"], bench.sessions["bob"]
    taken: dict[float, frozenset[int]] = {}
    bob.carried_for = lambda least_s, now: taken.get(least_s, frozenset())  # type: ignore[method-assign]
    bench.now += BRIDGED_S + 0.01
    bench.fleet.want(WANTED)
    assert alice.carried == WANTED
    bob.works = True
    bob.settle()
    assert alice.carried == WANTED
    assert bench.fleet.is_handing_over

    taken[OVERLAP_S] = bob.carried
    bench.unplaced = bob.carried
    bench.fleet.distribute()
    assert alice.carried == WANTED, "it is not certain yet what bob's stream has brought"

    taken[LONG_OVERLAP_S] = bob.carried
    bench.fleet.distribute()
    assert bench.counts() == {"alice": 6, "bob": 6}
    assert not bench.fleet.is_handing_over


def test_where_others_have_room_a_dropped_stream_rests() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    bench.sessions["alice"].fails()

    assert bench.sessions["alice"].retries == 0
    assert bench.sessions["alice"].assigned == frozenset()


def test_symbols_stay_on_a_stream_that_is_back_though_it_failed_a_moment_ago() -> None:
    """What moved away and back again would cost two requests, for nothing."""
    bench = Bench("alice", "bob", "carol", limit=5)
    bench.fleet.want(WANTED)
    alice, carol = bench.sessions["alice"], bench.sessions["carol"]
    alice.fails()
    alice.works = True
    alice.settle()
    carol.fails()
    before = alice.carried
    assert before
    bench.fleet.want(WANTED)

    assert alice.carried >= before
    assert bench.counts() == {"alice": 5, "bob": 5, "carol": 0}
    assert carol.assigned == WANTED - bench.fleet.carried


def test_a_stream_that_could_not_be_had_rests_though_it_is_needed_and_its_machine_sets_the_pace() -> None:
    bench = Bench("alice", "bob", limit=8)
    bench.fleet.want(WANTED)
    alice = bench.sessions["alice"]
    alice.fails()
    for _ in range(10):
        bench.fleet.on_failure(alice.as_session, was_dropped=False)
        bench.now += MISSED_S
        bench.fleet.want(WANTED)

    assert alice.retries == MISSES
    assert alice.assigned, "its connection machine goes on trying"


def test_however_often_a_stream_is_dropped_it_is_tried_at_once_within_bounds() -> None:
    bench = Bench("alice")
    bench.fleet.want(WANTED)
    alice = bench.sessions["alice"]
    for _ in range(60):
        alice.fails()
        alice.works = True
        alice.settle()
        bench.now += 1.0

    assert alice.retries <= TRIES + 60 / TRY_AGAIN_S


def test_a_new_token_ends_the_rest_where_the_person_is_needed() -> None:
    bench = Bench("alice", "bob", limit=8)
    bench.fleet.want(WANTED)
    bench.fleet.token_changed("alice")
    alice = bench.sessions["alice"]
    bench.keeper.tokens["alice"] = None
    alice.fails()
    assert alice.assigned == frozenset(), "it has no access token, and others carry"

    bench.keeper.tokens["alice"] = "another"
    alice.works = True
    bench.fleet.token_changed("alice")
    assert bench.fleet.carried == WANTED


def test_one_who_is_to_be_refreshed_keeps_what_nobody_else_has_room_for() -> None:
    async def scenario() -> None:
        bench = Bench("alice", "bob", limit=8)
        bench.fleet.want(WANTED)
        bench.gaps = 0
        await asyncio.wait_for(bench.fleet.leave("alice"), 5)
        assert bench.counts() == {"alice": 4, "bob": 8}
        assert bench.gaps == 0

    virtual.run(scenario())


def test_nobody_fails_over_to_nobody() -> None:
    bench = Bench("alice")
    bench.fleet.want(WANTED)
    bench.sessions["alice"].fails()

    assert bench.reasons() == []
    assert bench.sessions["alice"].assigned == WANTED, "somebody keeps trying"


def test_a_stream_that_another_program_takes_rests_until_it_may_be_tried_again() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    bench.sessions["alice"].rivalry.held_until = bench.now + 300
    bench.sessions["alice"].fails()
    bench.sessions["alice"].works = True
    bench.now += 299
    bench.fleet.want(WANTED)
    assert bench.counts()["alice"] == 0

    bench.now += 2
    bench.fleet.want(WANTED)
    assert bench.counts()["alice"] > 0


def test_a_stream_that_another_program_takes_is_left_to_it_for_a_while_even_when_nobody_else_can() -> None:
    bench = Bench("alice")
    bench.fleet.want(WANTED)
    rivalry = bench.sessions["alice"].rivalry
    rivalry.held_until, rivalry.missed_at = bench.now + 300, bench.now + 20
    bench.sessions["alice"].fails()
    bench.sessions["alice"].works = True
    bench.now += 19
    bench.fleet.want(WANTED)
    assert bench.sessions["alice"].assigned == frozenset()

    bench.now += 2
    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 12}


def test_a_stream_that_another_program_takes_is_tried_sooner_only_for_what_nobody_else_has_room_for() -> None:
    bench = Bench("alice", "bob", limit=8)
    bench.fleet.want(frozenset(range(1, 9)))
    alice = bench.sessions["alice"]
    alice.rivalry.held_until, alice.rivalry.missed_at = bench.now + 300, bench.now + 20
    alice.fails()
    alice.works = True
    bench.now += 21
    bench.fleet.want(frozenset(range(1, 9)))
    assert bench.counts() == {"alice": 0, "bob": 8}

    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 4, "bob": 8}


def test_a_refresh_of_ours_is_nobodys_failure() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    bench.keeper.refreshing.add("alice")
    bench.sessions["alice"].fails()

    assert bench.reasons() == []
    assert not bench.fleet._records["alice"].failures


def test_a_stream_that_lived_makes_up_for_failures() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    record = bench.fleet._records["alice"]
    record.failed(bench.now)
    bench.sessions["alice"].live_since = bench.now
    bench.fleet.on_patches(bench.sessions["alice"].as_session, [])
    assert record.failures == 1

    bench.now += STABLE_S + 1
    bench.fleet.on_patches(bench.sessions["alice"].as_session, [])
    assert record.failures == 0


def test_one_who_is_to_be_refreshed_leaves_without_a_gap_and_alone_not_at_all() -> None:
    async def scenario() -> None:
        bench = Bench("alice", "bob")
        bench.fleet.want(WANTED)
        bench.gaps = 0
        await asyncio.wait_for(bench.fleet.leave("alice"), 5)
        assert bench.counts() == {"alice": 0, "bob": 12}
        assert bench.gaps == 0
        bench.fleet.token_changed = lambda person: None  # type: ignore[method-assign]
        await asyncio.wait_for(Bench("alice").fleet.leave("alice"), 5)

    virtual.run(scenario())


def test_a_person_switched_off_hands_over_but_does_not_wait_for_ever() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(WANTED)
    mine = bench.sessions["alice"].carried
    bench.sessions["bob"].works = False
    bench.sessions["bob"].settle()
    bench.keeper.off.add("alice")
    bench.fleet.want(WANTED)
    assert bench.sessions["alice"].carried >= mine, "nobody has them yet"

    bench.now += SWITCH_OFF_S
    bench.fleet.want(WANTED)
    assert bench.counts()["alice"] == 0


def test_a_login_whose_hour_is_used_up_keeps_what_it_carries_and_gets_nothing_new() -> None:
    bench = Bench("alice", "bob")
    bench.fleet.want(frozenset(range(1, 7)))
    before = bench.sessions["alice"].carried
    bench.blocked.add("alice")
    bench.fleet.want(WANTED)

    assert bench.sessions["alice"].carried == before
    assert bench.fleet.carried == WANTED


def test_in_ab_mode_each_symbol_is_carried_twice_while_two_can_and_that_is_told() -> None:
    bench = Bench("alice", "bob", doubles=True)
    bench.fleet.want(WANTED)
    assert bench.counts() == {"alice": 12, "bob": 12}
    bench.gaps = 0
    bench.sessions["bob"].fails()
    assert bench.counts() == {"alice": 12, "bob": 0}
    assert bench.gaps == 0, "no symbol was without a stream"

    assert sorted(bench.reasons()) == ["doubled", "not_doubled", "person_failed"]


def test_a_list_that_was_too_long_is_kept_to() -> None:
    bench = Bench("alice", "bob", limit=10)
    bench.sessions["alice"].most = 2
    bench.fleet.want(WANTED)

    assert bench.counts() == {"alice": 2, "bob": 10}


def test_sessions_come_and_go_with_persons() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.keeper.tokens["alice"] = None
        async with asyncio.TaskGroup() as group:
            bench.fleet.follow(group)
            assert list(bench.fleet.sessions) == ["alice"]
            bench.keeper.tokens.clear()
            await asyncio.sleep(0.1)
            bench.fleet.follow(group)
            assert bench.fleet.sessions == {}

    virtual.run(scenario())
