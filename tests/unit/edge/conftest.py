"""Services of the edge without sockets."""

import time
from collections.abc import Callable

import pytest

from quotewire.edge.auth import ClientTokens
from quotewire.edge.gate import Gate
from quotewire.edge.services import Services
from quotewire.hub.hub import Hub
from quotewire.settings import load
from tests.fake_upstream import FakeUpstream

MakeServices = Callable[..., Services]


@pytest.fixture
def make_services() -> MakeServices:
    """Services by settings: `make_services(QUOTEWIRE_PUBLIC_URL="https://q.example")`."""

    def make(**environ: str) -> Services:
        settings, upstream = load(environ), FakeUpstream()
        hub = Hub(schedule=lambda delay, callback: None, clock=time.monotonic, on_wanted=lambda ids: None)
        tokens = ClientTokens(b"k" * 32, ttl_s=settings.token_ttl_ms / 1000)
        return Services(settings, hub, Gate(settings, hub, tokens, upstream), tokens, upstream, bound_port=lambda: 4005)

    return make
