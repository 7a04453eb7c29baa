"""Every variable: what it accepts, what it refuses and in which words, and that secrets never show."""

import dataclasses
import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest

from quotewire.errors import ConfigurationError, Fault
from quotewire.settings import VARIABLES, Settings, is_loopback, load

BY_NAME = {variable.name: variable for variable in VARIABLES}

GOOD: list[tuple[str, str, Any]] = [
    ("QUOTEWIRE_ENV", "Development", "development"),
    ("QUOTEWIRE_HOST", "::1", "::1"),
    ("PORT", "0", 0),
    ("PORT", "65535", 65535),
    ("QUOTEWIRE_WORKERS", "4", 4),
    ("QUOTEWIRE_PUBLIC_URL", "https://q.example.com/", "https://q.example.com"),
    ("QUOTEWIRE_PUBLIC_URL", "http://q.example.com:8080", "http://q.example.com:8080"),
    ("CORS_ORIGIN", "https://a.example, http://localhost:5173", ("https://a.example", "http://localhost:5173")),
    ("CORS_ORIGIN", "*", ("*",)),
    ("QUOTEWIRE_TRUSTED_PROXIES", "10.1.2.3, 192.168.0.0/16", None),
    ("WS_PING_INTERVAL", "100", 100),
    ("WS_PONG_TIMEOUT", "1000", 1000),
    ("WS_UPGRADE_TIMEOUT", "1000", 1000),
    ("WS_AUTH_TIMEOUT", "1000", 1000),
    ("WS_CONNECTION_TIMEOUT", "86400000", 86_400_000),
    ("WS_SLOW_CONSUMER_TIMEOUT", "100", 100),
    ("WS_MAX_MESSAGE_BYTES", "1024", 1024),
    ("MAX_SYMBOLS_PER_CLIENT", "1", 1),
    ("MAX_CONNECTIONS_PER_IP", "1000000", 1_000_000),
    ("MAX_CONNECTIONS_PER_KEY", "10", 10),
    ("MAX_SYMBOLS_PER_IP", "20000", 20_000),
    ("MAX_SYMBOLS_PER_KEY", "1000000000", 1_000_000_000),
    ("WS_HANDSHAKE_RATE_PER_IP", "1", 1),
    ("WS_HANDSHAKE_RATE_PER_KEY", "50", 50),
    ("WS_COMMAND_RATE_PER_CLIENT", "5", 5),
    ("WS_COMMAND_RATE_PER_IP", "500", 500),
    ("WS_COMMAND_RATE_PER_KEY", "1000000000", 1_000_000_000),
    ("WS_SYMBOL_RATE_PER_CLIENT", "100", 100),
    ("WS_SYMBOL_RATE_PER_IP", "1000000000", 1_000_000_000),
    ("WS_SYMBOL_RATE_PER_KEY", "1", 1),
    ("WS_FAULT_RATE_PER_IP", "1", 1),
    ("QUOTEWIRE_TOKEN_RATE_PER_IP", "3", 3),
    ("QUOTEWIRE_IPV6_PREFIX", "56", 56),
    ("QUOTEWIRE_REUSE_PORT", "1", True),
    ("QUOTEWIRE_FLUSH_WINDOW_MS", "0", 0),
    ("QUOTEWIRE_HISTORY_DEPTH", "0", 0),
    ("QUOTEWIRE_HISTORY_SYMBOLS", "1000000", 1_000_000),
    ("QUOTEWIRE_EVERY_TICK_BACKLOG", "1", 1),
    ("DRAIN_SPREAD_MS", "0", 0),
    ("DRAIN_DEADLINE_MS", "30000", 30_000),
    ("QUOTEWIRE_ADMIN_TOKEN", "0123456789abcdef", "0123456789abcdef"),
    ("QUOTEWIRE_TOKEN_KEY", "0123456789abcdef", "0123456789abcdef"),
    ("HEALTH_CHECK_INTERVAL", "100", 100),
    ("ENABLE_METRICS", "FALSE", False),
    ("ENABLE_METRICS", "1", True),
    ("METRICS_ENDPOINT", "/a/b-c", "/a/b-c"),
    ("LOG_LEVEL", "DEBUG", "debug"),
    ("QUOTEWIRE_TOKEN_TTL", "1000", 1000),
    ("QUOTEWIRE_LOGIN_URL", "https://practicelogin.questrade.com/", "https://practicelogin.questrade.com"),
    ("QUOTEWIRE_LOGIN_URL", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    ("QUOTEWIRE_API_HOSTS", "*.IQ.Questrade.com, 127.0.0.1", ("*.iq.questrade.com", "127.0.0.1")),
    ("QUOTEWIRE_DATA_DIR", "/var/lib/quotewire", Path("/var/lib/quotewire")),
    ("QUOTEWIRE_VAULT_KEY", "a pass phrase", "a pass phrase"),
    ("QUOTEWIRE_PERSONS", "alice=tok/en+==, bob = other", {"alice": "tok/en+==", "bob": "other"}),
    ("QUOTEWIRE_NO_STREAM", "bob, carol", frozenset({"bob", "carol"})),
    ("QUOTEWIRE_SYMBOLS_PER_STREAM", "50", 50),
    ("QUOTEWIRE_LINGER", "0", 0),
    ("QUOTEWIRE_POLL_INTERVAL", "1000", 1000),
    ("QUOTEWIRE_AB", "On", True),
]

BAD: list[tuple[str, str]] = [
    ("QUOTEWIRE_ENV", "staging"),
    ("QUOTEWIRE_HOST", "   "),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "4005x"),
    ("PORT", "4_005"),
    ("PORT", "٤٠٠٥"),
    ("PORT", "9" * 5000),
    ("QUOTEWIRE_WORKERS", "0"),
    ("QUOTEWIRE_WORKERS", "65"),
    ("QUOTEWIRE_PUBLIC_URL", "q.example.com"),
    ("QUOTEWIRE_PUBLIC_URL", "https://q.example.com/path"),
    ("QUOTEWIRE_PUBLIC_URL", "https://user:pw@q.example.com"),
    ("QUOTEWIRE_PUBLIC_URL", "https://q.example.com:99999"),
    ("QUOTEWIRE_PUBLIC_URL", "https://[::1"),
    ("CORS_ORIGIN", "app.example.com"),
    ("CORS_ORIGIN", "https://app.example.com/"),
    ("QUOTEWIRE_TRUSTED_PROXIES", "10.0.0.0/33"),
    ("QUOTEWIRE_TRUSTED_PROXIES", "proxy.example"),
    ("WS_PING_INTERVAL", "99"),
    ("WS_PING_INTERVAL", "30s"),
    ("WS_PONG_TIMEOUT", "5.5"),
    ("WS_UPGRADE_TIMEOUT", "0"),
    ("WS_AUTH_TIMEOUT", """ """),
    ("WS_CONNECTION_TIMEOUT", "86400001"),
    ("WS_SLOW_CONSUMER_TIMEOUT", "1e3"),
    ("WS_MAX_MESSAGE_BYTES", "1023"),
    ("MAX_SYMBOLS_PER_CLIENT", "0"),
    ("MAX_CONNECTIONS_PER_IP", "many"),
    ("MAX_CONNECTIONS_PER_KEY", "0"),
    ("MAX_SYMBOLS_PER_IP", "0"),
    ("MAX_SYMBOLS_PER_KEY", "-1"),
    ("WS_HANDSHAKE_RATE_PER_IP", "0"),
    ("WS_HANDSHAKE_RATE_PER_KEY", "1000001"),
    ("WS_COMMAND_RATE_PER_CLIENT", "0.5"),
    ("WS_COMMAND_RATE_PER_IP", "fast"),
    ("WS_COMMAND_RATE_PER_KEY", "0"),
    ("WS_SYMBOL_RATE_PER_CLIENT", "0"),
    ("WS_SYMBOL_RATE_PER_IP", "0"),
    ("WS_SYMBOL_RATE_PER_KEY", "all"),
    ("WS_FAULT_RATE_PER_IP", "0"),
    ("QUOTEWIRE_TOKEN_RATE_PER_IP", "0"),
    ("QUOTEWIRE_IPV6_PREFIX", "129"),
    ("QUOTEWIRE_REUSE_PORT", "perhaps"),
    ("QUOTEWIRE_FLUSH_WINDOW_MS", "1001"),
    ("QUOTEWIRE_HISTORY_DEPTH", "deep"),
    ("QUOTEWIRE_HISTORY_SYMBOLS", "-1"),
    ("QUOTEWIRE_EVERY_TICK_BACKLOG", "0"),
    ("DRAIN_SPREAD_MS", "5s"),
    ("DRAIN_DEADLINE_MS", "86400001"),
    ("QUOTEWIRE_ADMIN_TOKEN", "too short"),
    ("QUOTEWIRE_TOKEN_KEY", "a key with blanks in it"),
    ("METRICS_ENDPOINT", "/admin"),
    ("HEALTH_CHECK_INTERVAL", "1"),
    ("ENABLE_METRICS", "maybe"),
    ("METRICS_ENDPOINT", "metrics"),
    ("METRICS_ENDPOINT", "/"),
    ("METRICS_ENDPOINT", "/a b"),
    ("METRICS_ENDPOINT", "/{person}"),
    ("METRICS_ENDPOINT", "/health"),
    ("METRICS_ENDPOINT", "/api-auth/metrics"),
    ("LOG_LEVEL", "verbose"),
    ("QUOTEWIRE_TOKEN_TTL", "0"),
    ("QUOTEWIRE_LOGIN_URL", "http://login.questrade.com"),
    ("QUOTEWIRE_LOGIN_URL", "https://me:secret@login.questrade.com"),
    ("QUOTEWIRE_LOGIN_URL", "ftp://127.0.0.1"),
    ("QUOTEWIRE_API_HOSTS", ","),
    ("QUOTEWIRE_API_HOSTS", "*"),
    ("QUOTEWIRE_API_HOSTS", "a.*.com"),
    ("QUOTEWIRE_API_HOSTS", "https://api.example"),
    ("QUOTEWIRE_DATA_DIR", "~no-such-person-anywhere/x"),
    ("QUOTEWIRE_VAULT_KEY", "  "),
    ("QUOTEWIRE_PERSONS", "alice"),
    ("QUOTEWIRE_PERSONS", "alice="),
    ("QUOTEWIRE_PERSONS", "=token"),
    ("QUOTEWIRE_PERSONS", "a b=token"),
    ("QUOTEWIRE_PERSONS", "alice=one,alice=two"),
    ("QUOTEWIRE_NO_STREAM", "bob carol"),
    ("QUOTEWIRE_SYMBOLS_PER_STREAM", "0"),
    ("QUOTEWIRE_LINGER", "30s"),
    ("QUOTEWIRE_POLL_INTERVAL", "999"),
    ("QUOTEWIRE_AB", "yes"),
]


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    assert caught.value.fault is Fault.OPERATOR
    return str(caught.value)


