"""The SDK without an event loop: the same client from ordinary threads."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

import quotewire
from quotewire.testing.scripted_gateway import ScriptedGateway
from tests.integration.client_tools import FAST, PATIENCE_S, SYMBOLS


class Running:
    """A scripted gateway in a thread of its own."""

    def __init__(self) -> None:
        self.gateway = ScriptedGateway(SYMBOLS)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> "Running":
        self.thread.start()
        self.run(self.gateway.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.gateway.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)
        self.loop.close()

    def run(self, work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)  # type: ignore[arg-type]

    def publish(self, symbol: str, **fields: object) -> None:
        async def publish() -> None:
            self.gateway.publish(symbol, **fields)

        self.run(publish())

    def cut(self) -> None:
        async def cut() -> None:
            for conversation in self.gateway.open:
                conversation.cut()

        self.run(cut())


@pytest.fixture
def running() -> Iterator[Running]:
    with Running() as made:
        yield made


def test_quotes_states_and_look_ups(running: Running) -> None:
    running.publish("AAPL", bid_price=1.5)
    with quotewire.connect_sync(running.gateway.url, lifecycle=FAST, encoding="msgpack") as client:
        assert client.state.state is quotewire.State.CONNECTED
        assert client.connection_id in repr(client)
        with client.quotes("AAPL", mode="every") as stream:
            assert next(stream).bid_price == 1.5
            running.publish("AAPL", bid_price=2.5)
            assert next(stream).sequence == 2
            latest = client.latest("AAPL")
            assert latest is not None
            assert latest.sequence == 2
            assert (stream.pending, stream.skipped, stream.gaps, stream.refused) == (0, 0, (), ())
        assert [quote.sequence for quote in client.snapshot("AAPL")] == [2]
        assert [symbol.symbol for symbol in client.search("AA")] == ["AAPL"]
        assert client.lookup("AAPL")["AAPL"].symbol_id == 8049
        assert client.get_metrics().quotes_received == 2
        client.refresh_token()


def test_it_goes_on_after_a_lost_line(running: Running) -> None:
    running.publish("AAPL")
    with quotewire.connect_sync(running.gateway.url, lifecycle=FAST) as client:
        stream = client.quotes("AAPL")
        assert next(stream).sequence == 1
        running.cut()
        running.publish("AAPL")
        running.publish("AAPL")
        assert [next(stream).sequence for _ in range(2)] == [2, 3]


def test_many_threads_may_use_one_client(running: Running) -> None:
    seen: list[int] = []
    with quotewire.connect_sync(running.gateway.url, lifecycle=FAST) as client:
        streams = [client.quotes("AAPL") for _ in range(4)]
        for stream in streams:
            stream.subscribe()
        threads = [threading.Thread(target=lambda s=stream: seen.append(next(s).sequence)) for stream in streams]
        for thread in threads:
            thread.start()
        running.publish("AAPL")
        for thread in threads:
            thread.join(PATIENCE_S)
    assert seen == [1, 1, 1, 1]


def test_errors_are_those_of_the_asynchronous_client(running: Running) -> None:
    with quotewire.connect_sync(running.gateway.url, lifecycle=FAST) as client:
        with pytest.raises(quotewire.SymbolError):
            next(client.quotes("NOPE"))
        with pytest.raises(ValueError, match="mode"):
            client.quotes("AAPL", mode="sometimes")  # type: ignore[arg-type]
        stream = client.quotes("AAPL")
    with pytest.raises(quotewire.ClientClosedError):
        next(stream)
    with pytest.raises(quotewire.ClientClosedError):
        client.quotes("AAPL")
    client.disconnect()


def test_disconnecting_ends_an_iteration_in_another_thread(running: Running) -> None:
    ended = threading.Event()
    client = quotewire.connect_sync(running.gateway.url, lifecycle=FAST)
    client.connect()
    stream = client.quotes("AAPL")
    stream.subscribe()

    def read() -> None:
        assert list(stream) == []
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    client.disconnect()
    thread.join(PATIENCE_S)
    assert ended.is_set()
    client.connect()
    assert client.state.state is quotewire.State.CONNECTED
    client.disconnect()


def test_an_unreachable_gateway_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with (
        pytest.raises(quotewire.GatewayUnreachableError),
        quotewire.connect_sync("http://127.0.0.1:9", lifecycle=FAST, connect_attempts=1),
    ):
        pass
    assert threading.active_count() == before
