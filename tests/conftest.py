import os

import pytest

from tests.azurite import azurite, missing


@pytest.fixture(scope="session")
def azurite_server():
    """One Azurite for the whole session; tests use containers of their own."""
    if reason := missing():
        assert "WINDTUNNEL_NEED_AZURITE" not in os.environ, reason
        pytest.skip(reason)
    with azurite() as server:
        yield server
