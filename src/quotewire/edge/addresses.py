"""Whose address a request came from, and which addresses are one to the limits."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

from quotewire.settings import Network

LONGEST = 128
"""Characters of what may be an address."""


def client_address(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """The address a request came from: the last hop in X-Forwarded-For that is not itself a trusted proxy (R25).

    A hop that is no address ends the walk: the proxy that passed it on answers for it.
    """
    parsed = _address(peer)
    if parsed is None:
        return peer
    hops = [hop for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while hops and any(parsed in network for network in trusted):
        before = _address(hops.pop())
        if before is None:
            break
        parsed = before
    return str(parsed)


def requester(request: Request, trusted: Sequence[Network]) -> str:
    """`client_address` of a REST request."""
    forwarded = {"x-forwarded-for": ",".join(request.headers.getlist("x-forwarded-for"))}
    return client_address(request.client.host if request.client else "", forwarded, trusted)


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether what `peer` says of others in X-Forwarded-* is believed."""
    parsed = _address(peer)
    return parsed is not None and any(parsed in network for network in trusted)


def neighbourhood(address: str, ipv6_prefix: int) -> str:
    """What the limits count `address` under: itself, or the network of so many bits that an IPv6 one is in.

    Whoever has one IPv6 address has a network of them (RFC 6177), and could come from another each time. Loopback is
    itself: its neighbours are not one customer's.
    """
    parsed = _address(address)
    if not isinstance(parsed, IPv6Address) or parsed.is_loopback:
        return address
    return str(ip_network((int(parsed), ipv6_prefix), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    return _read(text) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)
def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with or without brackets and port; an IPv4 one that a dual-stack socket dressed up is IPv4."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        parsed = ip_address(bare)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
