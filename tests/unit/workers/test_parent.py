"""The parent's small parts; that it does its work is told by tests/e2e/test_workers.py."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from quotewire.errors import ConfigurationError
from quotewire.settings import Settings, load
from quotewire.workers import child, parent
from quotewire.workers import supervision as s


def settings(**environ: str) -> Settings:
    return load({"PORT": "0", **environ})


def test_a_worker_is_not_given_what_only_the_owner_needs() -> None:
    environ = {"QUOTEWIRE_PERSONS": "a=b", "QUOTEWIRE_VAULT_KEY": "k", "PORT": "1", "HOME": "/x"}
    assert parent.environment(environ, parent.OWNER) == environ
    assert parent.environment(environ, 1) == {"PORT": "1", "HOME": "/x"}


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [({"DRAIN_SPREAD_MS": "3000"}, 8.0), ({"DRAIN_SPREAD_MS": "3000", "DRAIN_DEADLINE_MS": "4000"}, 4.0)],
)
def test_how_long_workers_may_take_to_drain(environ: dict[str, str], seconds: float) -> None:
    assert parent.drain_s(settings(**environ)) == seconds


def test_the_port_is_held_for_workers_and_for_nobody_else() -> None:
    with parent.reserved(settings()) as port:
        with contextlib.closing(socket.socket()) as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", port))
        with contextlib.closing(socket.socket()) as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))


def test_a_port_another_gateway_shares_is_not_ours_to_join() -> None:
    with contextlib.closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with pytest.raises(ConfigurationError, match=port), parent.reserved(settings(PORT=port)):
            pass


class Recorded(parent.Parent):
    """A parent whose processes are recorded instead of started."""

    def __init__(self, workers: int = 2, **environ: str) -> None:
        super().__init__(settings(**environ), workers, Path("/nowhere"), 1)
        self.sent: list[tuple[str, str]] = []

    def _do(self, each: parent.Child, effect: s.Effect) -> None:
        self.sent.append((each.name, type(effect).__name__))
        if isinstance(effect, s.GiveUp):
            super()._do(each, effect)

    def begin(self) -> "Recorded":
        self._on(self._owner, s.Start())
        self.say(0, child.READY)
        for number in (1, 2):
            self.say(number, child.READY)
        self.sent.clear()
        return self

    def say(self, number: int, word: bytes) -> None:
        self._heard([self._owner, *self._workers][number], word)
        self._proceed()

    def end(self, number: int, code: int = 0) -> None:
        self._on([self._owner, *self._workers][number], s.Exited(code))
        self._proceed()


async def test_workers_wait_for_the_owner_and_the_owner_for_the_workers() -> None:
    whole = Recorded()
    whole._on(whole._owner, s.Start())
    whole._proceed()
    assert whole.sent == [("owner", "Spawn")]
    whole.say(0, child.READY)
    assert whole.sent[1:] == [("worker 1", "Spawn"), ("worker 2", "Spawn")]

    whole.sent.clear()
    whole.stop(signal.SIGTERM)
    whole._proceed()
    assert whole.sent == [("worker 1", "Terminate"), ("worker 2", "Terminate")]
    whole.end(1)
    assert ("owner", "Terminate") not in whole.sent
    whole.end(2)
    assert whole.sent[-1] == ("owner", "Terminate")
    assert not whole._is_over()
    whole.end(0)
    assert whole._is_over()


@pytest.mark.parametrize("word", [child.DRAIN, child.HASTEN])
async def test_a_worker_may_ask_for_the_end_of_all(word: bytes) -> None:
    whole = Recorded().begin()
    whole.say(1, word)
    assert whole.sent == [("worker 1", "Terminate"), ("worker 2", "Terminate")]
    assert whole._stopping is (signal.SIGTERM if word is child.DRAIN else signal.SIGINT)


async def test_asking_again_for_a_drain_is_not_hurrying() -> None:
    whole = Recorded().begin()
    whole.say(1, child.DRAIN)
    whole.sent.clear()
    whole.say(2, child.DRAIN)
    assert whole.sent == []


async def test_words_nobody_knows_are_signs_of_life_and_nothing_else() -> None:
    whole = Recorded().begin()
    whole._workers[0].quiet_ticks = 7
    whole.say(1, b"\xffnonsense")
    assert whole._workers[0].quiet_ticks == 0
    assert whole.sent == []


async def test_what_cannot_start_ends_everything_with_its_code() -> None:
    whole = Recorded()
    whole._on(whole._owner, s.Start())
    whole.end(0, 2)
    assert whole._is_over()
    assert whole._code == 2


async def test_long_lines_of_a_child_are_passed_over() -> None:
    whole = Recorded().begin()
    words = asyncio.StreamReader(limit=64)
    words.feed_data(b"x" * 1000 + b"\n" + child.DRAIN + b"\n")
    words.feed_eof()
    await whole._listen(whole._workers[0], words)
    assert whole._stopping is signal.SIGTERM


def test_a_word_to_a_parent_that_is_gone_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(child, "WORDS", writing)
    child.say(child.BEAT)
    os.close(writing)
