"""What counts as a change of state, and what the metrics are called."""

import msgspec
import pytest

from quotewire.client.state import ClientMetrics, ClientState
from quotewire.resilience.lifecycle_types import Quality, Reason, State

STATE = ClientState(state=State.CONNECTED, reason=Reason.AUTHENTICATED, since=1)


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.ERROR},
        {"reason": Reason.MUTE},
        {"detail": "x"},
        {"person": "bob"},
        {"symbol_count": 1},
        {"quality": Quality.FAIR},
        {"attempt": 1},
    ],
)
def test_these_are_changes(change: dict[str, object]) -> None:
    assert msgspec.structs.replace(STATE, **change).differs(STATE)


@pytest.mark.parametrize("noise", [{"latency_ms": 1.0}, {"last_update": 5}, {"since": 2}])
def test_these_are_noise(noise: dict[str, object]) -> None:
    assert not msgspec.structs.replace(STATE, **noise).differs(STATE)


def test_metrics_have_the_names_front_ends_use() -> None:
    assert {field.encode_name for field in msgspec.structs.fields(ClientMetrics)} >= {
        "connectionsAttempted",
        "connectionsSucceeded",
        "connectionsFailed",
        "messagesReceived",
        "messagesSent",
        "reconnectionCount",
        "averageLatency",
        "lastQuoteTime",
        "tokenRefreshCount",
        "uptime",
        "status",
    }
