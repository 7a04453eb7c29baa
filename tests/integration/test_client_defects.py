"""What the SDK does when this machine slept, and when it has a defect itself: it never hangs in silence."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

import quotewire
from quotewire.client import host
from quotewire.client.session import Session
from quotewire.testing.scripted_gateway import ScriptedGateway
from quotewire.wire.messages import Ping
from tests.integration.client_tools import FAST, SYMBOLS, eventually, only, take


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    async with ScriptedGateway(SYMBOLS) as running:
        yield running


async def test_after_a_sleep_the_connection_is_asked_at_once(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "CLOCK_CHECK_S", 0.02)
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        assert only(gateway).of(Ping) == []
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + 3600.0)
        await eventually(lambda: len(only(gateway).of(Ping)) == 1)
        assert client.state.state is quotewire.State.CONNECTED
    assert len(gateway.conversations) == 1


async def test_after_a_sleep_a_dead_line_is_replaced_without_a_back_off(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "CLOCK_CHECK_S", 0.02)
    patient = replace(FAST, pong_timeout_s=0.1, backoff=replace(FAST.backoff, base_s=60.0, cap_s=60.0))
    async with quotewire.connect(gateway.url, lifecycle=patient) as client:
        gateway.mute = True
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + 3600.0)
        await eventually(lambda: len(gateway.conversations) == 1 and bool(gateway.conversations[0].of(Ping)))
        gateway.mute = False
        await eventually(lambda: len(gateway.conversations) == 2)
        await eventually(lambda: client.state.state is quotewire.State.CONNECTED)


async def test_a_defect_reaches_whoever_waits(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        stream = client.quotes("AAPL")
        await stream.subscribe()
        monkeypatch.setattr(Session, "received", lambda *_: 1 / 0)
        gateway.publish("AAPL")
        with pytest.raises(RuntimeError, match="this is a defect"):
            await take(stream, 1)
    assert "this is a defect" in caplog.text


async def test_a_defect_while_connecting_reaches_whoever_enters(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "received", lambda *_: 1 / 0)
    with pytest.raises(RuntimeError, match="this is a defect"):
        async with quotewire.connect(gateway.url, lifecycle=FAST):
            pass
