"""The server's side of one client, without I/O: what came in and `now` go in, what to do comes out.

| phase          | left by                                                        |
|----------------|----------------------------------------------------------------|
| AUTHENTICATING | a token: VERIFYING; anything else, or the deadline: CLOSED     |
| VERIFYING      | the verdict on the token: LIVE or CLOSED                       |
| LIVE           | a closing error, a missed pong, silence, the peer: CLOSED      |
| CLOSED         | nothing; whatever still comes in is ignored                    |

`now` is in seconds of a monotonic clock. The shell carries out the effects in order.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final, TypeVar

from quotewire.errors import IllegalEventError
from quotewire.wire.capabilities import Agreed, Capability, agree
from quotewire.wire.codes import CLOSES, CLOSING, CloseCode, ErrorCode
from quotewire.wire.commands import (
    Add,
    AskPong,
    Authenticate,
    Command,
    Nothing,
    Problem,
    Remove,
    Replace,
    Resolution,
    SymbolCommand,
)
from quotewire.wire.dialect import NOTHING, Dialect, Facts
from quotewire.wire.limits import UNSHARED, Quota, SessionLimits
from quotewire.wire.messages import UpstreamState
from quotewire.wire.options import DEFAULT_OPTIONS, Gap, Options, Position

T = TypeVar("T")

JOINED_AT_ONCE = 200
"""Symbols a client joins in one go."""

PHRASED_AT_ONCE = 500
"""Results of a command that are phrased in one go."""

LONG = 1024
"""Characters or bytes of a message beyond which it is not read when it would be refused anyway."""


class Phase(Enum):
    """Where the conversation stands."""

    AUTHENTICATING = "authenticating"
    VERIFYING = "verifying"
    LIVE = "live"
    CLOSED = "closed"


MOVES: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.AUTHENTICATING: frozenset({Phase.VERIFYING, Phase.CLOSED}),
    Phase.VERIFYING: frozenset({Phase.LIVE, Phase.CLOSED}),
    Phase.LIVE: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset({Phase.CLOSED}),
}
"""Which phase may follow which; any other move is a defect of ours and raises IllegalEventError."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message. `code` is that of an error."""

    payload: bytes
    code: ErrorCode | None = None


@dataclass(frozen=True, slots=True)
class SendPing:
    """Send a WebSocket ping; its payload is the shell's to choose."""


@dataclass(frozen=True, slots=True)
class SendPong:
    """Answer a WebSocket ping."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Close the connection. `clean` is False when no close frame can be expected to come back."""

    code: CloseCode
    reason: str
    clean: bool = True


@dataclass(frozen=True, slots=True)
class Verify:
    """Judge this token and come back with `authenticated` or `refused`."""

    request: Authenticate


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look these symbols up and come back with `resolved`."""

    names: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Deliver these symbols from now on: after what was missed since `positions`, else after a snapshot.

    `more`: None where these are all of a command; else whether another part of it follows.
    """

    ids: Sequence[int]
    request_id: str | None
    options: Options = DEFAULT_OPTIONS
    positions: Mapping[int, Position] = field(default_factory=dict)
    more: bool | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Deliver these symbols no more."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Much is to be done: come back with `go_on` when others had a turn."""


Effect = Wait | Send | SendPing | SendPong | End | Verify | Resolve | Join | Leave


