"""Each abuse gets its clear answer and its close code, and ten healthy clients beside it miss nothing."""

import pytest

from tests.integration.edge.abuse import ABUSES, SETTINGS
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import crowd, raw


@pytest.mark.parametrize("name", ABUSES)
async def test_abuse_is_answered_and_nobody_else_notices(name: str, edge_with: EdgeWith) -> None:
    edge = await edge_with(**SETTINGS)
    async with crowd(edge):
        await ABUSES[name](edge)


async def test_sockets_beyond_the_limit_of_an_address_are_refused_until_one_goes(edge_with: EdgeWith) -> None:
    edge = await edge_with(MAX_CONNECTIONS_PER_IP="12")
    async with crowd(edge):
        async with raw(edge) as eleventh, raw(edge) as twelfth:
            await eleventh.hello(edge)
            assert (await twelfth.upgrade("/")).status == 101
            async with raw(edge) as one_too_many:
                answer = await one_too_many.upgrade()
                assert (answer.status, answer.json()["code"]) == (429, "too_many_connections")
                assert int(answer.headers["retry-after"]) > 0
            async with edge.http() as http:  # the limit is of sockets that stay
                assert (await http.get("/health")).json()["connections"] == 12
        async with raw(edge) as again:
            while (await again.upgrade()).status == 429:
                again.sock.close()
                pytest.fail("a place that became free was not given")
    assert edge.gate.refused == {"429": 1}


async def test_the_limit_counts_clients_behind_a_trusted_proxy_apart(edge_with: EdgeWith) -> None:
    edge = await edge_with(MAX_CONNECTIONS_PER_IP="1", QUOTEWIRE_TRUSTED_PROXIES="127.0.0.1")
    async with raw(edge) as one, raw(edge) as two, raw(edge) as three:
        assert (await one.upgrade(X_Forwarded_For="1.2.3.4")).status == 101
        assert (await two.upgrade(X_Forwarded_For="6.6.6.6, 1.2.3.5")).status == 101
        assert (await three.upgrade(X_Forwarded_For="6.6.6.6, 1.2.3.4")).status == 429
        assert {connection.address for connection in edge.gate.connections} == {"1.2.3.4", "1.2.3.5"}


async def test_nobody_else_can_pose_as_another_address(edge_with: EdgeWith) -> None:
    edge = await edge_with(MAX_CONNECTIONS_PER_IP="1")
    async with raw(edge) as one, raw(edge) as two:
        assert (await one.upgrade(X_Forwarded_For="1.2.3.4")).status == 101
        assert (await two.upgrade(X_Forwarded_For="1.2.3.5")).status == 429
