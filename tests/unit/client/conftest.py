"""What the tests of the client's session share."""

import pytest

from tests.client_peer import Peer


@pytest.fixture
def peer() -> Peer:
    return Peer()
