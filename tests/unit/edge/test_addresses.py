"""Whose address a request came from, and which addresses are one."""

from ipaddress import ip_network

import pytest

from quotewire.edge.addresses import client_address, is_trusted, neighbourhood

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def address(peer: str, forwarded: str | None = None) -> str:
    return client_address(peer, {} if forwarded is None else {"x-forwarded-for": forwarded}, TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),  # nobody asked it
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the first is what the client made up
        ("10.0.0.1", "1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", " 1.2.3.4 , ", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("10.0.0.1", "[2001:db8::1]:5678", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0::1", "2001:db8::1"),
        ("fd00::1", "1.2.3.4", "1.2.3.4"),
        ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),  # a dual-stack socket's way to write IPv4
        ("::ffff:203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, <script>", "10.0.0.1"),
        ("", "1.2.3.4", ""),
        ("/run/socket", "1.2.3.4", "/run/socket"),
    ],
)
def test_the_address_is_the_last_hop_that_no_trusted_proxy_is(peer: str, forwarded: str | None, expected: str) -> None:
    assert address(peer, forwarded) == expected


def test_trust_is_of_the_peer_alone() -> None:
    assert is_trusted("10.9.9.9", TRUSTED)
    assert is_trusted("::ffff:10.9.9.9", TRUSTED)
    assert not is_trusted("11.0.0.1", TRUSTED)
    assert not is_trusted("", TRUSTED)
    assert not is_trusted("10.0.0.1", ())


@pytest.mark.parametrize(
    ("address", "prefix", "counted_under"),
    [
        ("203.0.113.9", 64, "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", 64, "2001:db8:1:3::/64"),
        ("2001:db8:1:3::1", 48, "2001:db8:1::/48"),
        ("2001:db8:1:3::1", 128, "2001:db8:1:3::1/128"),
        ("::1", 64, "::1"),
        ("::ffff:203.0.113.9", 64, "::ffff:203.0.113.9"),  # `client_address` makes it an IPv4 one
        ("", 64, ""),
        ("/run/socket", 64, "/run/socket"),
    ],
)
def test_an_ipv6_customer_is_one_address(address: str, prefix: int, counted_under: str) -> None:
    assert neighbourhood(address, prefix) == counted_under
