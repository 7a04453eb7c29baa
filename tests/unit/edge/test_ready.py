"""Why the gateway is not ready, in sentences that say whose login it is and what to do."""

from quotewire.edge.routes_ops import unready
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
