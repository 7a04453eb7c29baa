"""Any run of events into a session: nothing after its end, never too many symbols, every command answered once."""

from collections import Counter

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.wire_samples import upstream

from quotewire.wire.codes import CloseCode, ErrorCode
from quotewire.wire.commands import Resolution
from quotewire.wire.dialect import Dialect, Facts
from quotewire.wire.limits import SessionLimits
from quotewire.wire.native import NativeDialect
from quotewire.wire.plain import PlainDialect
from quotewire.wire.session import Effect, End, Join, Leave, Phase, Resolve, Send, ServerSession, Verify

MAX_SYMBOLS = 3
LIMITS = SessionLimits(
    upgrade_timeout_s=5,
    auth_timeout_s=10,
    ping_interval_s=30,
    pong_timeout_s=5,
    idle_timeout_s=100,
    slow_timeout_s=30,
    max_symbols=MAX_SYMBOLS,
    wall_ms=lambda now: int(now * 1000),
    max_pending_commands=3,
    max_errors=8,
)
FACTS = Facts(
    connection_id="ws-1",
    version="0",
    server_time=5,
    ping_interval_ms=1,
    pong_timeout_ms=2,
    max_message_bytes=3,
    max_symbols=MAX_SYMBOLS,
    upstream=upstream(),
)
ids = st.lists(st.integers(1, 9), max_size=4)


class Sessions(RuleBasedStateMachine):
    """Drives one session and keeps its books beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0
        self.ended = False
        self.asked: Resolve | None = None
        self.verify: Verify | None = None
        self.joined: set[int] = set()
        self.sent = 0
        self.answers = Counter[str]()
        self.commands: list[str] = []

    @initialize(dialect=st.sampled_from([NativeDialect(), PlainDialect()]), live=st.integers(0, 3))
    def begin(self, dialect: Dialect, live: int) -> None:
        self.native = isinstance(dialect, NativeDialect)
        self.session = ServerSession(dialect, LIMITS, now=self.now, first_ping_in_s=20)
        if live:  # most runs are about what comes after the welcome
            self.authenticate()
            self.judge(True)

    def take(self, effects: list[Effect]) -> None:
        """Carry the effects out as the shell would."""
        assert not (effects and self.ended), "an effect after the end"
        for effect in effects:
            assert not self.ended, "an effect after the end"
            match effect:
                case Send(payload):
                    self.answers[msgspec.json.decode(payload).get("requestId") or ""] += 1
                case Resolve():
                    assert self.asked is None, "two look-ups at once"
                    assert len(effect.names) + len(effect.ids) <= MAX_SYMBOLS
                    self.asked = effect
                case Verify():
                    self.verify = effect
                case Join(joining, _):
                    self.joined |= set(joining)
                case Leave(leaving):
                    assert set(leaving) <= self.joined
                    self.joined -= set(leaving)
                case End():
                    self.ended = True

    def say(self, message: dict[str, object]) -> None:
        self.sent += 1
        request_id = f"r{self.sent}"
        live = self.session.phase is Phase.LIVE
        if live:
            self.commands.append(request_id)
        self.take(self.session.text(msgspec.json.encode({**message, "requestId": request_id}).decode(), self.now))

    @rule()
    def authenticate(self) -> None:
        if self.session.phase is Phase.AUTHENTICATING:
            text = '{"type":"hello","token":"t"}' if self.native else "t"
            self.take(self.session.text(text, self.now))

    @precondition(lambda self: self.verify is not None)
    @rule(good=st.booleans())
    def judge(self, good: bool) -> None:
        assert self.verify is not None
        request, self.verify = self.verify.request, None
        if good:
            self.take(self.session.authenticated(request, FACTS))
        else:
            self.take(self.session.refused(request, "no", self.now))

    @rule(ids=ids, names=st.lists(st.sampled_from(["A", "B"]), max_size=2), add=st.booleans())
    def command(self, ids: list[int], names: list[str], add: bool) -> None:
        if self.native:
            self.say({"type": "subscribe" if add else "unsubscribe", "ids": ids, "symbols": names})
        else:
            self.say({"mode": "streaming", "ids": ids})

    @rule()
    def ping(self) -> None:
        self.say({"type": "ping"})

    @rule()
    def mistake(self) -> None:
        self.say({"type": "shout"})

    @precondition(lambda self: self.asked is not None)
    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        assert self.asked is not None
        asked, self.asked = self.asked, None
        results = []
        items: list[str | int] = [*asked.names, *asked.ids]
        for item in items:
            found = {"A": 1, "B": 2}[item] if isinstance(item, str) else item
            match data.draw(st.sampled_from(["found", "found", "found", "unknown", "unavailable"])):
                case "found":
                    results.append(Resolution(item, symbol=f"S{found}", symbol_id=found))
                case "unknown":
                    results.append(Resolution(item, code=ErrorCode.UNKNOWN_SYMBOL, reason="x"))
                case _:
                    results.append(Resolution(item, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason="x", retryable=True))
        self.take(self.session.resolved(results, self.now))

    @rule(seconds=st.sampled_from([0.1, 0.1, 0.1, 1.0, 4.0, 31.0]), writable=st.booleans())
    def tick(self, seconds: float, writable: bool) -> None:
        self.now += seconds
        self.take(self.session.tick(self.now, writable=writable))

    @rule()
    def pong(self) -> None:
        self.session.pong(self.now)

    @rule(code=st.sampled_from([ErrorCode.BINARY_NOT_SUPPORTED, CloseCode.PROTOCOL_ERROR, CloseCode.GOING_AWAY]))
    @precondition(lambda self: self.sent > 12)
    def broken(self, code: ErrorCode | CloseCode) -> None:
        self.take(self.session.broken(code, "x", self.now))

    @precondition(lambda self: self.sent > 12)
    @rule()
    def gone(self) -> None:
        self.session.gone()
        self.ended = True

    @invariant()
    def the_shell_and_the_session_agree_on_what_is_wanted(self) -> None:
        if hasattr(self, "session") and not self.ended:
            assert self.session.wanted == self.joined
            assert len(self.session.wanted) <= MAX_SYMBOLS

    @invariant()
    def an_end_is_the_phase_closed_and_only_that(self) -> None:
        if hasattr(self, "session"):
            assert self.ended == (self.session.phase is Phase.CLOSED)

    @invariant()
    def every_command_is_answered_once_unless_it_waits_or_all_ended(self) -> None:
        for request_id in self.commands:
            assert self.answers[request_id] <= 1
        if not self.ended and self.asked is None:
            assert all(self.answers[request_id] == 1 for request_id in self.commands)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
