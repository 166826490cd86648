"""`status`, `results` and `fetch` of a run in Azure Blob Storage: the same as of one in a folder."""

import json
import threading
from itertools import count
from pathlib import Path

import pytest

from tests.core.cli.test_runs import SESSION, filled, follow, said
from tests.fleets import fall_short, fleet_from, succeed
from windtunnel.fleet.beginning import begin
from windtunnel.fleet.gathering import gather
from windtunnel.fleet.planning import plan
from windtunnel.fleet.publishing import publish
from windtunnel.fleet.records import BatchResult, Outcome, batch_name, record
from windtunnel.fleet.split import split
from windtunnel.ledger import Ledger, State
from windtunnel.stores import open_store

pytestmark = pytest.mark.azure

_containers = count()


@pytest.fixture
def url(azurite_server, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite_server.connection_string)
    return f"azure://commands-{next(_containers)}/runs"


def test_the_commands_say_the_same_of_both_stores(url, tmp_path, capsys):
    runs = [filled(store, iterations=2) for store in (url, str(tmp_path / "store"))]
    finalist = runs[0].plan("full-2").requests[0].trial
    for ledger in runs:
        ledger.close(SESSION)
        ledger.store.put(ledger.path("report.html"), b"report")
        ledger.store.put(ledger.trial_path(finalist, "model.onnx"), b"model" * 1000)
    for command in (["status"], ["results", "--csv"], ["results", "--json"]):
        there, here = (said(capsys, command[0], ledger.url, *command[1:]) for ledger in runs)
        assert there.replace(runs[0].url, runs[1].url) == here
        assert finalist in there
    for ledger, folder in zip(runs, (tmp_path / "there", tmp_path / "here"), strict=True):
        said(capsys, "fetch", ledger.url, "--to", str(folder))
        files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        assert files == {"report.html": b"report", f"trials/{finalist}/model.onnx": b"model" * 1000}
    assert json.loads(said(capsys, "results", f"{url}/latest", "--json"))["url"] == runs[0].url


def test_the_commands_say_the_same_of_a_fleet_in_both_stores(url, tmp_path, capsys):
    fleet = fleet_from(tmp_path / "toy", objectives={"accuracy": "maximize"})
    runs = []
    for store in (url, str(tmp_path / "store")):
        ledger = begin(fleet, Ledger(open_store(store), "toy", "run"), "session")
        partitions = split(ledger, fleet)
        what = plan(ledger, fleet, partitions)
        succeed(ledger, what, 0, accuracy=0.75)
        fall_short(ledger, what, 1)
        outcome = Outcome(state=State.COMPLETED, files=("note.txt",))
        record(ledger, BatchResult(batch=batch_name(2), state=State.COMPLETED, items=1, outcomes=(outcome,)))
        ledger.store.put(ledger.trial_path("p000002", "note.txt"), b"kept")
        gather(ledger, fleet, what, partitions)
        publish(ledger, fleet, what)
        runs.append(ledger)
    for command in (["status"], ["status", "--follow"], ["results", "--csv"], ["results", "--json"]):
        there, here = (said(capsys, command[0], ledger.url, *command[1:]) for ledger in runs)
        assert there.replace(runs[0].url, runs[1].url) == here
        assert "tenant_2.csv" in here
    for n, chosen in enumerate(([], ["--partition", "tenant=3"])):
        files = []
        for ledger, folder in zip(runs, (tmp_path / f"there-{n}", tmp_path / f"here-{n}"), strict=True):
            said(capsys, "fetch", ledger.url, "--to", str(folder), *chosen)
            files.append({str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()})
        there, here = files
        assert there.keys() == here.keys()
        assert all(there[name].read_bytes() == here[name].read_bytes() for name in here)
    assert here.keys() == {"partitions/tenant_3.csv/note.txt"}


def test_following_tells_a_trial_that_ends_and_ends_with_the_run(url, tmp_path: Path):
    ledger = filled(url, iterations=1, finalists=0)
    later = filled(str(tmp_path / "other"), iterations=2, finalists=0, seed=2)
    process = follow(ledger.url)
    deadline = threading.Timer(600, process.kill)
    deadline.start()
    try:
        lines = [process.stdout.readline() for _ in range(2 + 10)]
        assert {line.split()[0] for line in lines[2:]} == set(ledger.outcomes())
        plan = later.plan("2")
        ledger.create_plan(plan)
        ledger.record(later.result(plan.requests[0].trial))
        assert process.stdout.readline().startswith(plan.requests[0].trial)
        ledger.close(SESSION)
        assert process.stdout.read().endswith("finished\n")
        assert process.wait(120) == 0
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
