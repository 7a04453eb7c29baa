"""The SDK's public API as a type checker sees it. Never run: `make types` reads it."""

from collections.abc import Awaitable
from typing import assert_type

import quotewire


def told(state: quotewire.ClientState) -> None:
    assert_type(state.state, quotewire.State)
    assert_type(state.quality, quotewire.Quality)
    assert_type(state.latency_ms, float | None)


def missed(gap: quotewire.Gap) -> None:
    assert_type(gap.cause, quotewire.Cause)
    assert_type(gap.from_sequence, int)


async def use() -> None:
    made = quotewire.connect(
        "http://127.0.0.1:4005",
        token=None,
        person="alice",
        connection_id="ws-1-a",
        on_state=told,
        wait=False,
        connect_timeout_s=1.0,
        connect_attempts=1,
        queue_size=8,
        metrics_interval_s=None,
        lifecycle=quotewire.LifecycleConfig(max_attempts=5),
        encoding="msgpack",
    )
    assert_type(made, quotewire.Client)
    async with made as client:
        assert_type(client, quotewire.Client)
        async for quote in client.quotes("AAPL", 8049, on_error="skip"):
            assert_type(quote, quotewire.Quote)
            assert_type(quote.bid_price, float | None)
            assert_type(quote.freshness, quotewire.Freshness)
        async for state in client.states():
            assert_type(state, quotewire.ClientState)
        async with client.quotes("AAPL", queue_size=4) as stream:
            assert_type(await anext(stream), quotewire.Quote)
            assert_type(stream.skipped, int)
        wished = client.quotes("AAPL", fields=["bidPrice"], max_rate=5, delta=True, mode="latest", on_gap=missed)
        assert_type(await anext(wished), quotewire.Quote)
        assert_type(wished.gaps, tuple[quotewire.Gap, ...])
        assert_type(client.latest("AAPL"), quotewire.Quote | None)
        assert_type(client.state, quotewire.ClientState)
        assert_type(client.get_metrics(), quotewire.ClientMetrics)
        assert_type(await client.snapshot("AAPL"), list[quotewire.Quote])
        assert_type(await client.search("AA"), list[quotewire.Symbol])
        assert_type(await client.lookup("AAPL"), dict[str, quotewire.Symbol])
        refreshed: Awaitable[None] = client.refresh_token()
        await refreshed
        await client.disconnect()


def use_threads() -> None:
    with quotewire.connect_sync("http://127.0.0.1:4005", wait=False, encoding="json") as client:
        assert_type(client, quotewire.SyncClient)
        for quote in client.quotes("AAPL", 8049, mode="every", on_gap=missed):
            assert_type(quote, quotewire.Quote)
        assert_type(client.latest("AAPL"), quotewire.Quote | None)
        assert_type(client.snapshot("AAPL"), list[quotewire.Quote])
        assert_type(client.lookup("AAPL"), dict[str, quotewire.Symbol])
    quotewire.connect_sync(encoding="xml")  # type: ignore[arg-type]
    client.quotes("AAPL", mode="sometimes")  # type: ignore[arg-type]


def wrong(client: quotewire.Client) -> None:
    client.quotes(1.5)  # type: ignore[arg-type]
    client.quotes("AAPL", on_error="explode")  # type: ignore[arg-type]
    client.quotes("AAPL", mode="sometimes")  # type: ignore[arg-type]
    quotewire.connect("http://a", "token")  # type: ignore[call-arg]
    quotewire.nothing  # type: ignore[attr-defined]  # noqa: B018