def test_every_variable_is_tried_both_ways() -> None:
    assert {name for name, _, _ in GOOD} == set(BY_NAME)
    assert {name for name, _ in BAD} == set(BY_NAME)


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_accepts(name: str, text: str, value: Any) -> None:
    loaded = getattr(load({name: text}), BY_NAME[name].field)
    if name == "QUOTEWIRE_TRUSTED_PROXIES":
        value = (ipaddress.ip_network("10.1.2.3/32"), ipaddress.ip_network("192.168.0.0/16"))
    assert loaded == value


@pytest.mark.parametrize(("name", "text"), BAD)
def test_refuses_and_names_the_variable_and_what_it_accepts(name: str, text: str) -> None:
    told = refusal({name: text})
    assert told.startswith(f"{name}: ")
    assert told.endswith(f"it accepts {BY_NAME[name].accepts}")
    assert "\n" not in told


def test_the_defaults_are_those_of_the_requirements() -> None:
    settings = load({})
    assert settings.production
    assert (settings.port, settings.host, settings.log_level) == (4005, "127.0.0.1", "info")
    assert (settings.ping_interval_ms, settings.pong_timeout_ms) == (30_000, 5_000)
    assert (settings.upgrade_timeout_ms, settings.auth_timeout_ms) == (5_000, 10_000)
    assert (settings.connection_timeout_ms, settings.health_check_interval_ms) == (300_000, 10_000)
    assert (settings.max_connections_per_ip, settings.metrics_endpoint) == (5, "/api/metrics")
    assert settings.login_url == "https://login.questrade.com"
    assert settings.cors_origins == ()
    assert settings.persons == {}
    assert settings.vault_key is None


