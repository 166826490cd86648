"""A fleet whose run is in Azure Blob Storage."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from tests.fleets import RAW, fleet_from, table
from windtunnel.engine.fleet import FleetEngine
from windtunnel.fleet.records import batch_name, recorded, results
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
    assert (done["accounts"]["partitions_done"], done["accounts"]["batches_failed"]) == (3, 0)
    assert [row["name"] for row in table(first)] == ["tenant_1.csv", "tenant_2.csv", "tenant_3.csv"]
    again = FleetEngine(fleet, second).perform()
    assert (again["accounts"]["partitions_done"], again["accounts"]["taken"]) == (0, 3)
    for name in ("gathered/rows.csv", "outputs/kept/tenant_2.csv"):
        assert second.store.get(second.path(name)) == first.store.get(first.path(name))


SLOW = """
import json, os, sys, time
from pathlib import Path
def run(mini_batch):
    (path,) = map(Path, mini_batch)
    with (Path(os.environ["TRACE"]) / path.name).open("a") as trace:
        trace.write(f"{time.time()}\\n")
    time.sleep(1)
    (Path(sys.argv[1]) / path.name).write_text(path.name)
    return [{"size": len(path.read_text())}]
"""


@pytest.mark.long
def test_a_fleet_in_blob_storage_whose_processes_are_killed_is_finished_by_the_same_command(
    azurite_server, monkeypatch, tmp_path
):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    monkeypatch.setenv("WINDTUNNEL_WORK", str(tmp_path / "work"))
    trace = tmp_path / "trace"
    trace.mkdir()
    fleet = fleet_from(
        tmp_path,
        code=SLOW,
        raw=RAW + "".join(f"{tenant},west,{tenant}\n" for tenant in range(4, 17)),
        program_arguments="${{outputs.kept}}",
        environment_variables={"TRACE": str(trace)},
        gather={"append_row_to": "rows.csv", "outputs": {"kept": ""}},
        limits={"parallel": 2},
    )
    store = "azure://killed-fleets/runs"
    undisturbed, killed = (Ledger(open_store(store), "toy", run) for run in ("undisturbed", "killed"))
    FleetEngine(fleet, undisturbed).perform()
    file = tmp_path / "toy.yaml"
    file.write_text(json.dumps(fleet.model_dump(mode="json", exclude_defaults=True)))
    strikes = [(3, False), (7, True)]  # after so many results; whether the lanes are hit, too
    while True:
        command = [sys.executable, "-m", "tests.performs", str(file), store, "killed"]
        with subprocess.Popen(command) as process:
            while process.poll() is None:
                if strikes and killed.begun() and len(recorded(killed)) >= strikes[0][0]:
                    lanes = strikes.pop(0)[1]
                    for victim in [process, *(lanes_of(killed) if lanes else ())]:
                        victim.kill()
                    break
                time.sleep(0.2)
        if process.returncode == 0:
            break
    assert not strikes
    gathered = ("gathered/rows.csv", "gathered/leaderboard.csv", "outputs/kept/tenant_9.csv", "outputs/kept/MLTable")
    for name in gathered:
        assert killed.store.get(killed.path(name)) == undisturbed.store.get(undisturbed.path(name))
    moments = recorded(killed)
    assert len(moments) == 16 and not any(result.kind for result in results(killed))
    for number, name in enumerate(row["partition"] for row in table(killed, "gathered/leaderboard.csv")):
        begun = map(float, (trace / name).read_text().split())
        assert max(begun) <= moments[batch_name(number)] + 1  # the store tells whole seconds


def lanes_of(ledger):
    """The processes of the run's lanes."""
    return [one for one in psutil.process_iter(["cmdline"]) if ledger.url in (one.info["cmdline"] or [])]
