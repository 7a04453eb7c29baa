"""Any run of events into a session: nothing after its end, never too many symbols, every command answered once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.wire import session as module
from quotewire.wire.codes import CloseCode, ErrorCode
from quotewire.wire.commands import Resolution
from quotewire.wire.dialect import Dialect, Facts
from quotewire.wire.limits import SessionLimits
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.plain import PlainDialect
from quotewire.wire.session import Effect, End, Join, Leave, Phase, Resolve, Send, ServerSession, Verify, Wait
from tests.wire_samples import upstream

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
    max_errors=5,
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
ids = st.lists(st.integers(1, 6), max_size=3)
fates = st.lists(st.sampled_from(["found", "found", "found", "unknown", "unavailable"]), min_size=5, max_size=5)
subscribe = st.tuples(st.just("subscribe"), ids, st.lists(st.sampled_from(["A", "B"]), max_size=1))
unsubscribe = st.tuples(st.just("unsubscribe"), ids, st.lists(st.sampled_from(["A", "B"]), max_size=1))
resolve = st.tuples(st.just("resolve"), fates)
rarely = st.sampled_from(
    [
        ("broken", ErrorCode.BINARY_NOT_SUPPORTED),
        ("broken", CloseCode.PROTOCOL_ERROR),
        ("broken", CloseCode.GOING_AWAY),
        ("gone",),
        ("tick", 31.0, True),
        ("tick", 101.0, False),
    ]
)
ticks = [("tick", 0.1, True), ("tick", 4.0, True), ("tick", 9.0, False)]
often = st.sampled_from([("ping",), ("mistake",), *[("turn",)] * 3, ("pong",), *ticks])
scripts = st.lists(subscribe | resolve | subscribe | resolve | unsubscribe | often, max_size=30)


class Shell:
    """Carries out a session's effects as a connection would, and keeps the books beside it."""

    def __init__(self, dialect: Dialect) -> None:
        self.native = isinstance(dialect, NativeDialect)
        self.binary = dialect.binary
        self.decode = msgspec.msgpack.decode if dialect.binary else msgspec.json.decode
        self.now = 50.0
        self.claims: list[int] = []
        self.session = ServerSession(dialect, LIMITS, now=self.now, first_ping_in_s=20, quota=self)
        self.ended = False
        self.asked: Resolve | None = None
        self.verify: Verify | None = None
        self.joined: set[int] = set()
        self.waiting = False
        self.sent = 0
        self.answers = Counter[str]()
        self.commands: list[str] = []

    def authenticate(self, verdict: bool) -> None:
        self.hand_in({"type": "hello", "token": "t"} if self.native else "t")
        assert self.verify is not None
        request, self.verify = self.verify.request, None
        if verdict:
            self.take(self.session.authenticated(request, FACTS))
        else:
            self.take(self.session.refused(request, "no", self.now))

    def act(self, act: str, *arguments: Any) -> None:
        match act:
            case "subscribe" | "unsubscribe":
                wanted, names = arguments
                self.say(
                    {"type": act, "ids": wanted, "symbols": names}
                    if self.native
                    else {"mode": "streaming", "ids": wanted}
                )
            case "ping":
                self.say({"type": "ping"})
            case "mistake":
                self.say({"type": "shout"})
            case "resolve":
                self.resolve(*arguments)
            case "tick":
                self.now += arguments[0]
                self.take(self.session.tick(self.now, writable=arguments[1]))
            case "pong":
                self.session.pong(self.now)
            case "turn":
                if self.waiting:
                    self.waiting = False
                    self.take(self.session.go_on(self.now))
            case "broken":
                self.take(self.session.broken(arguments[0], "x", self.now))
            case "gone":
                self.session.gone()
                self.ended = True

    def say(self, message: dict[str, object]) -> None:
        self.sent += 1
        request_id = f"r{self.sent}"
        if self.session.phase is Phase.LIVE:
            self.commands.append(request_id)
        self.hand_in({**message, "requestId": request_id})

    def hand_in(self, message: dict[str, object] | str) -> None:
        if self.binary:
            self.take(self.session.binary(msgspec.msgpack.encode(message), self.now))
        else:
            text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
            self.take(self.session.text(text, self.now))

    def resolve(self, fates: list[str]) -> None:
        if self.asked is None:
            return
        asked, self.asked = self.asked, None
        items: list[str | int] = [*asked.names, *asked.ids]
        results = []
        for item, fate in zip(items, fates, strict=False):
            found = {"A": 1, "B": 2}[item] if isinstance(item, str) else item
            if fate == "found":
                results.append(Resolution(item, symbol=f"S{found}", symbol_id=found))
            else:
                down = fate == "unavailable"
                code = ErrorCode.UPSTREAM_UNAVAILABLE if down else ErrorCode.UNKNOWN_SYMBOL
                results.append(Resolution(item, code=code, reason="x", retryable=down))
        before, needs, already = self.session.wanted, self.session.needs(results), len(self.claims)
        self.take(self.session.resolved(results, self.now))
        claimed = next(iter(self.claims[already:]), 0)
        # What is reserved beforehand is what is claimed, wherever that is more than before.
        assert needs == claimed or max(needs, claimed) <= len(before)

    def command(self, now: float, symbols: int = 0) -> None:
        """The quota of a connection that shares nothing, and remembers what it was asked for."""

    def lacks(self, now: float, symbols: int) -> None:
        """Nothing."""

    def claim(self, symbols: int) -> None:
        self.claims.append(symbols)

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not self.ended, "an effect after the end"
            match effect:
                case Send(payload):
                    self.answers[self.decode(payload).get("requestId") or ""] += 1
                case Resolve():
                    assert self.asked is None, "two look-ups at once"
                    assert len(effect.names) + len(effect.ids) <= MAX_SYMBOLS
                    self.asked = effect
                case Verify():
                    self.verify = effect
                case Join(joining):
                    self.joined |= set(joining)
                case Wait():
                    self.waiting = True
                case Leave(leaving):
                    assert set(leaving) <= self.joined
                    self.joined -= set(leaving)
                case End():
                    self.ended = True

    def check(self) -> None:
        assert self.ended == (self.session.phase is Phase.CLOSED)
        assert all(self.answers[request_id] <= 1 for request_id in self.commands)
        if self.ended:
            return
        assert self.session.joining == self.waiting
        if self.waiting:
            assert self.session.wanted >= self.joined
        else:
            assert self.session.wanted == self.joined
        assert len(self.session.wanted) <= MAX_SYMBOLS
        unanswered = [request_id for request_id in self.commands if not self.answers[request_id]]
        if self.asked is None and not self.waiting:
            assert unanswered == []
        assert len(unanswered) <= LIMITS.max_pending_commands + 1