def test_every_default_is_valid_and_every_field_has_its_variable() -> None:
    load({"QUOTEWIRE_ENV": "development"})
    assert {v.field for v in VARIABLES} == {f.name for f in dataclasses.fields(Settings)}
    assert all(variable.purpose.endswith(".") and variable.accepts for variable in VARIABLES)


def test_an_empty_variable_counts_as_unset() -> None:
    assert load(dict.fromkeys(BY_NAME, "")) == load({})


@pytest.mark.parametrize(("environ", "origins"), [({}, ()), ({"QUOTEWIRE_ENV": "development"}, ("*",))])
def test_the_environment_picks_defaults(environ: dict[str, str], origins: tuple[str, ...]) -> None:
    assert load(environ).cors_origins == origins


def test_node_env_is_read_where_ours_is_unset() -> None:
    assert load({"NODE_ENV": "development"}).environment == "development"
    assert load({"NODE_ENV": "development"}).cors_origins == ("*",)
    assert load({"NODE_ENV": "development", "QUOTEWIRE_ENV": "production"}).cors_origins == ()
    assert load({"NODE_ENV": "", "QUOTEWIRE_ENV": ""}).production
    assert refusal({"NODE_ENV": "test"}).startswith("NODE_ENV: 'test' is not valid")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("WS_PING_INTERVALL", "did you mean WS_PING_INTERVAL?"),
        ("WS_SOMETHING_NEW", ""),
        ("QUOTEWIRE_PERSON", "did you mean QUOTEWIRE_PERSONS?"),
        ("QUOTEWIRE_XYZZY", ""),
        ("MAX_CONNECTION_PER_IP", "did you mean MAX_CONNECTIONS_PER_IP?"),
        ("METRIC_ENDPOINT", "did you mean METRICS_ENDPOINT?"),
        ("CORS_ORIGINS", "did you mean CORS_ORIGIN?"),
    ],
)
def test_an_unknown_variable_stops_the_start_with_a_hint(name: str, hint: str) -> None:
    told = refusal({name: "s3cr3t-value"})
    assert told.startswith(f"{name}: there is no such variable; ")
    assert hint in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LANG", "LC_ALL", "SUPPORT", "REPORT", "HOSTNAME", "AWS_REGION", "KUBERNETES_PORT", "REDIS_URL"],
)
def test_variables_of_others_are_none_of_ours(name: str) -> None:
    assert load({name: "x"}) == load({})


