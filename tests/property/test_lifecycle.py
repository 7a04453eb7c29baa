"""The connection machine against any events at all, and against a lawful host that has all the bad luck."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.errors import IllegalEventError
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.resilience.lifecycle_types import Fallback, LifecycleConfig, Link, State

PERSONS = ("alice", "bob")
PERSON = st.sampled_from((*PERSONS, "stranger"))
SOCKET = st.integers(1, 6)
SYMBOLS = st.lists(st.sampled_from(("AAPL", "SHOP.TO", 8049)), max_size=3).map(tuple)
CODE = st.sampled_from((1000, 1001, 1005, 1006, 1011, 1017, 4001, 4003, 4500))
PAUSE = st.one_of(st.none(), st.floats(0, 500))

EVENTS: st.SearchStrategy[on.Event] = st.one_of(
    st.builds(on.ConnectRequested, symbols=SYMBOLS),
    st.builds(on.DisconnectRequested),
    st.builds(on.SymbolsChanged, symbols=SYMBOLS),
    st.builds(on.PersonsChanged, persons=st.lists(PERSON, max_size=3, unique=True).map(tuple)),
    st.builds(on.RefreshRequested),
    st.builds(on.Prepared, socket=SOCKET),
    st.builds(on.Opened, socket=SOCKET),
    st.builds(on.Authenticated, socket=SOCKET),
    st.builds(on.Message, socket=SOCKET),
    st.builds(on.Pong, socket=SOCKET, timestamp=st.floats(0, 1)),
    st.builds(on.Closed, socket=SOCKET, code=CODE, retry_after_s=PAUSE),
    st.builds(on.AuthFailed, socket=SOCKET),
    st.builds(on.TokenRefreshed, person=PERSON),
    st.builds(on.RefreshFailed, person=PERSON, final=st.booleans()),
    st.builds(on.RateLimited, person=PERSON, retry_after_s=PAUSE),
    st.builds(on.Tick),
    st.builds(on.NetworkLost),
    st.builds(on.NetworkRegained),
    st.builds(on.ClockJumped, by_s=st.floats(0, 1e5)),
    st.builds(on.Nudged),
    st.builds(on.SilenceRule, mute_after_s=PAUSE, zombie_after_s=PAUSE),
    st.builds(on.PollSucceeded),
    st.builds(on.PollFailed),
)


class Watcher:
    """Carries the outside state that the effects claim, and holds the machine to it."""

    def __init__(self, machine: Lifecycle) -> None:
        self.machine = machine
        self.open: set[int] = set()
        self.polling = False
        self.tick_at: float | None = None

    def step(self, event: on.Event, now: float) -> list[do.Effect]:
        if isinstance(event, on.Tick):
            self.tick_at = None
        before = self.machine.socket
        effects = self.machine.step(event, now)
        if isinstance(event, on.Closed) and event.socket == before:
            self.open.discard(event.socket)
        for effect in effects:
            self.see(effect)
        self.check()
        return effects

    def see(self, effect: do.Effect) -> None:
        match effect:
            case do.Prepare(socket=socket):
                assert not self.open, "two sockets at once"
                self.open.add(socket)
            case do.Close(socket=socket):
                self.open.remove(socket)
            case do.Open(socket=socket) | do.SendToken(socket=socket) | do.Ping(socket=socket):
                assert socket in self.open
            case do.Subscribe(socket=socket):
                assert socket in self.open
            case do.StartPolling():
                assert not self.polling
                self.polling = True
            case do.StopPolling():
                assert self.polling
                self.polling = False
            case do.ScheduleTick(at=at):
                self.tick_at = at
            case _:
                pass

    def check(self) -> None:
        now = self.machine.snapshot()
        assert (now.state is State.CONNECTED) == (now.link is Link.LIVE)
        assert self.polling == (now.fallback is not Fallback.OFF)
        assert self.open == (set() if self.machine.socket is None else {self.machine.socket})
        if now.link in (Link.IDLE, Link.FAILED, Link.OFFLINE):
            assert not self.polling
        if now.link not in (Link.IDLE, Link.FAILED):
            assert self.tick_at is not None, "nothing will ever happen again"
        assert now.attempt >= 0


def machine(seed: int = 0, **settings: Any) -> Lifecycle:
    return Lifecycle(LifecycleConfig(**settings), persons=PERSONS, chance=random.Random(seed).random)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 400)), max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_events_lead_to_effects_or_to_a_refusal_that_changes_nothing(script: list[tuple[on.Event, float]]) -> None:
    watcher, now = Watcher(machine()), 0.0
    watcher.step(on.ConnectRequested(("AAPL",)), now)

    for event, pause in script:
        now += pause
        before = watcher.machine.snapshot()
        refusal: IllegalEventError | None = None
        try:
            watcher.step(event, now)
        except IllegalEventError as error:
            refusal = error
        if refusal is not None:
            assert (refusal.machine, refusal.state, refusal.event) == ("lifecycle", before.link, type(event).__name__)
            assert watcher.machine.snapshot() == before


class Host:
    """Does what the effects say, with outcomes drawn from `luck`; `healthy` makes everything succeed."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.watcher = Watcher(machine(seed, backoff=Backoff(jitter=Jitter.FULL)))
        self.now = 0.0
        self.healthy = False
        self.inbox: list[tuple[float, on.Event]] = []

    def tell(self, event: on.Event) -> None:
        for effect in self.watcher.step(event, self.now):
            answer = self.answer(effect)
            if answer is not None:
                self.inbox.append(
                    (self.now + self.luck.choice((0.0, 0.05, 1.0, 4.0, 30.0) if not self.healthy else (0.05,)), answer)
                )

    def answer(self, effect: do.Effect) -> on.Event | None:
        match effect:
            case do.Prepare(socket=socket, person=person):
                return self.draw(
                    on.Prepared(socket),
                    (on.AuthFailed(socket), on.RateLimited(person, 2.0), on.Closed(socket, 1006), None),
                )
            case do.Open(socket=socket):
                return self.draw(on.Opened(socket), (on.Closed(socket, 1006), on.AuthFailed(socket), None))
            case do.SendToken(socket=socket):
                return self.draw(on.Authenticated(socket), (on.Closed(socket, 4001), on.AuthFailed(socket), None))
            case do.RefreshToken(person=person):
                return self.draw(on.TokenRefreshed(person), (on.RefreshFailed(person), on.RateLimited(person), None))
            case do.Subscribe(socket=socket):
                return self.draw(on.Message(socket), (on.Closed(socket, 1001), None))
            case do.Ping(socket=socket, timestamp=timestamp):
                return self.draw(on.Pong(socket, timestamp), (on.Closed(socket, 1005), None))
            case _:
                return None

    def draw(self, good: on.Event, bad: tuple[on.Event | None, ...]) -> on.Event | None:
        return good if self.healthy or self.luck.random() < 0.5 else self.luck.choice(bad)

    def run(self, until: float) -> None:
        while True:
            tick = self.watcher.tick_at
            due = min([at for at, _ in self.inbox] + ([] if tick is None else [tick]), default=None)
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            ready = [pair for pair in self.inbox if pair[0] <= self.now]
            if ready:
                first = min(ready, key=lambda pair: pair[0])
                self.inbox.remove(first)
                self.tell(first[1])
            else:
                self.tell(on.Tick())
        self.now = until


