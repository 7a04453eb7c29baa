"""One streaming port: upgrade, token, then frames until something ends it. Quotes and notifications work alike."""

import asyncio
import contextlib
import socket
from collections import deque
from typing import Final

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from quotewire.simulator.faults import Seam
from quotewire.simulator.hub import Session, StreamHub
from quotewire.simulator.ports import bind, hold
from quotewire.simulator.present import present
from quotewire.simulator.rows import Change
from quotewire.simulator.sockets import QUIET, Ending, abort, finish, send_extra, tracked
from quotewire.simulator.tokens import AccessState
from quotewire.simulator.world import World

SUCCESS: Final = '{"success":true}'
CLOSE_DEADLINE_S: Final = 1.2
UPGRADE_DEADLINE_S: Final = 60.0
SEND_DEADLINE_S: Final = 30.0
LARGEST_MESSAGE: Final = 65_536

_ENCODE: Final = msgspec.json.Encoder().encode


class Numbers:
    """Socket numbers, one sequence for all ports."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """The next number."""
        self._last += 1
        return self._last


class StreamPort:
    """A WebSocket listener of one kind. The path asked for does not matter."""

    def __init__(self, world: World, hub: StreamHub, numbers: Numbers, kind: str, port: int) -> None:
        self.kind = kind
        self.port = port
        self._world = world
        self._hub = hub
        self._numbers = numbers
        self._server: Server | None = None
        self._held: socket.socket | None = None
        self._open: set[ServerConnection] = set()
        self._sessions: set[Session] = set()

    async def start(self) -> None:
        """Listen; with port 0 a free port is chosen and kept. Raises PortError when it is taken."""
        if self._server is not None:
            return
        host = self._world.config.host
        bound, self._held = self._held or bind(f"{self.kind} streaming", host, self.port), None
        self.port = bound.getsockname()[1]
        self._server = await serve(
            self._connected,
            sock=bound,
            create_connection=tracked(self._open),
            process_request=self._upgrade,
            compression=None,
            ping_interval=self._world.config.ping_s or None,
            ping_timeout=None,
            close_timeout=CLOSE_DEADLINE_S,
            max_size=LARGEST_MESSAGE,
            server_header=None,
            open_timeout=UPGRADE_DEADLINE_S,
            logger=QUIET,
        )

    async def down(self, ending: Ending) -> None:
        """Stop listening and end every socket; `start` brings the same port back."""
        if await self._close(ending):
            self._held = await hold(self._world.config.host, self.port)

    async def stop(self, ending: Ending) -> None:
        """Close for good."""
        await self._close(ending)
        if self._held is not None:
            self._held.close()
            self._held = None

    async def _close(self, ending: Ending) -> bool:
        server, self._server = self._server, None
        if server is None:
            return False
        server.close(close_connections=False)
        for session in self._sessions:
            session.end(ending)
        authorized = {session.connection for session in self._sessions}
        for connection in self._open - authorized:
            abort(connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_DEADLINE_S + 0.3):
                await server.wait_closed()
        return True

    # -- one socket

    async def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        fault = self._world.faults.take(Seam.UPGRADE, None, self._world.monotonic(), self.kind)
        if fault is None:
            return None
        if fault.spec.name == "upgrade_hang":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.params["after_s"]):
                    await asyncio.shield(connection.connection_lost_waiter)
        elif fault.spec.name == "upgrade_refused":
            return connection.respond(fault.params["status"], "refused\n")
        abort(connection)
        return None

    async def _connected(self, connection: ServerConnection) -> None:
        number = self._numbers.next()
        self._note("opened", number, None)
        person, reason = None, "client"
        try:
            token, ending = await self._authorize(connection)
            if ending is not None:
                reason = ending.reason
                await finish(connection, ending, CLOSE_DEADLINE_S)
                return
            person = self._world.desk.holder(token, self._world.real_now()).person or ""
            session = Session(number, person, self.kind, token, connection, deque(maxlen=self._world.config.outbox))
            reason = await self._serve(session)
        except ConnectionClosed:
            pass
        finally:
            self._note("closed", number, person, reason)

    async def _authorize(self, connection: ServerConnection) -> tuple[str, Ending | None]:
        """Read the token. Either it is good, or the socket ends."""
        try:
            async with asyncio.timeout(self._world.config.auth_timeout_s):
                message = await connection.recv()
        except TimeoutError:
            return "", Ending("auth_timeout")
        token = message if isinstance(message, str) else ""
        holder = self._world.desk.holder(token, self._world.real_now())
        fault = self._world.faults.take(Seam.AUTH, holder.person, self._world.monotonic(), self.kind)
        if fault is not None and fault.spec.name == "auth_hang":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.params["after_s"]):
                    await connection.wait_closed()
            return token, Ending("fault:auth_hang")
        if fault is not None and fault.spec.name == "auth_drop":
            return token, Ending("fault:auth_drop", "abort")
        if fault is not None or holder.state is not AccessState.VALID:
            return token, self._hub.unauthorized("fault:auth_refused" if fault else "bad_token")
        if self._is_down(holder.person):
            return token, Ending("down", "abort")
        return token, None

    async def _serve(self, session: Session) -> str:
        """Serve an authorized socket until it ends; the reason."""
        await session.connection.send(SUCCESS)
        self._sessions.add(session)
        self._hub.join(session)
        self._note("authorized", session.number, session.person)
        self._strike(session)
        tasks = [
            asyncio.ensure_future(each) for each in (self._write(session), self._listen(session), session.ended.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(session)
            self._sessions.discard(session)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if session.ending is None:
            return "client"
        await finish(session.connection, session.ending, CLOSE_DEADLINE_S)
        return session.ending.reason

    async def _listen(self, session: Session) -> None:
        """Nothing may be said on the socket: whoever speaks is cut a moment later."""
        try:
            await session.connection.recv()
        except ConnectionClosed:
            return
        await asyncio.sleep(self._world.config.json_close_s)
        session.end(Ending("client_spoke"))
        await session.connection.wait_closed()

    async def _write(self, session: Session) -> None:
        """Send what is owed as it comes."""
        try:
            while True:
                await session.wake.wait()
                session.wake.clear()
                await self._pause(session)
                first = True
                while session.extras or session.owed:
                    async with asyncio.timeout(SEND_DEADLINE_S):
                        await self._send_some(session, first)
                    first = False
        except TimeoutError:
            session.end(Ending("slow_reader", "abort"))
        except ConnectionClosed:
            return

    async def _send_some(self, session: Session, whole: bool) -> None:
        if self._is_mute(session):
            self._world.ledger.muted[session.person] += len(session.owed)
            session.owed.clear()
            session.extras.clear()
            return
        if session.extras:
            await send_extra(session.connection, session.extras.popleft())
            return
        frame = next_frame(session.owed, self._world.config.frame_quotes)
        bodies = [self._body(session.person, change) for change in frame]
        self._world.ledger.frame(session.person, frame)
        await session.connection.send(b'{"quotes":[' + b",".join(bodies) + b"]}", text=True)

    def _body(self, person: str, change: Change) -> bytes:
        shown = present(change.row, self._world.faults, person, self._world.monotonic())
        return change.body if shown is change.row else _ENCODE(shown)

    # -- faults

    def _strike(self, session: Session) -> None:
        """Faults scripted for sockets yet to come."""
        for fault in self._world.faults.standing(Seam.NOW, session.person, self._world.monotonic()):
            ending = ending_of(fault.spec.name, fault.params, self._hub)
            if ending is not None and fault.params["kind"] in ("any", self.kind):
                self._world.faults.use(fault)
                session.end(ending)
                return

    async def _pause(self, session: Session) -> None:
        for fault in self._world.faults.standing(Seam.STREAM, session.person, self._world.monotonic()):
            if fault.spec.name == "stream_slow":
                await asyncio.sleep(fault.params["after_s"])

    def _is_mute(self, session: Session) -> bool:
        if not self._world.faults.any_at(Seam.STREAM):
            return False
        return any(
            fault.spec.name == "silent_socket" and fault.params["kind"] in ("any", self.kind)
            for fault in self._world.faults.standing(Seam.STREAM, session.person, self._world.monotonic())
        )

    def _is_down(self, person: str | None) -> bool:
        standing = self._world.faults.standing(Seam.DOWN, person, self._world.monotonic())
        return any("stream" in fault.params["parts"] for fault in standing)

    def _note(self, event: str, number: int, person: str | None, reason: str = "") -> None:
        self._world.ledger.stream(self._world.real_now(), event, number, person, self.kind, reason)


def ending_of(name: str, params: object, hub: StreamHub) -> Ending | None:
    """How a fault ends a socket; None for a fault that does not."""
    values = params if isinstance(params, dict) else {}
    if name == "stream_close":
        return Ending("fault:stream_close", "code", values["code"], values["reason"])
    if name == "stream_close_no_status":
        return Ending("fault:stream_close_no_status")
    if name == "stream_abort":
        return Ending("fault:stream_abort", "abort")
    return hub.unauthorized("fault:stream_unauthorized") if name == "stream_unauthorized" else None


def next_frame(owed: deque[Change], most: int) -> list[Change]:
    """Take the next frame's changes: in order, each symbol once, at most `most`."""
    frame: list[Change] = []
    seen: set[int] = set()
    while owed and len(frame) < most and owed[0].row.symbol_id not in seen:
        change = owed.popleft()
        seen.add(change.row.symbol_id)
        frame.append(change)
    return frame
