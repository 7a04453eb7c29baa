"""Why the gateway is not ready, in sentences that say whose login it is and what to do; told once in the log."""

import asyncio
import logging

import pytest

from quotewire.edge.health import unready, watch
from quotewire.testing.virtual import run as run_virtually
from tests.fake_upstream import FakePerson, FakeUpstream
from tests.unit.edge.conftest import MakeServices


def test_each_login_that_does_not_work_is_named_with_what_to_do(make_services: MakeServices) -> None:
    services = make_services()
    assert isinstance(services.upstream, FakeUpstream)
    services.upstream.people = [
        FakePerson("alice", is_active=False, last_error="refused; run: quotewire persons add alice"),
        FakePerson("bob", is_active=False),
    ]
    reasons = unready(services)
    assert "no person's login works now" in reasons
    assert "alice: refused; run: quotewire persons add alice" in reasons
    assert not any("bob" in reason for reason in reasons)


def test_a_change_of_readiness_is_logged_once(make_services: MakeServices, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "quotewire.edge.health")

    async def scenario() -> None:
        services = make_services(HEALTH_CHECK_INTERVAL="1000")
        upstream = services.upstream
        assert isinstance(upstream, FakeUpstream)
        watching = asyncio.create_task(watch(services))
        for people in ([FakePerson("alice")], [], [FakePerson("alice")]):
            upstream.people = list(people)
            await asyncio.sleep(5.5)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    run_virtually(scenario())

    assert [record.__dict__["event"] for record in caplog.records] == ["ready", "unready", "ready"]
    assert "QUOTEWIRE_PERSONS" in caplog.records[1].getMessage()
