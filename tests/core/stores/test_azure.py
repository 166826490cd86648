from itertools import count

import pytest

from tests.conformance.stores import StoreConformance

pytestmark = pytest.mark.azure

_containers = count()


@pytest.fixture
def url(azurite_server, monkeypatch) -> str:
    """An empty place; this process's environment has the credentials for it."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    return f"azure://test-{next(_containers)}/some/prefix"


class TestAzureStore(StoreConformance):
    @pytest.fixture
    def url(self, url) -> str:
        return url
