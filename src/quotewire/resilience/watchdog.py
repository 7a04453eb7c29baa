"""Which silence is a fault, and of whom (R6, R55, R56). Pure; one watchdog watches one stream.

Two questions, kept apart:

1. *Is the whole stream silent too long?* `silence()` gives the limits the connection machine uses: none while every
   market is closed, longer the slower the symbols usually are. The machine re-subscribes, then reconnects.
2. *Is one symbol mute while the stream speaks?* `step()` finds it by its usual pace, has it compared with one budgeted
   REST quote, and repairs that symbol alone. *Is the stream mute altogether*, for its symbols' paces taken together,
   the fastest of them are compared; if REST knows more, nobody waits for the machine's limits: reroute.

| symbol is | event | what is done | becomes |
|---|---|---|---|
| any | stream data | its patience and repairs start over | LISTENING |
| LISTENING | silent too long in regular hours | ask REST | CHECKING |
| CHECKING | REST is newer than ours | repair | REPAIRING |
| CHECKING | REST is newer than ours, and the stream is mute | reroute, everybody starts over | LISTENING |
| CHECKING | REST says the same | quiet up to now; patience doubled | LISTENING |
| CHECKING | REST failed, or is overdue | | LISTENING |
| CHECKING | REST failed, and the stream is mute | the stream is doubted until it speaks or REST answers | LISTENING |
| REPAIRING | still silent, repairs left | repair again | REPAIRING |
| REPAIRING | still silent | reroute | LISTENING |

An answer that finds the symbol elsewhere than CHECKING came too late and is ignored.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from quotewire.market.calendar import MarketPhase, phase_at
from quotewire.market.freshness import EXTENDED, Pace
from quotewire.market.quote import QuotePatch
from quotewire.resilience.lifecycle_events import SilenceRule

REGULAR: Final = MarketPhase.REGULAR


class Watch(StrEnum):
    """What is thought of one symbol."""

    LISTENING = "listening"
    CHECKING = "checking"
    REPAIRING = "repairing"


# For `heard`: in Python 3.11 a member is ten times as far away in its enum as in a module.
CLOSED: Final = MarketPhase.CLOSED
LISTENING: Final = Watch.LISTENING


class WatchReason(StrEnum):
    """Why the watchdog acted (R58)."""

    SYMBOL_MUTE = "symbol_mute"
    STILL_MUTE = "still_mute"
    STREAM_MUTE = "stream_mute"


@dataclass(frozen=True, slots=True)
class CheckByQuote:
    """Get REST quotes of these symbols in one call, if the budget allows (look-up priority); answer each by `checked`
    or `check_failed`.
    """

    symbol_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """Subscribe this symbol anew: the REST quote proved that its stream lost it. RECOVERING until its data come."""

    symbol_id: int
    reason: WatchReason


@dataclass(frozen=True, slots=True)
class Reroute:
    """Repairs did not help, or cannot: open the stream anew. With STREAM_MUTE all its symbols have to recover."""

    symbol_id: int
    reason: WatchReason


Effect: TypeAlias = CheckByQuote | Repair | Reroute


@dataclass(frozen=True, slots=True)
class WatchdogConfig:
    """Settings, in seconds."""

    step_every_s: float = 5.0  # between two looks at every symbol; whoever calls `step` keeps to it
    mute_after_s: float = 30.0
    zombie_after_s: float = 300.0
    extended_factor: float = 4.0  # extended hours are this much slower than a pace not yet known
    stream_factor: float = 10.0  # a stream may be silent for this many of its usual gaps
    stream_check_after_s: float = 8.0  # a stream silent for longer, and for so many of its gaps, is compared with REST
    stream_check_factor: float = 3.0
    stream_unknown_pace_s: float = 5.0  # of a symbol, for that; longer in extended hours
    unknown_pace_s: float = 60.0  # of a symbol, until its own is known
    symbol_factor: float = 20.0  # a symbol may be silent for this many of its usual gaps
    symbol_mute_after_s: float = 20.0
    symbol_mute_unknown_s: float = 100.0
    patience_cap: float = 64.0
    check_timeout_s: float = 30.0
    check_spacing_s: float = 10.0  # between two REST calls of this watchdog
    check_batch: int = 20
    repair_timeout_s: float = 30.0
    repairs: int = 2


class _Symbol:
    """What is known of one symbol."""

    __slots__ = ("exchange", "is_halted", "last_at", "pace", "patience", "repairs", "state", "until")

    def __init__(self, exchange: str, now: float) -> None:
        self.exchange = exchange
        self.pace = Pace()
        self.last_at = now
        self.is_halted = False
        self.patience = 1.0
        self.state = Watch.LISTENING
        self.until = 0.0
        self.repairs = 0


class Watchdog:
    """The watchdog of one stream. `now` is monotonic seconds, `when` the same moment as an aware datetime."""

    def __init__(self, config: WatchdogConfig = WatchdogConfig()) -> None:
        self._config = config
        self._symbols: dict[int, _Symbol] = {}
        self._phases: dict[str, MarketPhase] = {}
        self._stream_last_at: float | None = None  # None: the stream is down, nobody is judged
        self._stream_patience = 1.0
        self._stream_proved_at = float("-inf")  # until when REST showed that it had nothing to say
        self._checked_at = float("-inf")
        self._checks_stream = False  # what the last check is about
        self._is_doubted = False

    def __len__(self) -> int:
        return len(self._symbols)

    def watch(self, symbol_id: int, exchange: str, now: float) -> None:
        """Watch a symbol; watching it twice changes nothing."""
        if symbol_id not in self._symbols:
            self._symbols[symbol_id] = _Symbol(exchange, now)

    def unwatch(self, symbol_id: int) -> None:
        """Stop watching; unknown ids are ignored."""
        self._symbols.pop(symbol_id, None)

    def state(self, symbol_id: int) -> Watch | None:
        """What is thought of a symbol; None when it is not watched."""
        symbol = self._symbols.get(symbol_id)
        return None if symbol is None else symbol.state

    def expected_s(self, symbol_id: int) -> float | None:
        """The symbol's usual gap in its market's phase, for judging freshness."""
        symbol = self._symbols.get(symbol_id)
        return None if symbol is None else symbol.pace.expected_s(self._phase(symbol))

    @property
    def is_doubted(self) -> bool:
        """Whether the stream is silent for longer than its symbols explain, and REST could not be asked why: the
        network may be gone. Ends when the stream speaks, or REST answers.
        """
        return self._is_doubted

    # --- what happens ---

    def heard(self, patches: Iterable[QuotePatch], now: float) -> None:
        """Stream data came. Costs two look-ups and a little arithmetic for each quote."""
        self._stream_last_at = now
        self._stream_patience = 1.0
        self._is_doubted = False
        symbols, phase_of = self._symbols, self._phases.get
        for patch in patches:
            symbol = symbols.get(patch.symbol_id)
            if symbol is None:
                continue
            symbol.pace.observe(phase_of(symbol.exchange, CLOSED), now)
            symbol.last_at = now
            symbol.is_halted = patch.is_halted is True
            symbol.state = LISTENING
            symbol.patience = 1.0
            symbol.repairs = 0

    def stream_up(self, now: float) -> None:
        """The stream is live (again): everybody starts with a clean sheet."""
        self._stream_last_at = now
        self._stream_patience = 1.0
        self._is_doubted = False
        for symbol in self._symbols.values():
            symbol.last_at = now
            symbol.state = Watch.LISTENING
            symbol.repairs = 0

    def stream_down(self) -> None:
        """The stream is gone: until `stream_up` no silence counts, and no pace is learned from it."""
        self._stream_last_at = None
        self._is_doubted = False
        for symbol in self._symbols.values():
            symbol.pace.interrupt()
            symbol.state = Watch.LISTENING

    def checked(self, symbol_id: int, *, newer: bool, now: float) -> list[Effect]:
        """The REST quote of a symbol came: `newer` when it tells of something the stream never did."""
        symbol = self._symbols.get(symbol_id)
        if symbol is None or symbol.state is not Watch.CHECKING:
            return []
        self._is_doubted = False
        if newer and self._checks_stream:
            for each in self._symbols.values():
                each.pace.interrupt()  # a silence that was a fault teaches no pace
            self.stream_up(now)
            return [Reroute(symbol_id, WatchReason.STREAM_MUTE)]
        if newer:
            symbol.pace.interrupt()
            symbol.repairs = 0
            return self._repair(symbol_id, symbol, WatchReason.SYMBOL_MUTE, now)
        symbol.state = Watch.LISTENING
        symbol.last_at = now  # proved quiet up to now
        symbol.patience = min(self._config.patience_cap, symbol.patience * 2)
        if self._checks_stream and self._stream_proved_at < self._checked_at:
            self._stream_proved_at = now
            self._stream_patience = min(self._config.patience_cap, self._stream_patience * 2)
        return []

    def check_failed(self, symbol_id: int) -> None:
        """No REST quote could be had; the symbol will be checked again."""
        symbol = self._symbols.get(symbol_id)
        if symbol is not None and symbol.state is Watch.CHECKING:
            symbol.state = Watch.LISTENING
            self._is_doubted = self._is_doubted or self._checks_stream

    def step(self, now: float, when: datetime) -> list[Effect]:
        """Look at every symbol; call it every few seconds."""
        self._phases = self._phases_at(when)
        if self._stream_last_at is None:
            return []
        effects: list[Effect] = []
        suspects: list[int] = []
        for symbol_id, symbol in self._symbols.items():
            effects += DUE[symbol.state](self, symbol_id, symbol, now, suspects)
        is_mute = self._is_stream_mute(now)
        if is_mute:
            suspects = sorted(self._trading(), key=lambda each: self._stream_gap_s(self._symbols[each]))
        else:
            suspects.sort(key=lambda each: self._symbols[each].last_at)
        return effects + self._check(suspects, now, of_stream=is_mute)

    def silence(self, when: datetime) -> SilenceRule:
        """The limits of the whole stream's silence now, for the connection machine.

        None while no watched market trades. Otherwise never below the configured limits, and longer where the symbols'
        own paces, taken together, say so.
        """
        rate, regular, phases = 0.0, False, self._phases_at(when)
        for symbol in self._symbols.values():
            phase = phases[symbol.exchange]
            if phase is MarketPhase.CLOSED or symbol.is_halted:
                continue
            regular = regular or phase is MarketPhase.REGULAR
            rate += 1.0 / max(0.001, self._usual_gap_s(symbol, phase))
        if rate == 0.0:
            return SilenceRule(None, None)
        slower = 1.0 if regular else self._config.extended_factor
        mute = max(self._config.mute_after_s * slower, self._config.stream_factor / rate)
        ratio = self._config.zombie_after_s / self._config.mute_after_s
        return SilenceRule(_coarse(mute), _coarse(mute * ratio))

    # --- the rows of the table ---

    def _listening_due(self, symbol_id: int, symbol: _Symbol, now: float, suspects: list[int]) -> list[Effect]:
        if self._phase(symbol) is MarketPhase.REGULAR and not symbol.is_halted and self._is_mute(symbol, now):
            suspects.append(symbol_id)
        return []

    def _checking_due(self, symbol_id: int, symbol: _Symbol, now: float, suspects: list[int]) -> list[Effect]:
        if now >= symbol.until:
            symbol.state = Watch.LISTENING
        return []

    def _repairing_due(self, symbol_id: int, symbol: _Symbol, now: float, suspects: list[int]) -> list[Effect]:
        if now < symbol.until:
            return []
        if symbol.repairs < self._config.repairs:
            return self._repair(symbol_id, symbol, WatchReason.STILL_MUTE, now)
        symbol.state = Watch.LISTENING
        symbol.last_at = now
        return [Reroute(symbol_id, WatchReason.STILL_MUTE)]

    def _repair(self, symbol_id: int, symbol: _Symbol, reason: WatchReason, now: float) -> list[Effect]:
        symbol.state = Watch.REPAIRING
        symbol.until = now + self._config.repair_timeout_s
        symbol.repairs += 1
        return [Repair(symbol_id, reason)]

    def _check(self, suspects: list[int], now: float, *, of_stream: bool) -> list[Effect]:
        """One REST call at a time, for the first of the suspects."""
        if not suspects or now - self._checked_at < self._config.check_spacing_s:
            return []
        self._checked_at, self._checks_stream = now, of_stream
        chosen = suspects[: self._config.check_batch]
        for symbol_id in chosen:
            self._symbols[symbol_id].state = Watch.CHECKING
            self._symbols[symbol_id].until = now + self._config.check_timeout_s
        return [CheckByQuote(tuple(chosen))]

    def _is_mute(self, symbol: _Symbol, now: float) -> bool:
        """Silent too long by its own pace, while the stream speaks: a silent stream is the machine's affair."""
        assert self._stream_last_at is not None
        if now - self._stream_last_at > self._config.mute_after_s:
            return False
        usual = symbol.pace.expected_s(MarketPhase.REGULAR)
        limit = self._config.symbol_mute_unknown_s
        if usual is not None:
            limit = max(self._config.symbol_mute_after_s, usual * self._config.symbol_factor)
        return now - symbol.last_at > limit * symbol.patience

    def _is_stream_mute(self, now: float) -> bool:
        """Whether the stream is silent for longer than the paces of its symbols, taken together, explain."""
        rate = sum(1.0 / max(0.001, self._stream_gap_s(self._symbols[each])) for each in self._trading())
        if self._stream_last_at is None or rate == 0.0:
            return False
        limit = max(self._config.stream_check_after_s, self._config.stream_check_factor / rate)
        return now - max(self._stream_last_at, self._stream_proved_at) > limit * self._stream_patience

    def _trading(self) -> list[int]:
        """The symbols whose markets are open, the halted left out."""
        phases = {each: self._phase(symbol) for each, symbol in self._symbols.items() if not symbol.is_halted}
        return [each for each, phase in phases.items() if phase is not MarketPhase.CLOSED]

    def _stream_gap_s(self, symbol: _Symbol) -> float:
        """The symbol's usual gap now; one not known yet is guessed short, since one call too many is cheap."""
        phase = self._phase(symbol)
        known = symbol.pace.expected_s(phase)
        if known is not None:
            return known
        return self._config.stream_unknown_pace_s * (self._config.extended_factor if phase in EXTENDED else 1.0)

    def _usual_gap_s(self, symbol: _Symbol, phase: MarketPhase) -> float:
        known = symbol.pace.expected_s(phase)
        if known is not None:
            return known
        return self._config.unknown_pace_s * (self._config.extended_factor if phase in EXTENDED else 1.0)

    def _phases_at(self, when: datetime) -> dict[str, MarketPhase]:
        exchanges = {symbol.exchange for symbol in self._symbols.values()}
        return {exchange: phase_at(exchange, when) for exchange in exchanges}

    def _phase(self, symbol: _Symbol) -> MarketPhase:
        """As of the last step; before the first one nobody is judged."""
        return self._phases.get(symbol.exchange, MarketPhase.CLOSED)


Due: TypeAlias = Callable[[Watchdog, int, _Symbol, float, list[int]], list[Effect]]
DUE: Final[dict[Watch, Due]] = {
    Watch.LISTENING: Watchdog._listening_due,
    Watch.CHECKING: Watchdog._checking_due,
    Watch.REPAIRING: Watchdog._repairing_due,
}


def _coarse(seconds: float) -> float:
    """Rounded up to ten seconds above a minute, so that a slowly drifting pace is not news each time."""
    return seconds if seconds <= 60 else -(-seconds // 10) * 10
