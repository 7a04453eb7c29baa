"""The connection machine of R1-R9, R16 and R18: `step(event, now)` returns what the host must do. Pure.

Normative text: `spec/lifecycle.md`; scenarios every implementation must reproduce: `spec/vectors/lifecycle-*.json`.
Upstream sessions and the Python SDK drive this very class. The words are in `lifecycle_types`, `lifecycle_events`
and `lifecycle_effects`; which event does what in which state is the table in `lifecycle_table`.

Two regions make up the state: `Link` (the socket) and `Fallback` (polling in its place). Events about a socket carry
its number, so that what arrives late about a socket already given up is dropped here, once, and nowhere else.
"""

from collections.abc import Callable
from typing import Any, Final

from quotewire.errors import IllegalEventError
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Chance, spread
from quotewire.resilience.latency import Latency
from quotewire.resilience.lifecycle_table import BUSY, TIMEOUTS, TRANSITIONS, Rule
from quotewire.resilience.lifecycle_types import (
    FALLBACK_STATES,
    LOST_CLOSES,
    PUBLIC_STATES,
    STEP_TIMEOUTS,
    TOKEN_CLOSES,
    TOKEN_TROUBLE,
    Fallback,
    LifecycleConfig,
    Link,
    Quality,
    Reason,
    Snapshot,
    State,
    SymbolKey,
    Timer,
)
from quotewire.resilience.roster import Roster
from quotewire.resilience.silence import Silence

NORMAL_CLOSURE: Final = 1000
PERSON_TROUBLE: Final = frozenset({Reason.NO_PERSONS, Reason.ALL_TOKENS_REFUSED})


