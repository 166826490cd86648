import os
import signal
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

from tests.azurite import azurite, missing
from windtunnel.launchers.kubernetes import connection

# A busy machine may stand still for longer than an example may take by default. The examples are the same every time,
# but for `make test-random`, which looks for others.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")

# No power fails in a test, so nothing that this process writes is waited for until it is on the disk.
os.fsync = lambda descriptor: None

# A shell's background commands ignore Ctrl-C, and so would the processes that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

_containers = count()


@pytest.fixture(autouse=True)
def _the_cluster_as_it_was():
    """What a task says of the cluster holds for its whole process, which a test shares with others.

    It does without `monkeypatch`, whose changes would then outlive the fixtures of the test itself.
    """
    as_it_was = connection._connect
    yield
    connection._connect = as_it_was


@pytest.fixture(scope="session")
def azurite_server():
    """One Azurite for the whole session; tests use containers of their own."""
    if reason := missing():
        assert "WINDTUNNEL_NEED_AZURITE" not in os.environ, reason
        pytest.skip(reason)
    with azurite() as server:
        yield server


@pytest.fixture(params=["folder", pytest.param("azure", marks=pytest.mark.azure)])
def each_store(request, monkeypatch, tmp_path) -> str:
    """An empty place for runs: once a folder, once in Azurite, which this process and its jobs may reach."""
    if request.param == "folder":
        return str(tmp_path / "store")
    server = request.getfixturevalue("azurite_server")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
    return f"azure://each-{next(_containers)}/runs"
