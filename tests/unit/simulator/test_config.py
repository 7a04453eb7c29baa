"""Settings: refused early, by name."""

import argparse
import math
from typing import Any

import pytest

from quotewire.cli.simulate import add_arguments, config_of
from quotewire.errors import ConfigurationError
from quotewire.simulator.config import SimulatorConfig, settings


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"persons": ()}, "persons"),
        ({"persons": ("a", "a")}, "persons"),
        ({"persons": ("a", "")}, "persons"),
        ({"persons": ("a/b",)}, "persons"),
        ({"persons": ("a=b",)}, "persons"),
        ({"rate": -1.0}, "rate is -1.0"),
        ({"rate": math.nan}, "rate is nan"),
        ({"rate": math.inf}, "rate is inf"),
        ({"rate": 1e9}, "rate is 1000000000.0: it must be 0 to 100000"),
        ({"symbols": 0}, "symbols is 0"),
        ({"symbols": 9_999_999}, "symbols is 9999999: it must be 1 to 50000"),
        ({"speed": 0.0}, "speed is 0.0"),
        ({"speed": math.nan}, "speed is nan"),
        ({"outbox": 0}, "outbox is 0"),
        ({"tick_s": math.nan}, "tick_s is nan"),
        ({"refresh_token_days": -1.0}, "refresh_token_days is -1.0"),
        ({"scopes": ("read_md", "zip")}, "scopes has 'zip': use read_acc, read_md, trade"),
        ({"api_server": "round"}, "api_server is 'round': use slash, none, v1"),
        ({"port": 70_000}, "port is 70000"),
        ({"expires_in": 0}, "expires_in"),
        ({"evict_code": 1005}, "evict_code is 1005"),
        ({"bad_token_code": 7}, "bad_token_code is 7"),
    ],
)
def test_nonsense_is_refused_by_name(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        SimulatorConfig(**given)


def parse(*words: str) -> SimulatorConfig:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return config_of(parser.parse_args(words))


def test_every_setting_has_an_option_and_defaults_agree() -> None:
    assert parse() == SimulatorConfig()
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    text = parser.format_help()
    for each in settings():
        assert f"--{each.name.replace('_', '-')}" in text
        assert each.metadata["help"]


def test_options_are_read() -> None:
    config = parse(
        "--persons", "alice, bob", "--symbols", "100", "--rate", "5", "--no-refresh-kills-access", "--api-server", "v1",
        "--record", "--scopes", "read_acc", "--start", "now",
    )  # fmt: skip
    assert config.persons == ("alice", "bob")
    assert (config.symbols, config.rate, config.refresh_kills_access) == (100, 5.0, False)
    assert (config.api_server, config.record, config.scopes, config.start) == ("v1", True, ("read_acc",), "now")


def test_the_url_host() -> None:
    assert SimulatorConfig().url_host == "127.0.0.1"
    assert SimulatorConfig(host="0.0.0.0").url_host == "127.0.0.1"
    assert SimulatorConfig(host="0.0.0.0", public_host="sim").url_host == "sim"