class Lifecycle:
    """One connection. Not thread-safe; `now` never goes backwards. `chance` draws from [0, 1) for jitter.

    `serial` is the number its first socket comes after: one host may run two machines, one to take over from the other.
    """

    def __init__(self, config: LifecycleConfig, *, persons: tuple[str, ...], chance: Chance, serial: int = 0) -> None:
        self._config = config
        self._chance = chance
        self._roster = Roster(persons)
        self._latency = Latency(config)
        self._link = Link.IDLE
        self._fallback = Fallback.OFF
        self._reason = Reason.NONE
        self._symbols: tuple[SymbolKey, ...] = ()
        self._effects: list[do.Effect] = []
        self._timers: dict[Timer, float] = {}
        self._announced: float | None = None  # the tick the host has been asked for
        self._serial = serial  # number of the last Prepare
        self._socket: int | None = None
        self._attempt = 0  # failures in a row
        self._rate_limits = 0  # 429s in a row
        self._not_before = 0.0  # what a rate limit allows; no nudge or wake shortens it
        self._refreshed_at: dict[str, float] = {}
        self._unproved_refreshes = 0  # refreshes since a connection last proved to work
        self._poll_failures = 0
        self._nudged_at = float("-inf")
        self._silence = Silence(config)
        self._live_since = 0.0
        self._last_update: float | None = None

    # --- what can be seen ---

    def __repr__(self) -> str:
        return f"<Lifecycle {self.state} link={self._link} reason={self._reason} person={self._roster.current}>"

    @property
    def state(self) -> State:
        """The state as users see it."""
        by_link = PUBLIC_STATES.get(self._link)
        return FALLBACK_STATES[self._fallback] if by_link is None else by_link

    @property
    def quality(self) -> Quality:
        """Poor without a connection."""
        return self._latency.quality if self._link is Link.LIVE else Quality.POOR

    @property
    def socket(self) -> int | None:
        """The number of the socket that counts now; what comes from any other is ignored."""
        return self._socket

    @property
    def symbols(self) -> tuple[SymbolKey, ...]:
        """The symbols wanted."""
        return self._symbols

    @property
    def attempt(self) -> int:
        """Failures in a row."""
        return self._attempt

    def snapshot(self) -> Snapshot:
        """Everything R7 wants to be observable."""
        waiting = self._link in (Link.WAITING, Link.OFFLINE)
        return Snapshot(
            state=self.state,
            link=self._link,
            fallback=self._fallback,
            reason=self._reason,
            person=self._roster.current,
            attempt=self._attempt,
            symbol_count=len(self._symbols),
            last_update=self._last_update,
            latency_ms=self._latency.ms,
            quality=self.quality,
            next_attempt_at=self._timers.get(Timer.STEP) if waiting else None,
        )

    # --- what happens ---

    def step(self, event: on.Event, now: float) -> list[do.Effect]:
        """Take one event; the effects, in the order to carry them out.

        Raises IllegalEventError, changing nothing, for an event that a correct host cannot send in this state.
        """
        number = getattr(event, "socket", None)
        if number is not None and number <= self._serial and number != self._socket:
            return []
        rule = TRANSITIONS.get((self._link, type(event)))
        if rule is None or (number is not None and number > self._serial):
            raise IllegalEventError(machine="lifecycle", state=self._link, event=type(event).__name__)
        self._effects = []
        self._run(rule, event, now)
        earliest = min(self._timers.values(), default=None)
        if earliest != self._announced:
            self._announced = earliest
            self._effects.append(do.ScheduleTick(earliest))
        return self._effects

    def _run(self, rule: Rule, event: Any, now: float) -> None:
        origin = self._link
        ACTIONS[rule.action](self, event, now)
        assert self._link is origin or self._link in rule.targets, f"{origin} + {event!r} led to {self._link}"

    def _enter(self, link: Link, reason: Reason, *, step_at: float | None = None) -> None:
        """Change the link: its timers are those of the new one alone."""
        self._link = link
        self._timers = {} if step_at is None else {Timer.STEP: step_at}
        self._report(reason)

    def _report(self, reason: Reason) -> None:
        self._reason = reason
        self._effects.append(do.Report(self.state, reason))

    def _drop_socket(self, reason: Reason) -> None:
        if self._socket is not None:
            self._effects.append(do.Close(self._socket, NORMAL_CLOSURE, reason))
            self._socket = None

    def _ignore(self, event: on.Event, now: float) -> None:
        """What is normal here and changes nothing."""

    # --- wishes ---

    def _connect(self, event: on.ConnectRequested, now: float) -> None:
        self._symbols = event.symbols
        self._attempt = self._rate_limits = 0
        self._silence.forgive()
        self._roster.restore_all()
        self._roster.begin_round()
        self._start(Reason.CONNECT_REQUESTED, now)

    def _disconnect(self, event: on.DisconnectRequested, now: float) -> None:
        self._drop_socket(Reason.DISCONNECT_REQUESTED)
        self._stop_fallback()
        self._enter(Link.IDLE, Reason.DISCONNECT_REQUESTED)

    def _change_symbols(self, event: on.SymbolsChanged | on.ConnectRequested, now: float) -> None:
        changed = set(event.symbols) != set(self._symbols)
        self._symbols = event.symbols
        if changed and self._link is Link.LIVE:
            assert self._socket is not None
            self._effects.append(do.Subscribe(self._socket, self._symbols))
            self._listen(now)

    def _change_persons(self, event: on.PersonsChanged, now: float) -> None:
        before = self._roster.current
        gone = self._roster.change(event.persons)
        if self._roster.current is None and self._link is not Link.IDLE:
            self._fail(Reason.NO_PERSONS)
        elif self._link is Link.FAILED and self._reason in PERSON_TROUBLE and not self._roster.exhausted:
            self._attempt = 0
            self._roster.begin_round()
            self._announce_person(before)
            self._start(Reason.CONNECT_REQUESTED, now)
        elif gone and self._link in BUSY:
            self._drop_socket(Reason.CONNECT_REQUESTED)
            self._announce_person(before)
            self._start(Reason.CONNECT_REQUESTED, now)

    def _force_refresh(self, event: on.RefreshRequested, now: float) -> None:
        if self._roster.current is not None:
            self._drop_socket(Reason.REFRESH_REQUESTED)
            self._attempt = 0
            self._refresh(self._roster.current, Reason.REFRESH_REQUESTED, now)

    # --- the way up ---

    def _start(self, reason: Reason, now: float) -> None:
        """One attempt with the current person."""
        person = self._roster.current
        if person is None:
            self._fail(Reason.NO_PERSONS)
            return
        self._serial += 1
        self._socket = self._serial
        self._effects.append(do.Prepare(self._serial, person))
        self._enter(Link.PREPARING, reason, step_at=now + self._config.prepare_timeout_s)

    def _prepared(self, event: on.Prepared, now: float) -> None:
        assert self._roster.current is not None
        self._effects.append(do.Open(event.socket, self._roster.current))
        self._enter(Link.OPENING, Reason.PREPARED, step_at=now + self._config.upgrade_timeout_s)

    def _opened(self, event: on.Opened, now: float) -> None:
        self._effects.append(do.SendToken(event.socket))
        self._enter(Link.AUTHENTICATING, Reason.OPENED, step_at=now + self._config.auth_timeout_s)

    def _authenticated(self, event: on.Authenticated, now: float) -> None:
        if self._symbols:
            self._effects.append(do.Subscribe(event.socket, self._symbols))
        self._stop_fallback()
        self._rate_limits = 0
        self._roster.settle()
        self._latency.forget()
        self._live_since = now
        self._enter(Link.LIVE, Reason.AUTHENTICATED)
        if self._config.ping_interval_s is not None:
            self._timers[Timer.PING] = now + self._config.ping_interval_s
        self._listen(now)

    # --- while live ---

    def _message(self, event: on.Message, now: float) -> None:
        self._last_update = now
        self._silence.heard(now)  # its timers find out when they are due: a message costs no effect
        self._prove()
        if self._reason is Reason.MUTE:
            self._report(Reason.DATA_RESUMED)

    def _prove(self) -> None:
        """Both directions work: the failures before are over."""
        self._attempt = self._unproved_refreshes = 0

    def _listen(self, now: float) -> None:
        """Start the silence clock anew."""
        self._set_silence_timers(self._silence.restart(now))

    def _set_silence_timers(self, due: dict[Timer, float]) -> None:
        self._timers.pop(Timer.MUTE, None)
        self._timers.pop(Timer.ZOMBIE, None)
        if self._symbols:
            self._timers.update(due)

    def _silence_rule(self, event: on.SilenceRule, now: float) -> None:
        due = self._silence.change(event.mute_after_s, event.zombie_after_s, now)
        if due is not None and self._link is Link.LIVE:
            self._set_silence_timers(due)

    def _mute_due(self, event: on.Tick, now: float) -> None:
        if self._spoke_meanwhile(Timer.MUTE, now):
            return
        assert self._socket is not None
        self._effects.append(do.Subscribe(self._socket, self._symbols, repeat=True))
        self._report(Reason.MUTE)
        self._timers[Timer.MUTE] = now + self._config.health_check_s

    def _zombie_due(self, event: on.Tick, now: float) -> None:
        if self._spoke_meanwhile(Timer.ZOMBIE, now):
            return
        self._silence.gave_up()
        self._drop_socket(Reason.ZOMBIE)
        self._start(Reason.ZOMBIE, now)

    def _spoke_meanwhile(self, timer: Timer, now: float) -> bool:
        """Whether data came since the timer was set; it is then set again."""
        due = self._silence.due(timer)
        if due is not None and due > now:
            self._timers[timer] = due
            return True
        return False

    def _ping_due(self, event: on.Tick, now: float) -> None:
        self._send_ping(Timer.PONG, now)

    def _send_ping(self, deadline: Timer, now: float) -> None:
        assert self._socket is not None
        assert self._config.ping_interval_s is not None
        self._effects.append(do.Ping(self._socket, now))
        # The oldest ping without an answer counts: a ping sent more often than its pong is due must not hide the loss.
        self._timers.setdefault(deadline, now + self._config.pong_timeout_s)
        self._timers[Timer.PING] = now + self._config.ping_interval_s

    def _pong(self, event: on.Pong, now: float) -> None:
        before = self._latency.quality
        self._timers.pop(Timer.PONG, None)
        self._timers.pop(Timer.WAKE_PONG, None)
        self._latency.observe((now - event.timestamp) * 1000)
        self._prove()
        after = self._latency.quality
        if after is not before and Quality.POOR in (before, after):
            self._report(Reason.LATENCY_POOR if after is Quality.POOR else Reason.LATENCY_RECOVERED)

    def _pong_missed(self, event: on.Tick, now: float) -> None:
        self._lose(Reason.PONG_TIMEOUT, now)

    def _wake_pong_missed(self, event: on.Tick, now: float) -> None:
        self._drop_socket(Reason.PONG_TIMEOUT)
        self._start(Reason.PONG_TIMEOUT, now)

    # --- the way down ---

    def _closed(self, event: on.Closed, now: float) -> None:
        self._socket = None
        if event.code in TOKEN_CLOSES:
            self._refuse_token(now)
        elif event.code in self._config.final_closes:
            self._fail(Reason.CLOSED_FOR_GOOD)
        else:
            reason = Reason.CONNECTION_LOST if event.code in LOST_CLOSES else Reason.CLOSED_BY_PEER
            self._lose(reason, now, wait_s=event.retry_after_s)

    def _lose(self, reason: Reason, now: float, *, wait_s: float | None = None) -> None:
        if self._link is Link.LIVE and now - self._live_since >= self._config.stable_after_s:
            self._prove()
        self._drop_socket(reason)
        self._retry(reason, now, wait_s=wait_s)

    def _retry(self, reason: Reason, now: float, *, wait_s: float | None = None) -> None:
        """Count a failure and wait for the next attempt, with the fallback once attempts are exhausted."""
        self._attempt += 1
        if wait_s is None:
            wait_s = self._next_delay()
        self._enter(Link.WAITING, reason, step_at=now + wait_s)
        if self._fallback is Fallback.OFF and self._attempt > self._config.max_attempts:
            self._start_fallback()

    def _next_delay(self) -> float:
        backoff = self._config.backoff
        delay = backoff.ceiling(self._attempt)
        if self._fallback is not Fallback.OFF or self._attempt > self._config.max_attempts:
            delay = min(delay, self._config.probe_interval_s)
        return spread(delay, backoff.jitter, self._chance)

    def _fail(self, reason: Reason) -> None:
        self._drop_socket(reason)
        self._stop_fallback()
        self._enter(Link.FAILED, reason)

    def _step_late(self, event: on.Tick, now: float) -> None:
        self._lose(STEP_TIMEOUTS[self._link], now)

    def _wait_over(self, event: on.Tick, now: float) -> None:
        self._start(Reason.BACKOFF_OVER, now)

    # --- tokens and persons ---

    def _auth_failed(self, event: on.AuthFailed, now: float) -> None:
        self._drop_socket(Reason.TOKEN_REFUSED)
        self._refuse_token(now)

    def _refuse_token(self, now: float) -> None:
        """Refresh once; a token refused again so soon is a matter for the next person."""
        person = self._roster.current
        assert person is not None
        refreshed_at = self._refreshed_at.get(person)
        if refreshed_at is not None and now - refreshed_at < self._config.refresh_cooldown_s:
            self._next_person(Reason.TOKEN_REFUSED, now)
            return
        if self._unproved_refreshes == 0:
            self._attempt = 0
        self._refresh(person, Reason.TOKEN_REFUSED, now)

    def _refresh(self, person: str, reason: Reason, now: float) -> None:
        self._unproved_refreshes += 1
        self._refreshed_at[person] = now
        self._effects.append(do.RefreshToken(person))
        self._enter(Link.REFRESHING, reason, step_at=now + self._config.refresh_timeout_s)

    def _token_refreshed(self, event: on.TokenRefreshed, now: float) -> None:
        """Leads to an attempt at once where the missing token was what we waited for."""
        self._roster.restore(event.person)
        if event.person not in self._roster or not self._lacks_token_of(event.person):
            return
        before = self._roster.current
        self._roster.choose(event.person)
        self._announce_person(before)
        at = max(now + self._config.refreshed_delay_s, self._not_before)
        self._enter(Link.WAITING, Reason.TOKEN_REFRESHED, step_at=at)

    def _lacks_token_of(self, person: str) -> bool:
        if self._link is Link.FAILED:
            return self._reason is Reason.ALL_TOKENS_REFUSED
        waits_for_it = self._link is Link.REFRESHING or (self._link is Link.WAITING and self._reason in TOKEN_TROUBLE)
        return waits_for_it and person == self._roster.current

    def _refresh_failed(self, event: on.RefreshFailed, now: float) -> None:
        if event.final:
            self._roster.spend(event.person)
        if event.person == self._roster.current and self._link in (Link.REFRESHING, Link.PREPARING):
            self._drop_socket(Reason.REFRESH_FAILED)
            self._next_person(Reason.REFRESH_FAILED, now)

    def _refresh_late(self, event: on.Tick, now: float) -> None:
        self._next_person(Reason.REFRESH_TIMEOUT, now)

    def _next_person(self, reason: Reason, now: float) -> None:
        """Try the next person at once; when all have been tried, count one failure and start a new round later."""
        before = self._roster.current
        if self._roster.next() is not None:
            self._announce_person(before)
            self._start(reason, now)
        elif self._roster.exhausted:
            self._fail(Reason.ALL_TOKENS_REFUSED)
        else:
            self._roster.begin_round()
            self._announce_person(before)
            self._retry(reason, now)

    def _announce_person(self, before: str | None) -> None:
        if self._roster.current is not None and self._roster.current != before:
            self._effects.append(do.TryNextPerson(self._roster.current))

    def _rate_limited(self, event: on.RateLimited, now: float) -> None:
        if event.person != self._roster.current:
            return
        self._drop_socket(Reason.RATE_LIMITED)
        if self._link is Link.REFRESHING:
            del self._refreshed_at[event.person]  # it did not happen
        self._rate_limits += 1
        wait = min(self._config.rate_cap_s, self._config.rate_step_s * self._rate_limits)
        before = self._roster.current
        if self._roster.next() is not None:
            self._announce_person(before)
            self._enter(Link.WAITING, Reason.RATE_LIMITED, step_at=now + wait)
        else:
            self._roster.begin_round()
            self._announce_person(before)
            probe = 0.0 if self._fallback is Fallback.OFF else self._config.probe_interval_s
            wait = max(wait, event.retry_after_s or 0.0, probe)
            self._retry(Reason.RATE_LIMITED, now, wait_s=wait)
        self._not_before = now + wait

    # --- the world around ---

    def _network_lost(self, event: on.NetworkLost, now: float) -> None:
        self._drop_socket(Reason.NETWORK_LOST)
        self._stop_fallback()
        self._enter(Link.OFFLINE, Reason.NETWORK_LOST, step_at=now + self._config.backoff.cap_s)

    def _network_regained(self, event: on.NetworkRegained, now: float) -> None:
        if self._link is Link.LIVE:
            self._check_alive(Reason.NETWORK_REGAINED, now)
        else:
            self._attempt = 0
            self._start_early(Reason.NETWORK_REGAINED, now)

    def _woke(self, event: on.ClockJumped, now: float) -> None:
        self._not_before -= event.by_s
        if self._link is Link.LIVE:
            self._check_alive(Reason.WOKE, now)
        else:
            self._drop_socket(Reason.WOKE)
            self._attempt = 0
            self._start_early(Reason.WOKE, now)

    def _nudge(self, event: on.Nudged, now: float) -> None:
        if now - self._nudged_at >= self._config.nudge_spacing_s:
            self._nudged_at = now
            self._start_early(Reason.NUDGED, now)

    def _start_early(self, reason: Reason, now: float) -> None:
        """Start before the wait is over, but never before a rate limit allows it."""
        if now >= self._not_before:
            self._start(reason, now)
        elif self._link is not Link.WAITING:
            self._enter(Link.WAITING, reason, step_at=self._not_before)

    def _check_alive(self, reason: Reason, now: float) -> None:
        """The socket may have died unnoticed: ask it, or replace it when it answers no pings."""
        if self._config.ping_interval_s is None:
            self._drop_socket(reason)
            self._start(reason, now)
            return
        self._timers.pop(Timer.PONG, None)
        self._listen(now)
        self._report(reason)
        self._send_ping(Timer.WAKE_PONG, now)

    def _tick(self, event: on.Tick, now: float) -> None:
        self._announced = None
        earliest = min(self._timers.values(), default=now)
        if self._link is Link.LIVE and now - earliest > self._config.woke_after_s:
            self._check_alive(Reason.WOKE, now)
        while self._timers:
            timer = min(self._timers, key=self._timers.__getitem__)
            if self._timers[timer] > now:
                break
            del self._timers[timer]
            self._run(TIMEOUTS[self._link, timer], event, now)

    # --- the fallback region ---

    def _start_fallback(self) -> None:
        self._poll_failures = 0
        self._fallback = Fallback.POLLING if self._config.polling else Fallback.BARREN
        if self._config.polling:
            self._effects.append(do.StartPolling(self._config.poll_interval_s))
        self._report(Reason.ATTEMPTS_EXHAUSTED)

    def _stop_fallback(self) -> None:
        if self._fallback is not Fallback.OFF and self._config.polling:
            self._effects.append(do.StopPolling())
        self._fallback = Fallback.OFF

    def _poll_succeeded(self, event: on.PollSucceeded, now: float) -> None:
        if self._fallback is Fallback.OFF:
            return
        self._last_update = now
        self._poll_failures = 0
        if self._fallback is Fallback.BARREN:
            self._fallback = Fallback.POLLING
            self._report(Reason.POLL_RECOVERED)

    def _poll_failed(self, event: on.PollFailed, now: float) -> None:
        self._poll_failures += 1
        if self._fallback is Fallback.POLLING and self._poll_failures >= self._config.poll_failures:
            self._fallback = Fallback.BARREN
            self._report(Reason.POLL_FAILED)


ACTIONS: Final[dict[str, Callable[[Lifecycle, Any, float], None]]] = {
    rule.action: getattr(Lifecycle, f"_{rule.action}") for table in (TRANSITIONS, TIMEOUTS) for rule in table.values()
}
