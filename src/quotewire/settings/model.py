"""The one frozen value a gateway runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quotewire.settings.variable import Network


@dataclass(frozen=True, slots=True)
class Settings:
    """What `serve` runs on. Durations are in milliseconds where the name ends in `_ms`. Secrets stay out of `repr`."""

    environment: str
    host: str
    port: int
    workers: int
    reuse_port: bool
    public_url: str | None
    cors_origins: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    ping_interval_ms: int
    pong_timeout_ms: int
    upgrade_timeout_ms: int
    auth_timeout_ms: int
    connection_timeout_ms: int
    slow_consumer_timeout_ms: int
    max_message_bytes: int
    max_symbols_per_client: int
    max_symbols_per_ip: int | None
    max_symbols_per_key: int
    max_connections_per_ip: int
    max_connections_per_key: int
    handshake_rate_per_ip: int
    handshake_rate_per_key: int
    command_rate_per_client: int
    command_rate_per_ip: int | None
    command_rate_per_key: int
    symbol_rate_per_client: int
    symbol_rate_per_ip: int
    symbol_rate_per_key: int
    fault_rate_per_ip: int
    token_rate_per_ip: int
    ipv6_prefix: int
    flush_window_ms: int
    history_depth: int
    history_symbols: int
    every_tick_backlog: int
    drain_spread_ms: int
    drain_deadline_ms: int | None
    admin_token: str | None = field(repr=False)
    health_check_interval_ms: int
    enable_metrics: bool
    metrics_endpoint: str
    log_level: str
    token_ttl_ms: int
    token_key: str | None = field(repr=False)
    login_url: str
    api_hosts: tuple[str, ...]
    data_dir: Path
    vault_key: str | None = field(repr=False)
    persons: Mapping[str, str] = field(repr=False)
    no_stream: frozenset[str]
    symbols_per_stream: int
    linger_ms: int
    poll_interval_ms: int
    ab: bool

    @property
    def production(self) -> bool:
        """True in the production environment."""
        return self.environment == "production"
