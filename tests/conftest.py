import os
import signal

import pytest
from hypothesis import settings

from tests.azurite import azurite, missing

# A busy machine may stand still for longer than an example may take by default.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

# A shell's background commands ignore Ctrl-C, and so would the processes that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def azurite_server():
    """One Azurite for the whole session; tests use containers of their own."""
    if reason := missing():
        assert "WINDTUNNEL_NEED_AZURITE" not in os.environ, reason
        pytest.skip(reason)
    with azurite() as server:
        yield server
