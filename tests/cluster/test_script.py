"""A search of a script by pods, its ledger in Azurite: folder, checkpoints, files and models travel by the ledger."""

import pytest

from tests import script_search
from tests.cluster.searches import searches_on


@pytest.fixture
def searches(cluster, tmp_path, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    with searches_on(cluster, tmp_path) as found:
        yield found


def test_a_script_is_searched_by_pods_as_it_is_on_this_machine(searches, tmp_path):
    script_search.write(tmp_path)
    definition = {"name": "script", **script_search.SEARCH}
    by_pods = script_search.check(searches.on_the_cluster(definition))
    here = script_search.check(searches.here(definition))
    assert {trial: result.objectives for trial, result in by_pods.items()} == {
        trial: result.objectives for trial, result in here.items()
    }
