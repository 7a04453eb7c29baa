"""The limits of a key where the edge is one process of several: the whole gateway is asked, and the client waits."""

import asyncio
from collections import deque

import pytest

from quotewire.resilience.accounts import Drawn, Held, Limit, Scope
from quotewire.wire.frames import PING, PONG
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, Raw, raw, until
from tests.integration.edge.whole import ALICE, HERE, FakeWhole, Sockets, shares
from tests.wire_samples import masked


async def client(node: EdgeGateway, sockets: Sockets, path: str = "/ws") -> Raw:
    """A socket that is upgraded and has said nothing yet."""
    socket = await sockets.enter_async_context(raw(node))
    assert (await socket.upgrade(path)).status == 101
    return socket


async def member(node: EdgeGateway, sockets: Sockets) -> Raw:
    """A client that is welcome."""
    socket = await client(node, sockets)
    await socket.text({"type": "hello", "token": node.token()})
    assert (await socket.message())["type"] == "welcome"
    return socket


def subscribe(*ids: int) -> dict[str, object]:
    return {"type": "subscribe", "ids": list(ids)}


# --- connections and openings ---


@pytest.mark.parametrize(
    ("limit", "code"), [(Limit.CONNECTIONS, "too_many_connections"), (Limit.HANDSHAKES, "too_many_handshakes")]
)
async def test_the_whole_gateway_may_refuse_a_key(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets, limit: Limit, code: str
) -> None:
    whole.refuses[Scope.KEY] = limit
    socket = await client(node, sockets)
    await socket.text({"type": "hello", "token": node.token()})
    messages, closed = await socket.ending()
    assert [(each["code"], each["retryable"]) for each in messages] == [(code, True)]
    assert closed == 4006
    assert node.gate.limiter.refused == {(limit, Scope.KEY): 1}
    assert node.gate.limiter.keys.of("alice", 0.0).connections == 0
    await until(lambda: whole.gone == [Held(*HERE, 1)])


