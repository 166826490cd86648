"""A fleet whose run is in Azure Blob Storage."""

import pytest

from tests.fleets import fleet_from, table
from windtunnel.engine.fleet import FleetEngine
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

pytestmark = pytest.mark.azure

CODE = """
import shutil, sys
from pathlib import Path
def run(mini_batch):
    for path in mini_batch:
        shutil.copy(path, sys.argv[1])
    return [{"name": Path(path).name} for path in mini_batch]
"""


def test_a_fleet_in_blob_storage_gathers_the_same_table_and_takes_it_over(azurite_server, monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    monkeypatch.setenv("WINDTUNNEL_WORK", str(tmp_path / "work"))
    fleet = fleet_from(
        tmp_path,
        code=CODE,
        program_arguments="${{outputs.kept}}",
        gather={"append_row_to": "rows.csv", "outputs": {"kept": ""}},
        limits={"parallel": 2},
    )
    store = "azure://fleets/runs"
    first, second = (Ledger(open_store(store), "toy", run) for run in ("a", "b"))
    done = FleetEngine(fleet, first).perform()
    assert (done.accounts.partitions_done, done.accounts.batches_failed) == (3, 0)
    assert [row["name"] for row in table(first)] == ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"]
    again = FleetEngine(fleet, second).perform()
    assert (again.accounts.partitions_done, again.accounts.taken) == (0, 3)
    for name in ("gathered/rows.csv", "outputs/kept/tenant_2.csv"):
        assert second.store.get(second.path(name)) == first.store.get(first.path(name))
