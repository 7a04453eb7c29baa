"""Conversations of the protocol, `spec/vectors/protocol-*.json`: the gateway's own edge and hub say what they say.

Each runs in virtual time, as JSON and as MessagePack. A vector is a list of steps; a step happens `at` a second and has
one act, and in `expect` all that each client is told because of it, in order:

| act | |
|---|---|
| `opens` | a client of that name opens a connection |
| `sends` | a message, or `text` or `hex` as it is, `from` a client |
| `publishes` | updates from upstream: what differs from `quote`, the vector's template |
| `blocks`, `unblocks` | a client takes no more data, takes data again |
| `drops` | a client's line is cut |
| `restarts` | the gateway ends and begins anew; all lines are cut |
| `drains` | every client is asked to move: `afterMs`, `deadlineMs` |
| `waits` | nothing |

In `expect`, `{"is": [symbolId, epoch, sequence]}` stands for the whole quote published at that position,
`"*"` for any value, and keys in `IGNORED` are not compared.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from quotewire.market.quote import Quote
from quotewire.testing import virtual
from tests.edge_world import Peer, World

VECTORS = sorted((Path(__file__).parents[2] / "spec" / "vectors").glob("protocol-*.json"))
SCENARIOS = [
    pytest.param(scenario, document, encoding, id=f"{path.stem}: {scenario['name']} ({encoding})")
    for path in VECTORS
    for document in [json.loads(path.read_text(encoding="utf-8"))]
    for scenario in document["scenarios"]
    for encoding in scenario.get("encodings", ["json", "msgpack"])
]
IGNORED = frozenset({"serverTime", "version", "connectionId", "upstream"})


class Runner:
    """Carries out one scenario."""

    def __init__(self, world: World, template: dict[str, Any], encoding: str) -> None:
        self.world = world
        self.template = template
        self.subprotocol = "plain" if encoding == "plain" else f"quotewire.v1.{encoding}"
        self.peers: dict[str, Peer] = {}
        self.published: dict[tuple[int, int, int], dict[str, Any]] = {}

    async def act(self, step: dict[str, Any]) -> None:
        match step:
            case {"opens": name}:
                self.peers[name] = self.world.connect(self.subprotocol)
            case {"sends": message, "from": name}:
                self.peers[name].send(self.with_token(message))
            case {"text": text, "from": name}:
                self.peers[name].frame(1, text.encode())
            case {"hex": data, "from": name}:
                self.peers[name].frame(2, bytes.fromhex(data))
            case {"publishes": quotes}:
                self.world.publish(*map(self.quote, quotes))
            case {"blocks": name}:
                self.peers[name].block()
            case {"unblocks": name}:
                self.peers[name].unblock()
            case {"drops": name}:
                self.peers.pop(name).drop()
            case {"restarts": _}:
                self.peers.clear()
                await self.world.stop()
                self.world.start()
            case {"drains": plan}:
                for peer in self.peers.values():
                    peer.connection.tell_reconnect(plan["afterMs"], plan["deadlineMs"])
            case {"waits": _}:
                pass
            case _:
                raise AssertionError(f"no such act: {step}")

    def with_token(self, message: Any) -> Any:
        if message == "TOKEN":
            return self.world.token
        return {**message, "token": self.world.token} if isinstance(message, dict) and "token" in message else message

    def quote(self, changes: dict[str, Any]) -> Quote:
        whole = {**self.template, **changes}
        self.published[whole["symbolId"], whole["epoch"], whole["sequence"]] = whole
        return Quote(**{NAMES[name]: value for name, value in whole.items()})

    def expand(self, expected: Any) -> Any:
        """What is expected, with the quotes that are only named."""
        if isinstance(expected, dict) and set(expected) == {"is"}:
            return self.published[tuple(expected["is"])]
        if isinstance(expected, dict):
            return {key: self.expand(value) for key, value in expected.items()}
        return [self.expand(value) for value in expected] if isinstance(expected, list) else expected


NAMES = {field: name for name, field in zip(Quote.__struct_fields__, Quote.__struct_encode_fields__, strict=True)}


def alike(expected: Any, told: Any) -> bool:
    """Whether what was told is what was expected, but for what may be anything."""
    if expected == "*":
        return True
    if isinstance(expected, dict) and isinstance(told, dict):
        keys = (expected.keys() | told.keys()) - IGNORED
        return all(key in expected and key in told and alike(expected[key], told[key]) for key in keys)
    if isinstance(expected, list) and isinstance(told, list):
        return len(expected) == len(told) and all(map(alike, expected, told))
    return bool(expected == told) and type(expected) is type(told)


def together(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs of `quotes` as one: how updates are spread over messages is free (PROTOCOL.md section 4)."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        if message.get("type") == "quotes" and joined and joined[-1].get("type") == "quotes":
            before = joined[-1]
            for key in ("skipped", "lagMs"):
                if told := before.get(key, 0) + message.get(key, 0):
                    before[key] = told
            before["quotes"] = before["quotes"] + message["quotes"]
        else:
            joined.append(dict(message))
    return joined


async def play(scenario: dict[str, Any], document: dict[str, Any], encoding: str) -> None:
    world = World(**{**document.get("settings", {}), **scenario.get("settings", {})})
    runner = Runner(world, document["quote"], encoding)
    clock = virtual.current_loop()
    try:
        for number, step in enumerate(scenario["steps"]):
            if (wait := step.get("at", 0) - clock.time()) > 0:
                await asyncio.sleep(wait)
            await runner.act(step)
            await world.settle()
            for name, peer in runner.peers.items():
                told = together(peer.told())
                expected = runner.expand(step.get("expect", {}).get(name, []))
                assert alike(expected, told), f"step {number}, {name}:\nexpected {expected}\ntold     {told}"
    finally:
        await world.stop()


def test_there_are_vectors() -> None:
    assert len(SCENARIOS) >= 40


@pytest.mark.parametrize(("scenario", "document", "encoding"), SCENARIOS)
def test_conversation(scenario: dict[str, Any], document: dict[str, Any], encoding: str) -> None:
    virtual.run(play(scenario, document, encoding))
