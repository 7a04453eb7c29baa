"""Gateways for the tests of the edge, on the loop that production runs on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from quotewire.edge.ports import WholePort
from tests.integration.edge.gateway import EdgeGateway, running_edge
from tests.integration.edge.whole import FakeWhole

EdgeWith = Callable[..., Awaitable[EdgeGateway]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


class _Host:
    """Runs a gateway in a task of its own: a fixture's set-up and tear-down are different tasks."""

    def __init__(self, tmp_path: Path, environ: dict[str, str], whole: WholePort | None) -> None:
        self._stop = asyncio.Event()
        self._up: asyncio.Future[EdgeGateway] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(tmp_path, environ, whole))

    async def _run(self, tmp_path: Path, environ: dict[str, str], whole: WholePort | None) -> None:
        try:
            async with running_edge(tmp_path, patient=True, whole=whole, **environ) as gateway:
                self._up.set_result(gateway)
                await self._stop.wait()
        except BaseException as error:
            if not self._up.done():
                self._up.set_exception(error)
            raise

    async def start(self) -> EdgeGateway:
        return await self._up

    async def stop(self) -> None:
        self._stop.set()
        await self._task


@pytest.fixture
async def edge_with(tmp_path: Path) -> AsyncIterator[EdgeWith]:
    """Start a gateway with these settings: `await edge_with(WS_AUTH_TIMEOUT="200")`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, whole: WholePort | None = None, **environ: str) -> EdgeGateway:
            host = _Host(tmp_path, environ, whole)
            stack.push_async_callback(host.stop)
            return await host.start()

        yield start


@pytest.fixture
async def edge(edge_with: EdgeWith) -> EdgeGateway:
    """A gateway with the settings of the tests."""
    return await edge_with()


@pytest.fixture
def whole() -> FakeWhole:
    found = FakeWhole()
    found.gate.set()
    return found


@pytest.fixture
async def node(edge_with: EdgeWith, whole: FakeWhole) -> EdgeGateway:
    return await edge_with(whole=whole)


@pytest.fixture
async def sockets() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as stack:
        yield stack
