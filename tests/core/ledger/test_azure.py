"""Reading whole runs whose ledger is in Azure Blob Storage."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import open_store

pytestmark = [pytest.mark.azure, pytest.mark.slow]


def test_a_run_of_5000_trials_is_read_by_one_request(azurite_server):
    account = {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}
    ledger = Ledger(open_store("azure://reading/runs", account), "toy", "run")

    def record(number):
        values = {"val_acc": number / 5000, "flops": 1e6 + number}
        ledger.record(Result(trial=trial_id(f"{number:016x}", 1), state=State.COMPLETED, objectives=values, epoch=1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(5000)))
    before = len(azurite_server.requests())
    began, began_cpu = time.perf_counter(), time.process_time()
    outcomes = ledger.outcomes()
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    print(f"{wall:.2f} s, of it {cpu:.2f} s of this process's CPU")
    assert len(azurite_server.requests()) - before == 1
    assert len(outcomes) == 5000
    assert outcomes[trial_id(f"{4999:016x}", 1)].objectives == {"val_acc": 0.9998, "flops": 1004999.0}
    assert cpu < 1  # the rest is the server's, and a busy machine's; `make bench-stores` measures it
