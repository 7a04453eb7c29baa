import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from quotewire.errors import AccessTokenError, UpstreamUnavailableError
from quotewire.questrade.http import USER_AGENT
from quotewire.questrade.stream import QuoteSocket, StreamClosed
from quotewire.questrade.wire import Frame, QuotesFrame, UnreadableFrame

Peer = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def peer(handler: Peer) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/"


async def read_all(socket: QuoteSocket, into: list[Frame]) -> None:
    def take(frame: Frame) -> bool:
        into.append(frame)
        return False

    await socket.listen(take)


async def test_the_token_is_the_first_frame_bare_and_nothing_else_is_sent() -> None:
    said: list[str | bytes] = []
    agents: list[str | None] = []

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        agents.append(connection.request.headers.get("User-Agent"))
        said.append(await connection.recv())
        await connection.send('{"success":true}')
        await connection.send('{"quotes":[{"symbolId":1,"bidPrice":1}]}')
        await connection.send(b"\x00\x01")
        await connection.close(4321, "bye")

    async with peer(handler) as url:
        socket = await QuoteSocket.open(url)
        await socket.authenticate("the-token")
        frames: list[Frame] = []
        with pytest.raises(StreamClosed) as closed:
            await read_all(socket, frames)
        await socket.close()
        await socket.close()

    assert said == ["the-token"]
    assert agents == [USER_AGENT]
    assert isinstance(frames[0], QuotesFrame)
    assert isinstance(frames[1], UnreadableFrame)
    assert closed.value.code == 4321


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"code":1017,"message":"Access token is invalid"}', AccessTokenError),
        ('{"success":false}', AccessTokenError),
        ('{"code":1011,"message":"x"}', UpstreamUnavailableError),
        ("hello", UpstreamUnavailableError),
        (None, UpstreamUnavailableError),
    ],
)
async def test_anything_but_success_is_told_apart(answer: str | None, expected: type[Exception]) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        if answer is not None:
            await connection.send(answer)
        await connection.close()

    async with peer(handler) as url:
        socket = await QuoteSocket.open(url)
        with pytest.raises(expected) as caught:
            await socket.authenticate("secret-token")
        await socket.close()
    assert "secret-token" not in str(caught.value)


async def test_the_answer_to_the_token_has_a_deadline() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with peer(handler) as url:
        socket = await QuoteSocket.open(url)
        with pytest.raises(UpstreamUnavailableError, match="in time"):
            await socket.authenticate("t", timeout_s=0.05)
        await socket.close()


async def test_the_upgrade_has_a_deadline() -> None:
    left = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        left.set()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(UpstreamUnavailableError, match="TimeoutError"):
            await QuoteSocket.open(f"ws://127.0.0.1:{port}/", timeout_s=0.05)
        async with asyncio.timeout(5):
            await left.wait()


async def test_a_connection_cut_without_a_close_frame_is_1006() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"success":true}')
        connection.transport.abort()

    async with peer(handler) as url:
        socket = await QuoteSocket.open(url)
        await socket.authenticate("t")
        with pytest.raises(StreamClosed) as closed:
            await read_all(socket, [])
        await socket.close()
    assert closed.value.code == 1006


def ids(frames: list[Frame]) -> list[int]:
    return [patch.symbol_id for frame in frames if isinstance(frame, QuotesFrame) for patch in frame.patches]


@asynccontextmanager
async def streaming(*messages: str | list[str]) -> AsyncIterator[QuoteSocket]:
    """A socket that was accepted; these messages follow at once, those in several pieces as a list."""

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"success":true}')
        for message in messages:
            await connection.send(message)
        await connection.wait_closed()

    async with peer(handler) as url:
        socket = await QuoteSocket.open(url)
        await socket.authenticate("t")
        yield socket
        await socket.close()


def quote(symbol_id: int) -> str:
    return f'{{"quotes":[{{"symbolId":{symbol_id}}}]}}'


async def test_what_came_before_anybody_listened_and_what_comes_in_pieces_is_whole_and_in_order() -> None:
    pieces = [quote(3)[:5], "", quote(3)[5:9], quote(3)[9:]]
    async with streaming(quote(1), quote(2), pieces, quote(4), pieces, quote(5)) as socket:
        await asyncio.sleep(0.05)
        frames: list[Frame] = []

        def take(frame: Frame) -> bool:
            frames.append(frame)
            return ids([frame]) == [5]

        async with asyncio.timeout(5):
            await socket.listen(take)
    assert ids(frames) == [1, 2, 3, 4, 3, 5]


async def test_pieces_that_come_while_somebody_listens_are_put_together() -> None:
    begun = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"success":true}')
        await begun.wait()
        await connection.send([quote(7)[:4], quote(7)[4:]])
        await connection.send(quote(8))
        await connection.close()

    async with peer(handler) as url:
        socket = await QuoteSocket.open(url)
        await socket.authenticate("t")
        frames: list[Frame] = []
        listening = asyncio.create_task(read_all(socket, frames))
        await asyncio.sleep(0)
        begun.set()
        with pytest.raises(StreamClosed):
            await listening
        await socket.close()
    assert ids(frames) == [7, 8]


async def test_a_frame_that_is_enough_ends_the_listening_and_a_second_listener_gets_the_rest() -> None:
    async with streaming(quote(1), quote(2)) as socket:
        frames: list[Frame] = []

        def take(frame: Frame) -> bool:
            frames.append(frame)
            return True

        async with asyncio.timeout(5):
            await socket.listen(take)
            assert ids(frames) == [1]
            await socket.listen(take)
    assert ids(frames) == [1, 2]


async def test_who_stops_listening_is_given_nothing_more_not_even_in_the_same_moment() -> None:
    async with streaming() as socket:
        frames: list[Frame] = []
        listening = asyncio.create_task(read_all(socket, frames))
        await asyncio.sleep(0)
        connection = socket._connection
        data = quote(1).encode()
        connection.data_received(bytes((0x81, len(data))) + data)
        listening.cancel()
        connection.data_received(bytes((0x81, len(data))) + data)
        await asyncio.gather(listening, return_exceptions=True)
    assert ids(frames) == [1]


async def test_a_defect_of_the_listener_ends_his_task_and_not_the_connection() -> None:
    async with streaming(quote(1), quote(2)) as socket:

        def take(frame: Frame) -> bool:
            raise ZeroDivisionError

        async with asyncio.timeout(5):
            with pytest.raises(ZeroDivisionError):
                await socket.listen(take)
            frames: list[Frame] = []

            def take_one(frame: Frame) -> bool:
                frames.append(frame)
                return True

            await socket.listen(take_one)
    assert ids(frames) == [2]


async def test_nobody_listening() -> None:
    with pytest.raises(UpstreamUnavailableError, match="did not open"):
        await QuoteSocket.open("ws://127.0.0.1:9/")