@pytest.mark.parametrize("seed", range(150))
def test_a_lawful_host_is_never_refused_and_health_always_returns(seed: int) -> None:
    host = Host(seed)
    host.tell(on.ConnectRequested(("AAPL", "SHOP.TO")))
    for _ in range(20):
        host.run(host.now + host.luck.uniform(1, 120))
        disturbance = host.luck.choice(
            (
                None,
                on.NetworkLost(),
                on.NetworkRegained(),
                on.ClockJumped(3600.0),
                on.Nudged(),
                on.PollFailed(),
                on.PollSucceeded(),
                on.RefreshRequested(),
                on.SymbolsChanged(("AAPL", 8049)),
                on.ConnectRequested(("AAPL",)),
            )
        )
        if disturbance is not None:
            host.tell(disturbance)
    host.healthy = True
    host.tell(on.NetworkRegained())
    host.run(host.now + 150)  # the longest wait, and the way up

    snapshot = host.watcher.machine.snapshot()
    assert snapshot.state is State.CONNECTED
    assert snapshot.attempt == 0
    assert not host.watcher.polling


@pytest.mark.parametrize("seed", range(20))
def test_a_dead_other_side_is_tried_for_ever_and_never_faster_than_allowed(seed: int) -> None:
    config = LifecycleConfig(max_attempts=5, backoff=Backoff(jitter=Jitter.EQUAL))
    watcher = Watcher(Lifecycle(config, persons=PERSONS, chance=random.Random(seed).random))
    watcher.step(on.ConnectRequested(("AAPL",)), 0.0)
    now, prepared_at = 0.0, [0.0]
    while len(prepared_at) < 40:
        socket = watcher.machine.socket
        event = on.Tick() if socket is None else on.Closed(socket, 1006)
        if socket is None:
            assert watcher.tick_at is not None
            now = watcher.tick_at
        prepared_at += [now for effect in watcher.step(event, now) if isinstance(effect, do.Prepare)]

    waits = [later - earlier for earlier, later in pairwise(prepared_at)]
    ceilings = [5, 10, 20, 40, 80] + [config.probe_interval_s] * 35
    assert all(
        ceiling / 2 <= wait + 1e-6 and wait <= ceiling + 1e-6 for wait, ceiling in zip(waits, ceilings, strict=False)
    )
    assert watcher.machine.state is State.DEGRADED
    assert watcher.polling
