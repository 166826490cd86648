"""`windtunnel run`: a search without Airflow."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.core.engine.test_perform import FIELDS
from tests.runs import wait_until
from windtunnel.cli import main
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Writes a definition whose store is a folder of the test's; returns its file."""
    monkeypatch.setattr("windtunnel.host.signals.heed_signals", lambda: None)  # they are pytest's own

    def write(**fields):
        file = tmp_path / "toy.yaml"
        file.write_text(yaml.safe_dump(FIELDS | {"store": str(tmp_path / "runs")} | fields, sort_keys=False))
        return str(file)

    return write


def ledger_of(tmp_path):
    store = LocalStore(tmp_path / "runs")
    return Ledger(store, "toy", json.loads(store.get("toy/current.json"))["run"])


def test_a_definition_is_performed_reported_and_extended(search, tmp_path, capsys):
    file = search(trials={"initial": 2, "per_iteration": 1}, approval=True)
    assert main(["run", file, "--set", "approval=false", "--set", "iterations=1"]) == 0
    said = capsys.readouterr().out
    assert f"toy: run {ledger_of(tmp_path).run}" in said
    assert "2 trials in 1 iteration," in said
    assert "best finalist" in said
    assert (tmp_path / "runs" / "latest" / "report.html").is_file()
    assert main(["run", file, "--extend", "--set", "approval=false", "--set", "iterations=1"]) == 0
    assert "is extended" in capsys.readouterr().out
    assert ledger_of(tmp_path).iterations_done() == 2


def test_a_wrong_command_and_a_search_that_only_fails_have_exit_codes_of_their_own(search, tmp_path, capsys):
    assert main(["run", search(), "--set", "epoch_full=3"]) == 2
    assert "epoch_full: no such choice (did you mean 'epochs_full'?)" in capsys.readouterr().err
    assert main(["run", search(), "--resume", "gone"]) == 2
    assert "there is no run 'gone'" in capsys.readouterr().err
    failing = search(settings={"raises": True}, iterations=1, trials={"initial": 1, "per_iteration": 1})
    assert main(["run", failing]) == 1
    told = capsys.readouterr().err
    assert "The same command goes on with this run" in told
    assert "report.html" in told


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_running_and_the_same_command_goes_on(search, tmp_path):
    file = search(
        workload="tests.workloads.quick", settings={"slow": 0.3}, objectives={"val_acc": "maximize"}, space=None
    )

    def start():
        return subprocess.Popen(
            [sys.executable, "-m", "windtunnel", "run", file],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    process = start()
    wait_until(lambda: (tmp_path / "runs/toy/current.json").is_file() and ledger_of(tmp_path).outcomes())
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Nothing runs any more. The same command goes on" in said
    done = ledger_of(tmp_path).outcomes()
    began = time.monotonic()
    process = start()
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "goes on where it was cut short" in said
    assert time.monotonic() - began < 240
    for trial, outcome in done.items():
        assert len(ledger_of(tmp_path).attempts(trial)) == outcome.attempts
