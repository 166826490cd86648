"""Reading whole runs whose ledger is in Azure Blob Storage."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.claims import ClaimsConformance
from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store

pytestmark = [pytest.mark.azure, pytest.mark.slow]


class TestClaims(ClaimsConformance):
    @pytest.fixture
    def ledger(self, azurite_server, request):
        account = {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}
        return Ledger(open_store("azure://claims/runs", account), "toy", request.node.name.replace("_", "-"))


def test_a_run_of_5000_trials_is_read_by_one_request(azurite_server):
    account = {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}
    ledger = Ledger(open_store("azure://reading/runs", account), "toy", "run")

    def record(number):
        values = {"val_acc": number / 5000, "flops": 1e6 + number}
        ledger.record(Result(trial=trial_id(f"{number:016x}", 1), state=State.COMPLETED, objectives=values, epoch=1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(5000)))
    before = listings(azurite_server)
    outcomes = ledger.outcomes()
    assert listings(azurite_server) - before == 1
    assert len(outcomes) == 5000
    assert outcomes[trial_id(f"{4999:016x}", 1)].objectives == {"val_acc": 0.9998, "flops": 1004999.0}


def listings(server) -> int:
    """Listings of results that the server has been asked for."""
    return sum("comp=list" in path and "results" in path for _, path in server.requests())