@pytest.mark.parametrize("name", ["QUOTEWIRE_URL", "QUOTEWIRE_FIXTURES"])
def test_names_that_clients_and_tests_read_are_known(name: str) -> None:
    load({name: "x"})


SERVICE_LINKS = {
    "QUOTEWIRE_SERVICE_HOST": "10.0.0.1",
    "QUOTEWIRE_SERVICE_PORT": "4005",
    "QUOTEWIRE_SERVICE_PORT_HTTP": "4005",
    "QUOTEWIRE_PORT": "tcp://10.0.0.1:4005",
    "QUOTEWIRE_PORT_4005_TCP": "tcp://10.0.0.1:4005",
    "QUOTEWIRE_PORT_4005_TCP_PROTO": "tcp",
    "QUOTEWIRE_PORT_4005_TCP_ADDR": "10.0.0.1",
    "QUOTEWIRE_REDIS_PORT": "tcp://10.0.0.2:6379",
    "QUOTEWIRE_REDIS_SERVICE_HOST": "10.0.0.2",
    "QUOTEWIRE_REDIS_PORT_6379_TCP_PORT": "6379",
}


def test_what_kubernetes_sets_for_services_of_this_name_is_ignored() -> None:
    assert load(SERVICE_LINKS) == load({})


def test_a_port_that_somebody_meant_is_not_ignored() -> None:
    assert refusal({"QUOTEWIRE_PORT": "4100"}).startswith("QUOTEWIRE_PORT: there is no such variable")