def run(shell: Shell, script: list[tuple[Any, ...]]) -> None:
    for act in script:
        shell.act(*act)
        shell.check()


@pytest.fixture(autouse=True, scope="module")
def joined_one_by_one() -> Iterator[None]:
    kept = module.JOINED_AT_ONCE, module.PHRASED_AT_ONCE
    module.JOINED_AT_ONCE = module.PHRASED_AT_ONCE = 1
    yield
    module.JOINED_AT_ONCE, module.PHRASED_AT_ONCE = kept


DIALECTS = (NativeDialect(), MsgpackDialect(), PlainDialect())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.form.name)
@settings(max_examples=300, deadline=None)
@given(before=scripts, ending=rarely, after=scripts)
def test_a_session_that_was_let_in(
    dialect: Dialect, before: list[tuple[Any, ...]], ending: tuple[Any, ...], after: list[tuple[Any, ...]]
) -> None:
    shell = Shell(dialect)
    shell.authenticate(True)
    run(shell, [*before, ending, *after])


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.form.name)
@settings(deadline=None)
@given(before=st.lists(rarely | often, max_size=3), after=scripts)
def test_a_session_that_was_not(dialect: Dialect, before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> None:
    shell = Shell(dialect)
    run(shell, [act for act in before if act[0] not in ("ping", "mistake")])
    if not shell.ended:
        shell.authenticate(False)
    assert shell.ended
    run(shell, after)
    assert not shell.joined