class ServerSession:
    """One client. Not thread-safe; owned by its connection."""

    __slots__ = (
        "_dialect",
        "_errors",
        "_heard_at",
        "_limits",
        "_messages_full_at",
        "_opened_at",
        "_pending",
        "_ping_at",
        "_pinged_at",
        "_quota",
        "_refused",
        "_resolving",
        "_rest",
        "_symbols_full_at",
        "_wanted",
        "agreed",
        "phase",
    )

    def __init__(
        self,
        dialect: Dialect,
        limits: SessionLimits,
        *,
        now: float,
        first_ping_in_s: float,
        quota: Quota = UNSHARED,
    ) -> None:
        self._dialect = dialect
        self._limits = limits
        self._quota = quota
        self._opened_at = self._heard_at = self._messages_full_at = self._symbols_full_at = now
        self._ping_at = now + first_ping_in_s
        self._pinged_at: float | None = None
        self._errors: deque[float] | None = None
        self._refused: tuple[int, int] | None = None  # length and symbols of a message that named too many
        self._pending: deque[SymbolCommand] | None = None
        self._resolving: SymbolCommand | None = None
        self._rest: deque[Callable[[], list[Effect]]] | None = None  # the parts of a command that are not done yet
        self.phase = Phase.AUTHENTICATING
        self.agreed: Agreed = NOTHING
        self._wanted: tuple[int, ...] = ()  # most of what a session holds: a set would be ten times as big

    @property
    def wanted(self) -> frozenset[int]:
        """The ids of the symbols the client wants."""
        return frozenset(self._wanted)

    # --- what the peer did ---

    def text(self, text: str, now: float) -> list[Effect]:
        """Take a text message."""
        if self._dialect.binary:
            return self.broken(ErrorCode.TEXT_NOT_SUPPORTED, "send binary messages, in MessagePack", now)
        return self._message(text, now)

    def binary(self, data: bytes, now: float) -> list[Effect]:
        """Take a binary message."""
        if not self._dialect.binary:
            return self.broken(ErrorCode.BINARY_NOT_SUPPORTED, "send text messages", now)
        return self._message(data, now)

    def _message(self, data: str | bytes, now: float) -> list[Effect]:
        self._heard_at = now
        if self.phase is Phase.LIVE:
            return self._live(data, now)
        if self.phase is Phase.AUTHENTICATING:
            command = self._dialect.first(data)
            if isinstance(command, Authenticate):
                self._enter(Phase.VERIFYING)
                return [Verify(command)]
            assert isinstance(command, Problem), "a first message authenticates or is a problem"
            return self._problem(command, now)
        return []

    def _live(self, data: str | bytes, now: float) -> list[Effect]:
        length = len(data)
        unread = self._foreseen(length, now) if length > LONG else None
        if unread is not None:
            return self._rate_limited(self._dialect.head(data), unread, now)
        command = self._dialect.read(data)
        named = self._named(command)
        refusal = self._over_the_rate(now, named)
        if refusal is None:
            return self._command(command, now)
        if named and length > LONG:
            self._refused = length, named
        return self._rate_limited(command, refusal, now)

    def broken(self, code: ErrorCode | CloseCode, reason: str, now: float) -> list[Effect]:
        """The peer broke a limit or the WebSocket protocol: tell it where a message fits, and end."""
        if self.phase is Phase.CLOSED:
            return []
        if isinstance(code, ErrorCode):
            return self._problem(Problem(code, reason), now)
        return self._end(code, reason)

    def heard(self, now: float) -> None:
        """Any frame at all came in."""
        self._heard_at = now

    def ping(self, payload: bytes, now: float) -> list[Effect]:
        """A ping came in; it counts as a message."""
        if self.phase is Phase.CLOSED:
            return []
        refusal = self._over_the_rate(now)
        return [SendPong(payload)] if refusal is None else self._problem(Problem(ErrorCode.RATE_LIMITED, refusal), now)

    def pong(self, now: float) -> None:
        """A pong came in."""
        self._heard_at = now
        self._pinged_at = None

    def gone(self) -> None:
        """The connection is closed, by whomever."""
        self._enter(Phase.CLOSED)

    # --- what the shell found out ---

    def authenticated(self, request: Authenticate, facts: Facts) -> list[Effect]:
        """The token is good."""
        if self.phase is not Phase.VERIFYING:
            return []
        self._enter(Phase.LIVE)
        self.agreed = agree(request.capabilities)
        return [Send(self._dialect.welcome(facts, request.request_id, request.timestamp, self.agreed))]

    def refused(
        self, request: Authenticate, reason: str, now: float, code: ErrorCode = ErrorCode.UNAUTHORIZED
    ) -> list[Effect]:
        """The token is not good, or its owner may not come in now. `code` must be one that closes."""
        if self.phase is not Phase.VERIFYING:
            return []
        return self._problem(Problem(code, reason, request.request_id, request.timestamp), now)

    def resolved(self, resolutions: Sequence[Resolution], now: float) -> list[Effect]:
        """The symbols of the command that asked for `Resolve` are looked up."""
        command, self._resolving = self._resolving, None
        if self.phase is not Phase.LIVE or command is None:
            return []
        return self._apply(command, resolutions, now) + self._serve_waiting(now)

    def go_on(self, now: float) -> list[Effect]:
        """Others had a turn, and the client takes more: the next part, or what waited for the last."""
        if self.phase is not Phase.LIVE or self._rest is None:
            return []
        if self._rest:
            return [*self._rest.popleft()(), Wait()]
        self._rest = None
        return self._serve_waiting(now)

    def needs(self, resolutions: Sequence[Resolution]) -> int:
        """How many symbols the client will want in all once `resolved` is told these; 0 when it will add none."""
        command, wanted = self._resolving, self.wanted
        if self.phase is not Phase.LIVE or command is None or isinstance(command, Remove):
            return 0
        found = {each.symbol_id for each in self._kept(resolutions) if each.code is None}
        total = len(found) if isinstance(command, Replace) else len(wanted.union(found))
        return total if total <= self._limits.max_symbols else 0

    def tick(self, now: float, *, writable: bool = True) -> list[Effect]:
        """Time passed. Call a few times a second, or as often as the shortest limit asks.

        While the connection is not `writable` a ping would only wait behind what the client has not taken yet: none is
        sent, and one that is under way has its full time again once the connection takes data.
        """
        limits = self._limits
        if self.phase is Phase.CLOSED:
            return []
        if self.phase is not Phase.LIVE:
            if now - self._opened_at < limits.auth_timeout_s:
                return []
            return self._problem(Problem(ErrorCode.AUTH_TIMEOUT, CLOSES[CloseCode.AUTH_TIMEOUT].reason), now)
        if self._pinged_at is not None:
            if not writable:
                self._pinged_at = now
            elif now - self._pinged_at >= limits.pong_timeout_s:
                return self._end(CloseCode.PONG_TIMEOUT, clean=False)
        if now - self._heard_at >= limits.idle_timeout_s:
            return self._end(CloseCode.IDLE_TIMEOUT, clean=False)
        if writable and now >= self._ping_at:
            self._ping_at = now + limits.ping_interval_s
            if self._pinged_at is None:
                self._pinged_at = now
            return [SendPing()]
        return []

    @property
    def joining(self) -> bool:
        """Whether parts of a command are not done yet."""
        return self._rest is not None

    # --- what the client is told unasked ---

    def upstream(self, state: UpstreamState) -> list[Send]:
        """The upstream changed."""
        return self._tell(self._dialect.status(state) if self.phase is Phase.LIVE else None)

    def gaps(self, gaps: Sequence[Gap], request_id: str | None = None) -> list[Send]:
        """Updates are lost to this client. Nothing, when it did not agree to be told: what follows must tell it."""
        if not gaps or Capability.GAP not in self.agreed:
            return []
        return self._tell(self._dialect.gap(gaps, request_id))

    def reconnect(self, after_ms: int, deadline_ms: int, reason: str) -> list[Send]:
        """Have the client move to another connection. Nothing, when it did not agree: its close frame must tell it."""
        if Capability.RECONNECT not in self.agreed:
            return []
        return self._tell(self._dialect.reconnect(after_ms, deadline_ms, reason))

    # --- the rules ---

    def _tell(self, payload: bytes | None) -> list[Send]:
        return [] if payload is None or self.phase is not Phase.LIVE else [Send(payload)]

    def _enter(self, phase: Phase) -> None:
        if phase not in MOVES[self.phase]:
            raise IllegalEventError(machine="client session", state=self.phase.value, event=f"enter {phase.value}")
        self.phase = phase

    def _command(self, command: Command, now: float) -> list[Effect]:
        match command:
            case AskPong():
                server_time = self._limits.wall_ms(now)
                return [Send(self._dialect.pong(command.timestamp, command.request_id, server_time))]
            case Add() | Replace() | Remove():
                return self._queue(command, now)
            case Authenticate():
                told = "this connection is authenticated already"
                problem = Problem(ErrorCode.ALREADY_AUTHENTICATED, told, command.request_id, command.timestamp)
                return self._problem(problem, now)
            case Problem():
                return self._problem(command, now)
            case Nothing():
                return []

    def _over_the_rate(self, now: float, symbols: int = 0) -> str | None:
        """Count a message that names so many symbols; a sentence when that is too much, for this connection or others.

        What is kept of an allowance is the time at which it would be full again.
        """
        spent = self._spend(now, symbols)
        if isinstance(spent, str):
            return spent
        self._messages_full_at, self._symbols_full_at = spent
        return self._quota.command(now, symbols)

    def _foreseen(self, length: int, now: float) -> str | None:
        """Why a message of that length would be refused, whatever it says; None when it is to be read.

        One that is no shorter than one that named too many symbols is taken to name as many, until there are as many.
        """
        refused = self._refused
        symbols = refused[1] if refused is not None and length >= refused[0] else 0
        spent = self._spend(now, symbols)
        refusal = spent if isinstance(spent, str) else self._quota.lacks(now, symbols)
        if refusal is None and symbols:
            self._refused = None
        return refusal

    def _spend(self, now: float, symbols: int) -> tuple[float, float] | str:
        """When the connection's own allowances would be full again after such a message; a sentence when they lack."""
        limits = self._limits
        messages = _spend(self._messages_full_at, now, 1, limits.commands_per_s, limits.command_burst)
        if messages is None:
            return f"a connection may send {limits.commands_per_s:g} messages a second, {limits.command_burst} at once"
        named = _spend(self._symbols_full_at, now, symbols, limits.symbols_per_s, limits.symbol_burst)
        if named is None:
            return f"a connection may name {limits.symbols_per_s:g} symbols a second, {limits.symbol_burst} at once"
        return messages, named

    def _named(self, command: Command) -> int:
        """How many symbols it names; none where they are too many to be looked at."""
        match command:
            case Add() | Remove():
                count = len(command.names) + len(command.ids)
            case Replace():
                count = len(command.ids)
            case _:
                return 0
        return count if count <= self._limits.max_symbols else 0

    def _rate_limited(self, command: Command, refusal: str, now: float) -> list[Effect]:
        problem = Problem(ErrorCode.RATE_LIMITED, refusal, command.request_id, command.timestamp)
        return self._problem(problem, now)

    def _queue(self, command: SymbolCommand, now: float) -> list[Effect]:
        if not self._busy:
            return self._start(command, now)
        if self._pending is None:
            self._pending = deque()
        if len(self._pending) >= self._limits.max_pending_commands:
            told = f"{self._limits.max_pending_commands} commands are waiting already"
            return self._problem(Problem(ErrorCode.TOO_MANY_COMMANDS, told, command.request_id, command.timestamp), now)
        self._pending.append(command)
        return []

    @property
    def _busy(self) -> bool:
        """Whether a command is being served: those after it wait, as all are answered in order."""
        return self._resolving is not None or self._rest is not None

    def _serve_waiting(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while self._pending and not self._busy and self.phase is Phase.LIVE:
            effects += self._start(self._pending.popleft(), now)
        return effects

    def _start(self, command: SymbolCommand, now: float) -> list[Effect]:
        names = () if isinstance(command, Replace) else command.names
        if len(names) + len(command.ids) > self._limits.max_symbols:
            return self._too_many(command, now)
        if not names and isinstance(command, Remove):
            return self._take_away(command, command.ids, command.ids, self._dialect.taken)
        if not names and not command.ids:
            return self._apply(command, (), now)
        self._resolving = command
        return [Resolve(names, command.ids)]

    def _apply(self, command: SymbolCommand, resolutions: Sequence[Resolution], now: float) -> list[Effect]:
        if isinstance(command, Remove):
            return self._remove(command, resolutions)
        if self._wanted and any(r.retryable for r in resolutions):
            resolutions = self._kept(resolutions)
        found = tuple(dict.fromkeys([r.symbol_id for r in resolutions if r.code is None]))
        leaving: tuple[int, ...] = ()
        joining = wanted = found
        if self._wanted:
            before = self.wanted
            joined = before.union(found)
            if isinstance(command, Replace):
                leaving = tuple(before.difference(found))
                joining = tuple([symbol_id for symbol_id in found if symbol_id not in before])
                joined = joined.difference(leaving)
            wanted = tuple(joined)
        refusal = self._quota.claim(len(wanted)) if len(wanted) <= self._limits.max_symbols else None
        if len(wanted) > self._limits.max_symbols or refusal is not None:
            return self._too_many(command, now, refusal)
        self._wanted = wanted
        # Left before it is told, so that nothing of these symbols follows the answer.
        effects: list[Effect] = [Leave(leaving)] if leaving else []
        join: Join | None = None
        if isinstance(command, Add):
            positions = command.positions and {i: command.positions[i] for i in joining if i in command.positions}
            join = Join(joining, command.request_id, command.options, positions)
        elif joining:
            join = Join(joining, command.request_id)
        return effects + self._in_parts(command, resolutions, self._dialect.phrase, join)

    def _in_parts(
        self, command: SymbolCommand, results: Sequence[T], phrase: Callable[[Sequence[T]], bytes], join: Join | None
    ) -> list[Effect]:
        """The answer, then the join. What is much of it is done part by part: nobody waits for another's thousands."""
        if len(results) <= PHRASED_AT_ONCE:
            told: list[Effect] = [Send(self._dialect.answer(command, len(results), [phrase(results)]))]
            return told if join is None else told + self._joined(join)
        phrased: list[bytes] = []

        def one(part: Sequence[T]) -> list[Effect]:
            phrased.append(phrase(part))
            return []

        def told_and_joined() -> list[Effect]:
            answer = Send(self._dialect.answer(command, len(results), phrased))
            return [answer] if join is None else [answer, *self._joined(join)]

        self._rest = deque([partial(one, part) for part in _slices(results, PHRASED_AT_ONCE)])
        self._rest.append(told_and_joined)
        return [Wait()]

    def _joined(self, join: Join) -> list[Effect]:
        if len(join.ids) <= JOINED_AT_ONCE:
            return [join]
        parts = _slices(join.ids, JOINED_AT_ONCE)
        self._rest = deque()
        for at, ids in enumerate(parts, start=1):
            part = Join(ids, join.request_id, join.options, join.positions, at < len(parts))
            self._rest.append(partial(list[Effect], (part,)))
        return [Wait()]

    def _kept(self, resolutions: Sequence[Resolution]) -> list[Resolution]:
        """A symbol that flows already needs no look-up: one that failed for now takes nothing away."""
        wanted = self.wanted
        return [
            Resolution(r.asked, symbol_id=r.asked)
            if r.code is not None and r.retryable and isinstance(r.asked, int) and r.asked in wanted
            else r
            for r in resolutions
        ]

    def _remove(self, command: Remove, resolutions: Sequence[Resolution]) -> list[Effect]:
        # What cannot be found cannot be wanted either: taking it away is done.
        done = [r if r.code is None else _done(r.asked) for r in resolutions]
        return self._take_away(command, [r.symbol_id for r in resolutions], done, self._dialect.phrase)

    def _take_away(
        self, command: Remove, symbol_ids: Iterable[int], results: Sequence[T], phrase: Callable[[Sequence[T]], bytes]
    ) -> list[Effect]:
        effects: list[Effect] = []
        named = frozenset(symbol_ids)
        leaving = tuple([symbol_id for symbol_id in self._wanted if symbol_id in named])
        if leaving:
            self._wanted = tuple([symbol_id for symbol_id in self._wanted if symbol_id not in named])
            self._quota.claim(len(self._wanted))
            effects.append(Leave(leaving))
        return effects + self._in_parts(command, results, phrase, None)

    def _too_many(self, command: SymbolCommand, now: float, refusal: str | None = None) -> list[Effect]:
        told = refusal or f"a connection may want {self._limits.max_symbols} symbols"
        told = f"{told}; none of this command's were added"
        return self._problem(Problem(ErrorCode.TOO_MANY_SYMBOLS, told, command.request_id, command.timestamp), now)

    def _problem(self, problem: Problem, now: float) -> list[Effect]:
        told: list[Effect] = [Send(self._dialect.error(problem), problem.code)]
        closing = CLOSING.get(problem.code)
        if closing is not None:
            return [*told, *self._end(closing)]
        if self._errors is None:
            self._errors = deque(maxlen=self._limits.max_errors)
        self._errors.append(now)
        if len(self._errors) == self._limits.max_errors and now - self._errors[0] <= self._limits.error_window_s:
            if problem.code is ErrorCode.RATE_LIMITED:
                return [*told, *self._end(CloseCode.LIMIT_REACHED)]
            reason = CLOSES[CloseCode.TOO_MANY_ERRORS].reason
            last = Send(self._dialect.error(Problem(ErrorCode.TOO_MANY_ERRORS, reason)), ErrorCode.TOO_MANY_ERRORS)
            return [*told, last, *self._end(CloseCode.TOO_MANY_ERRORS)]
        return told

    def _end(self, code: CloseCode, reason: str = "", *, clean: bool = True) -> list[Effect]:
        self._enter(Phase.CLOSED)
        return [End(code, reason or CLOSES[code].reason, clean)]


def _slices(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _done(asked: str | int) -> Resolution:
    return Resolution(asked, symbol=asked) if isinstance(asked, str) else Resolution(asked, symbol_id=asked)


def _spend(full_at: float, now: float, count: int, per_s: float, burst: int) -> float | None:
    """When an allowance is full again once `count` more are taken; None when it has fewer. Rate 0: no end to it."""
    if not per_s:
        return full_at
    spent = max(full_at, now) + count / per_s
    return None if spent - now > burst / per_s + 1e-9 else spent
