import pytest

from windtunnel.stores.azure.store import AzureStore
from windtunnel.stores.local import LocalStore
from windtunnel_trainer.write_interval import WriteInterval

INTERVAL = WriteInterval(share=0.5, shortest=2.0, longest=10.0, metered=100.0)


@pytest.mark.parametrize(("seconds", "free", "metered"), [(0, 2, 2), (10, 5, 5), (100, 10, 50), (1000, 10, 100)])
def test_writes_grow_rarer_with_the_time_and_most_where_they_are_paid_for(tmp_path, seconds, free, metered):
    assert INTERVAL.pause(LocalStore(tmp_path), seconds) == free
    paid_for = AzureStore("container", "", {"AZURE_STORAGE_ACCOUNT_URL": "https://a.example"})
    assert INTERVAL.pause(paid_for, seconds) == metered