async def test_a_plain_client_and_a_stream_are_refused_likewise(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    whole.refuses[Scope.KEY] = Limit.CONNECTIONS
    plain = await client(node, sockets, "/")
    await plain.text(node.token())
    messages, closed = await plain.ending()
    assert (messages[-1]["code"], messages[-1]["success"], closed) == ("too_many_connections", False, 4006)
    async with node.http() as http:
        answer = await http.get("/api-market/quotes/stream?ids=1", headers={"Authorization": f"Bearer {node.token()}"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_connections")
    await until(lambda: whole.gone == [Held(*HERE, 1)] * 2)


async def test_what_is_said_before_the_answer_is_served_after_it_in_order(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    socket = await client(node, sockets)
    whole.gate.clear()
    await socket.text({"type": "hello", "token": node.token()})
    for number in range(40):  # more than are served in one turn
        await socket.text({"type": "ping", "requestId": str(number)})
    await socket.text(subscribe(1, 2))
    await until(lambda: whole.count("admit") == 2)
    await asyncio.sleep(0.02)
    assert node.gate.messages_in == 1

    whole.gate.set()
    told = [await socket.message() for _ in range(42)]
    assert [each["type"] for each in told] == ["welcome", *["pong"] * 40, "subscribed"]
    assert [each["requestId"] for each in told[1:41]] == [str(number) for number in range(40)]


async def test_a_client_that_goes_before_its_key_is_counted_leaves_nothing(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    socket = await client(node, sockets)
    whole.gate.clear()
    await socket.text({"type": "hello", "token": node.token()})
    await until(lambda: whole.count("admit") == 2)
    node.gate.close_all()
    await until(lambda: not node.gate.connections)
    whole.gate.set()
    await until(lambda: node.leaks() == {})
    assert shares(node).held() == []
    assert node.gate.limiter.keys.of("alice", 0.0).connections == 0


async def test_while_nobody_can_be_asked_this_process_counts_the_key(
    edge_with: EdgeWith, whole: FakeWhole, sockets: Sockets
) -> None:
    node = await edge_with(whole=whole, MAX_CONNECTIONS_PER_KEY="1", MAX_SYMBOLS_PER_KEY="3")
    whole.away = True
    first = await member(node, sockets)
    await first.text(subscribe(1, 2, 3))
    assert (await first.message())["type"] == "subscribed"
    await first.text(subscribe(4))
    while (told := await first.message())["type"] != "error":
        pass
    assert told["code"] == "too_many_symbols"
    second = await client(node, sockets)
    await second.text({"type": "hello", "token": node.token()})
    messages, closed = await second.ending()
    assert (messages[-1]["code"], closed) == ("too_many_connections", 4006)
    # The next owner is told of all that was let in.
    assert Held(*ALICE, 1, 3) in shares(node).held()


# --- symbols ---


async def test_symbols_are_claimed_and_given_back(node: EdgeGateway, whole: FakeWhole, sockets: Sockets) -> None:
    whole.symbols = 5
    socket = await member(node, sockets)
    await socket.text(subscribe(1, 2, 3))
    assert (await socket.message())["type"] == "subscribed"
    await socket.text(subscribe(2, 3))  # nothing new: nothing to ask
    assert await kind(socket) == "subscribed"
    await socket.text(subscribe(3, 4, 5, 6))
    assert await kind(socket) == "error"
    await socket.text({"type": "unsubscribe", "ids": [1, 2]})
    assert await kind(socket) == "unsubscribed"
    assert [asked for asked in whole.asked if asked[0] == "claim"] == [
        ("claim", "127.0.0.1", "alice", 3),
        ("claim", "127.0.0.1", "alice", 3),
    ]
    assert whole.gone == [Held(*HERE, symbols=2), Held(*ALICE, symbols=2)]
    assert node.gate.limiter.refused == {("symbols", "key"): 1}
    socket.sock.close()
    await until(lambda: whole.gone[2:4] == [Held(*HERE, 1, 1), Held(*ALICE, 1, 1)])


async def kind(socket: Raw) -> str:
    """The type of the next answer."""
    while True:
        told = (await socket.message())["type"]
        if told not in ("snapshot", "quotes"):
            return str(told)


async def test_many_commands_at_once_are_served_in_order_though_each_asks(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    socket = await member(node, sockets)
    node.upstream.count = 100
    await node.gate.resolve((), tuple(range(1, 101)))
    for number in range(1, 101):
        await socket.text({**subscribe(number), "requestId": str(number)})
    answered: list[str] = []
    while len(answered) < 100:
        told = await socket.message()
        if told["type"] == "subscribed":
            answered.append(told["requestId"])
    assert answered == [str(number) for number in range(1, 101)]
    assert whole.count("claim") == 100


async def test_a_stream_claims_its_symbols(node: EdgeGateway, whole: FakeWhole) -> None:
    whole.symbols = 1
    async with node.http() as http:
        headers = {"Authorization": f"Bearer {node.token()}"}
        answer = await http.get("/api-market/quotes/stream?ids=1,2", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_symbols")
        async with http.stream("GET", "/api-market/quotes/stream?ids=1", headers=headers) as stream:
            assert stream.status_code == 200
            assert Held(*ALICE, 1, 1) in shares(node).held()
    await until(lambda: Held(*ALICE, 1, 1) in whole.gone)


# --- messages ---


async def test_messages_are_drawn_ahead_and_what_is_left_is_given_back(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    whole.draws = deque([Drawn(5, 0.0), Drawn(10, 0.0)])
    socket = await member(node, sockets)
    for _ in range(8):
        await socket.text({"type": "ping"})
    assert [(await socket.message())["type"] for _ in range(8)] == ["pong"] * 8
    assert whole.count("draw") == 2
    await socket.send(masked(PING, b"1"))  # counts, too
    await socket.text({"type": "ping"})
    assert (await socket.frame())[0] == PONG
    assert (await socket.message())["type"] == "pong"
    socket.sock.close()
    await until(lambda: Held(*ALICE, messages=5) in whole.gone)


async def test_a_key_that_has_none_left_is_told_and_not_asked_for_again_at_once(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    whole.draws = deque([Drawn(2, 0.0), Drawn(0, 30.0)])
    socket = await member(node, sockets)
    for number in range(6):
        await socket.text({"type": "ping", "requestId": str(number)})
    told = [await socket.message() for _ in range(6)]
    assert [each.get("code") for each in told] == [None, None, *["rate_limited"] * 4]
    assert [each["requestId"] for each in told] == [str(number) for number in range(6)]
    assert whole.count("draw") == 2
    assert node.gate.limiter.refused == {("commands", "key"): 4}


async def test_messages_wait_for_their_answer_and_one_question_serves_all_that_wait(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    members = [await member(node, sockets) for _ in range(4)]
    whole.gate.clear()
    for each in members:
        for number in range(20):
            await each.text({"type": "ping", "requestId": str(number)})
    await until(lambda: whole.count("draw") == 1)
    await asyncio.sleep(0.02)
    assert node.gate.messages_in == len(members)  # their hellos
    whole.gate.set()
    for each in members:
        told = [await each.message() for _ in range(20)]
        assert [pong["requestId"] for pong in told] == [str(number) for number in range(20)]
    assert whole.count("draw") == 1


async def test_while_nobody_can_be_asked_this_process_judges_messages(
    edge_with: EdgeWith, whole: FakeWhole, sockets: Sockets
) -> None:
    node = await edge_with(whole=whole, WS_COMMAND_RATE_PER_KEY="2")
    socket = await member(node, sockets)
    whole.away = True
    for _ in range(6):
        await socket.text({"type": "ping"})
    told = [await socket.message() for _ in range(6)]
    assert [each.get("code") for each in told] == [None] * 4 + ["rate_limited"] * 2
    assert whole.count("draw") == 1
