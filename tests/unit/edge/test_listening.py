"""A place to listen that cannot be had is one sentence, which names the setting to change."""

import socket

import pytest

from quotewire.edge.listening import bind
from quotewire.errors import ConfigurationError


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127.0.0.1:{port}: .*; choose another with PORT$"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1"])
def test_an_address_that_is_not_here_is_not_blamed_on_the_port(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"choose another with QUOTEWIRE_HOST$"):
        bind(host, 0)