def test_all_problems_are_told_at_once_a_line_each() -> None:
    told = refusal({"PORT": "x", "LOG_LEVEL": "loud", "QUOTEWIRE_NOPE": "1", "WS_PING_INTERVAL": "1"}).splitlines()
    assert [line.partition(":")[0] for line in told] == ["QUOTEWIRE_NOPE", "PORT", "WS_PING_INTERVAL", "LOG_LEVEL"]


def test_pings_rarer_than_the_idle_limit_are_refused() -> None:
    told = refusal({"WS_PING_INTERVAL": "300000"})
    assert told.startswith("WS_PING_INTERVAL: ")
    assert "WS_CONNECTION_TIMEOUT" in told
    load({"WS_PING_INTERVAL": "300000", "WS_CONNECTION_TIMEOUT": "400000"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("QUOTEWIRE_PERSONS", "alice s3cr3t"),
        ("QUOTEWIRE_PERSONS", "alice=s3cr3t,alice=s3cr3t"),
        ("QUOTEWIRE_LOGIN_URL", "https://me:s3cr3t@login.questrade.com"),
        ("QUOTEWIRE_PUBLIC_URL", "https://:s3cr3t@q.example.com"),
    ],
)
def test_no_message_repeats_a_secret(name: str, text: str) -> None:
    told = refusal({name: text})
    assert "s3cr3t" not in told
    assert "kept out of this message" in told


def test_no_repr_shows_a_secret() -> None:
    long = dict.fromkeys(("QUOTEWIRE_ADMIN_TOKEN", "QUOTEWIRE_TOKEN_KEY"), "s3cr3t-0123456789")
    settings = load({"QUOTEWIRE_PERSONS": "alice=s3cr3t", "QUOTEWIRE_VAULT_KEY": "s3cr3t too", **long})
    assert settings.persons == {"alice": "s3cr3t"}
    assert "s3cr3t" not in f"{settings} {settings!r}"


def test_a_home_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert refusal({}).startswith("QUOTEWIRE_DATA_DIR: '~/.local/share/quotewire' is not valid")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load({}).port = 5  # type: ignore[misc]


def test_the_two_time_outs_of_the_protocol_document_are_the_defaults() -> None:
    text = (Path(__file__).parents[2] / "spec" / "PROTOCOL.md").read_text(encoding="utf-8")
    found = re.search(r"The HTTP upgrade has (\d+) s \(`WS_UPGRADE_TIMEOUT`\), authentication (\d+) s", text)
    assert found
    settings = load({})
    told = (settings.upgrade_timeout_ms, settings.auth_timeout_ms)
    assert tuple(int(seconds) * 1000 for seconds in found.groups()) == told
