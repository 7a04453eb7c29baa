"""The network between gateway and Questrade: latency, lost answers, sockets that die in every way; and the faults.

What the gateway sends is on its way whatever becomes of the gateway: all that happens on Questrade's side runs outside
the gateway's process.
"""

import asyncio
import contextvars
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from quotewire.errors import UpstreamUnavailableError
from quotewire.questrade import login
from quotewire.questrade.requests import ApiRequest
from quotewire.questrade.rest import Access, RestClient
from quotewire.questrade.stream import QuoteSocket
from quotewire.questrade.tokens import Lost, Outcome, Unsent
from quotewire.testing.virtual import VirtualLoop, VirtualProcess
from tests.simulation.broker import Broker, Reply, error
from tests.simulation.faults import Fault, Kind, Point
from tests.simulation.watch import Watch
from tests.simulation.wire import HOLES, End, Wire

PAGE: Final = b"<html><body>We're making some changes</body></html>"
HTML: Final = {"Content-Type": "text/html"}
DOWN: Final = (Kind.OUTAGE,)


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection broke, or could not be made."""

    error: type[httpx.TransportError]


class Network:
    """The road. `active` holds the faults of now."""

    def __init__(self, loop: VirtualLoop, broker: Broker, watch: Watch, chance: random.Random) -> None:
        self.loop = loop
        self.broker = broker
        self.watch = watch
        self.active: list[Fault] = []
        self.peers: list[Wire] = []
        self.armed: dict[Point, Callable[[VirtualProcess], None]] = {}
        self.wall: Callable[[], float] = loop.time
        self.stored: Callable[[str], str] = lambda person: ""  # the refresh token that the disk holds
        self.start = loop.time()
        self.context = contextvars.copy_context()  # outside any process
        self.gone_hosts: set[int] = set()
        self.running: set[str] = set()  # processes that are past their start
        self.chance = chance
        broker.after_refresh = self._refreshed

    # --- faults ---

    def struck(self, *kinds: Kind, person: str | None = None) -> Fault | None:
        """The fault of one of these kinds that is active for the person; None is a caller not known yet."""
        return next((fault for fault in self.active if fault.kind in kinds and fault.concerns(person)), None)

    def strikes(self, point: Point) -> bool:
        """An exchange reached a point where it may have to die; whether it does."""
        process = VirtualProcess.current()
        strike = self.armed.pop(point, None)
        if process is None or strike is None:
            return False
        strike(process)
        return True

    async def die_at(self, point: Point) -> None:
        """The same, where the code can be left standing."""
        if self.strikes(point):
            await self.loop.create_future()

    def latency(self) -> float:
        """One way, this time."""
        nature = self.broker.nature
        return nature.latency_s + nature.jitter_s * self.chance.random()

    def later(self, after_s: float, work: Callable[..., None], *args: Any) -> None:
        """Have something happen, whoever dies meanwhile."""
        self.loop.call_later(after_s, work, *args, context=self.context)

    async def ask(self, handle: Callable[[], Reply | Broken | None], *, slow_s: float = 0.0) -> Reply:
        """Send a request and wait for the answer, which may never come. Raises httpx errors."""
        answer: asyncio.Future[Reply | Broken] = self.loop.create_future()

        def arrive() -> None:
            reply = handle()
            if reply is not None:
                self.later(self.latency() + slow_s, deliver, reply)

        def deliver(reply: Reply | Broken) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.later(self.latency(), arrive)
        reply = await answer
        if isinstance(reply, Broken):
            raise reply.error("simulated")
        return reply

    # --- the login server ---

    async def redeem(self, login_url: str, refresh_token: str, *, answer_s: float) -> Outcome:
        """Stands for `login.redeem`."""
        await self.die_at(Point.JOURNALLED)
        person = self.broker.tokens.look(refresh_token, self.loop.time()).person
        sending = self.watch.tokens.sending(person, refresh_token)
        try:
            outcome = await self._redeem(person, refresh_token, answer_s)
        except BaseException:
            self.watch.tokens.unheard(sending)
            raise
        await self.die_at(Point.ANSWERED)
        self.watch.tokens.heard(sending, outcome)
        return outcome

    async def _redeem(self, person: str | None, token: str, answer_s: float) -> Outcome:
        slow = self.struck(Kind.LOGIN_SLOW, person=person)
        try:
            async with asyncio.timeout(answer_s):
                reply = await self.ask(
                    lambda: self._login(person, token), slow_s=5.0 + 20.0 * slow.amount if slow else 0.0
                )
        except httpx.ConnectError:
            return Unsent("the login server cannot be reached")
        except (httpx.TransportError, TimeoutError) as trouble:
            return Lost(f"no whole answer ({type(trouble).__name__})")
        return login.judge(reply.status, httpx.Headers(reply.headers), reply.body, self.wall())

    async def probe(self, login_url: str, *, answer_s: float) -> bool:
        """Stands for `login.probe`."""
        try:
            async with asyncio.timeout(answer_s):
                reply = await self.ask(lambda: self._login(None, None))
        except (httpx.TransportError, TimeoutError):
            return False
        return reply.status == 400 and not reply.body.startswith(b"<")

    def _login(self, person: str | None, token: str | None) -> Reply | Broken | None:
        now = self.loop.time()
        if self.struck(Kind.LOGIN_DOWN, *DOWN, person=person):
            return Broken(httpx.ConnectError)
        if self.struck(Kind.LOGIN_HANG, *HOLES, person=person):
            return None
        if self.struck(Kind.LOGIN_BROKEN, person=person):
            return Broken(httpx.RemoteProtocolError)
        if self.struck(Kind.LOGIN_PAGE, person=person):
            return Reply(self.chance.choice((200, 503)), PAGE, HTML)
        if self.struck(Kind.LOGIN_BUSY, person=person):
            return error(429, 1006, "Too many requests", {"Retry-After": "2"})
        if self.struck(Kind.LOGIN_ERROR, person=person):
            return Reply(self.chance.choice((500, 502, 503, 403)), b"trouble")
        self._strike_exchanges(token, Point.SENT)
        reply = self.broker.login(token, now)
        if token is None or reply.status != 200:
            return reply
        self._strike_exchanges(token, Point.SPENT)
        if self.struck(Kind.TOKEN_LOST, person=person):
            self.watch.tokens.doomed(person, "the answer was lost")
            return Broken(httpx.ReadError) if self.chance.random() < 0.5 else None
        if self.struck(Kind.TOKEN_GARBLED, person=person):
            self.watch.tokens.doomed(person, "the answer was garbled")
            return Reply(200, reply.body[:40], reply.headers)
        if self.struck(Kind.TOKEN_524, person=person):
            self.watch.tokens.doomed(person, "the proxy gave up")
            return Reply(524, b"timeout")
        return reply

    def _strike_exchanges(self, token: str | None, point: Point) -> None:
        """Those points of an exchange at which its request is at Questrade."""
        process = self.watch.tokens.sender(token)
        if process is not None and not process.is_dead and (strike := self.armed.pop(point, None)) is not None:
            strike(process)

    def _refreshed(self, person: str) -> None:
        after = self.broker.nature.refresh_ends_stream_s
        if after >= 0:
            for peer in list(self.broker.accounts[person].sockets):
                self.later(after, peer.end, 0)

    # --- REST ---

    async def rest(self, access: Access, request: ApiRequest[Any]) -> httpx.Response:
        """Stands for the HTTP client."""
        slow = self.struck(Kind.REST_SLOW, person=access.person)
        self.watch.calls.sent(access.person, request)
        self.watch.tokens.used(access.person, access.token, lambda: self.stored(access.person))
        try:
            reply = await self.ask(lambda: self._rest(access, request), slow_s=1.0 + 8.0 * slow.amount if slow else 0.0)
        except BaseException as trouble:
            given_up = not isinstance(trouble, httpx.TransportError)
            self.watch.calls.unanswered(access.person, request, given_up=given_up)
            raise
        self.watch.calls.answered(access.person, request, reply)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    def _date(self) -> str:
        return formatdate(self.broker.market.epoch + self.loop.time(), usegmt=True)

    def _rest(self, access: Access, request: ApiRequest[Any]) -> Reply | Broken | None:
        who = access.person
        if self.struck(Kind.REST_DOWN, *DOWN, person=who) or host_number(access.server.host) in self.gone_hosts:
            return Broken(httpx.ConnectError)
        if self.struck(Kind.REST_HANG, *HOLES, person=who):
            return None
        if self.struck(Kind.REST_PAGE, person=who):
            return Reply(200, PAGE, HTML, is_whole=False)
        if (ill := self.struck(Kind.REST_ERROR, person=who)) is not None:
            return error(500, 1008, "Technical error") if ill.amount < 0.5 else Reply(502, b"")
        if self.struck(Kind.REST_FORBIDDEN, person=who):
            return Reply(403, b"Forbidden")
        if self.struck(Kind.REST_SECOND, person=who):
            later = {
                "X-RateLimit-Remaining": "14000",
                "X-RateLimit-Reset": str(int(self.wall()) + 3000),
                "Date": self._date(),
            }
            return error(429, 1006, "Too many requests", later)
        if self.struck(Kind.REST_GARBAGE, person=who):
            return Reply(200, b'{"quotes": [', {}, is_whole=False)
        host = host_number(access.server.host)
        reply = self.broker.rest(host, access.token, request.path, dict(request.params), self.loop.time())
        return replace(reply, headers={**reply.headers, "Date": self._date()})

    # --- streams ---

    async def open_socket(self, url: str, *, timeout_s: float = 5.0) -> QuoteSocket:
        """Stands for `QuoteSocket.open`."""
        parts = urlsplit(url)
        wire = Wire(self, host_number(parts.hostname or ""), parts.port or 0, VirtualProcess.current())
        self.watch.streams.opening(wire)
        try:
            async with asyncio.timeout(timeout_s):
                await self.ask(lambda: self._upgrade(wire))
        except (httpx.TransportError, TimeoutError) as trouble:
            wire.abandon()
            raise UpstreamUnavailableError(f"the stream socket did not open ({type(trouble).__name__})") from trouble
        except BaseException:
            wire.abandon()
            raise
        return QuoteSocket(cast(Any, End(wire)))

    def _upgrade(self, wire: "Wire") -> Reply | Broken | None:
        person = self.person_at(wire.host, wire.port)
        if self.struck(Kind.UPGRADE_HANG, *HOLES, person=person):
            return None
        if (
            wire.has_ended
            or self.struck(Kind.REFUSED, Kind.PORT_DEAD, *DOWN, person=person)
            or not self.broker.listens(wire.host, wire.port)
        ):
            return Broken(httpx.ConnectError)
        wire.is_open = True
        self.peers.append(wire)
        return Reply(101, b"")

    def person_at(self, host: int, port: int) -> str | None:
        """Whose stream port that is."""
        accounts = self.broker.accounts.values()
        return next((each.person for each in accounts if (each.host, each.port) == (host, port)), None)

    def greet(self, wire: "Wire", token: str) -> None:
        """A socket's first frame has come."""
        person = self.person_at(wire.host, wire.port)
        if wire.has_ended or self.struck(Kind.AUTH_HANG, *HOLES, person=person):
            return
        if self.struck(Kind.AUTH_REFUSED, person=person):
            wire.send(error(401, 1017, "Access token is invalid").body, {})
            wire.end(1008)
        elif self.struck(Kind.AUTH_CLOSED, person=person):
            wire.end(0)
        else:
            self.broker.hello(wire, token, self.loop.time())

    def live(self, person: str | None) -> list["Wire"]:
        """Accepted sockets of a person, or of everybody."""
        accounts = self.broker.accounts
        chosen = accounts.values() if person is None else [accounts[person]]
        return [cast(Wire, peer) for account in chosen for peer in account.sockets]

    def hang_up(self, process: VirtualProcess) -> None:
        """A process died: its sockets end."""
        for wire in [wire for wire in self.peers if wire.process is process]:
            wire.abandon()


class Rest(RestClient):
    """A REST client whose network is simulated."""

    def __init__(self, network: Network, wall: Callable[[], float]) -> None:
        super().__init__(monotonic=network.loop.time, wall=wall)
        self._network = network

    async def _request(self, access: Access, request: ApiRequest[Any]) -> httpx.Response:
        return await self._network.rest(access, request)


def host_number(host: str) -> int:
    """The number in `api01.iq.questrade.com`."""
    return int(host.removeprefix("api").partition(".")[0])
