"""What two peers of protocol 1 may or may not know of each other, and what they agree on (PROTOCOL.md section 2)."""

from collections.abc import Iterable
from enum import StrEnum


class Capability(StrEnum):
    """Something added to protocol 1 since its first day."""

    GAP = "gap"  # the client takes `gap` messages
    RECONNECT = "reconnect"  # the client takes `reconnect` messages
    RESUME = "resume"  # `subscribe` may carry `resume`
    FIELDS = "fields"  # ... `fields`
    MAX_RATE = "maxRate"  # ... `maxRate`
    DELTA = "delta"  # ... `delta`
    MODE = "mode"  # ... `mode`


Agreed = frozenset[Capability]

_by_name = {str(capability): capability for capability in Capability}
_agreements: dict[Agreed, Agreed] = {}  # one object for each, however many clients agree on it; 2**7 at most


def agree(offered: Iterable[str]) -> Agreed:
    """What of a client's offer is in force; names the gateway does not know are no mistake."""
    known = frozenset([capability for name in offered if (capability := _by_name.get(name)) is not None])
    return _agreements.setdefault(known, known)
