"""The command behind `make run`, as a process of its own that is treated badly."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml

from tests.airflow.support import SEARCH
from tests.core.report import made_up
from windtunnel.definition import Definition
from windtunnel.engine.runs import choose, link_latest
from windtunnel.errors import LedgerError
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger, Selection
from windtunnel.report import collect, summary
from windtunnel.stores.local import LocalStore
from windtunnel_airflow.home import home_of
from windtunnel_airflow.run.command import _exceptions, _place, main

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0  # seconds: the machine may be busy


@dataclass
class Command:
    folder: Path

    def write(self, **fields) -> None:
        search = {**SEARCH, "launcher": "local", "store": str(self.folder / "runs"), **fields}
        (self.folder / "toy.yaml").write_text(yaml.safe_dump(search))

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "windtunnel_airflow.run", str(self.folder / "toy.yaml"), *arguments],
            cwd=ROOT,
            env={**self._environment(), "XDG_CACHE_HOME": str(self.folder / "cache")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, *arguments: str, said: str = "") -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate(said, timeout=PATIENCE)
        return process.returncode, output

    @property
    def ledger(self) -> Ledger:
        store = LocalStore(self.folder / "runs")
        return Ledger(store, "toy", json.loads(store.get("toy/current.json"))["run"])

    def wait_for_results(self, count: int, process: subprocess.Popen) -> None:
        until = time.monotonic() + PATIENCE
        while not (self.folder / "runs/toy/current.json").is_file() or len(self.ledger.outcomes()) < count:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < until
            time.sleep(0.1)

    def processes(self) -> list[str]:
        """Whatever runs on behalf of this test."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            told = " ".join(process.info["cmdline"] or []) + str((process.info["environ"] or {}).get("XDG_CACHE_HOME"))
            if str(self.folder) in told and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(told)
        return found

    @staticmethod
    def _environment() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command.write(settings={"slow": 0.4}, epochs={"partial": 2, "full": 4})
    return command


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_running_and_the_same_command_goes_on(command: Command) -> None:
    process = command.start()
    command.wait_for_results(1, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT, output
    assert "Nothing runs any more" in output
    assert "is gone" not in output, "a run whose first task is not done has no folder yet"
    assert command.processes() == []
    assert get_launcher("local").live(command.ledger) == set()
    done = command.ledger.outcomes()
    assert not any(outcome.state == "failed" for outcome in done.values())

    code, output = command.finish()
    assert code == 0, output
    assert "goes on where it was cut short" in output
    assert "7 trials in 2 iterations" in output
    assert "2 of 2 finalists verified" in output
    assert "Airflow's part" in output
    for trial in done:
        assert len(command.ledger.attempts(trial)) == done[trial].attempts
    latest = command.folder / "runs" / "latest"
    assert {"report.html", "pareto.png", "pareto.json", "models.json"} <= {file.name for file in latest.iterdir()}

    # A finished run is left alone, or extended where that is asked for.
    code, output = command.finish("--extend", "--set", "iterations=1")
    assert code == 0, output
    assert command.ledger.iterations_done() == 3


@pytest.mark.slow
def test_a_killed_command_takes_airflow_along_and_its_jobs_are_taken_over(command: Command) -> None:
    process = command.start()
    command.wait_for_results(1, process)
    process.kill()
    process.wait()
    until = time.monotonic() + PATIENCE
    while any("run.worker" in told for told in command.processes()):
        assert time.monotonic() < until
        time.sleep(0.1)
    code, output = command.finish()
    assert code == 0, output
    assert "7 trials in 2 iterations" in output
    assert command.processes() == []


@pytest.mark.slow
def test_a_killed_airflow_is_told_and_leaves_nothing(command: Command) -> None:
    process = command.start()
    command.wait_for_results(1, process)
    worker = next(
        each for each in psutil.Process(process.pid).children() if "windtunnel_airflow.run.worker" in each.cmdline()
    )
    worker.kill()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "ended without a word" in output
    assert command.processes() == []


@pytest.mark.slow
def test_a_person_may_refuse_the_finalists(command: Command) -> None:
    command.write()
    code, output = command.finish("--approve", said="what?\nn\n")
    assert code == 0, output
    assert "were refused" in output
    assert command.ledger.read_json("approval.json")["approved"] is False
    assert not [trial for trial in command.ledger.outcomes() if trial.endswith("-e2")]


@pytest.mark.slow
def test_two_projects_run_side_by_side(command: Command, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = Command(tmp_path / "second")
    for each in (command, second):
        each.write(settings={"slow": 1.0}, iterations=1)
    processes = [command.start(), second.start()]
    try:
        for each, process in zip((command, second), processes, strict=True):
            each.wait_for_results(1, process)
        assert [process.poll() for process in processes] == [None, None], "both are at work"
        for process in processes:
            output, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()


def test_one_command_at_a_time(command: Command, monkeypatch, capsys) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(command.folder / "cache"))
    monkeypatch.setattr("windtunnel_airflow.home._PATIENCE", 0.2)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    home = home_of(command.folder)
    home.mkdir(parents=True)
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main([str(command.folder / "toy.yaml")]) == 3
    assert "another run is at work" in capsys.readouterr().err


def test_jobs_left_behind_that_cannot_be_ended_are_told_of(command: Command, monkeypatch, capsys) -> None:
    command.write()
    monkeypatch.setenv("XDG_CACHE_HOME", str(command.folder / "cache"))
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_URL", raising=False)
    note = home_of(command.folder) / "run.json"
    note.parent.mkdir(parents=True)
    left_behind = {"ledger": "azure://ledgers/runs/toy/earlier", "launcher": "local"}
    note.write_text(json.dumps(left_behind))
    assert main([str(command.folder / "toy.yaml")]) == 2
    said = capsys.readouterr().err
    assert "azure://ledgers/runs/toy/earlier" in said and "no credentials" in said and f"delete {note}" in said
    assert json.loads(note.read_text()) == left_behind


def test_a_wrong_definition_or_name_is_one_clear_error(command: Command, monkeypatch, capsys) -> None:
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    command.write(objectives={})
    assert main([str(command.folder / "toy.yaml")]) == 2
    assert "objectives" in capsys.readouterr().err
    assert main(["no_such_search"]) == 2
    assert "digits_cnn" in capsys.readouterr().err


def test_a_store_in_the_home_folder_is_there_and_not_in_a_folder_of_that_name(tmp_path: Path) -> None:
    fields = {"name": "toy", "workload": "tests.workloads.formula", "objectives": {"score": "maximize"}}
    place = _place(tmp_path / "toy.yaml", Definition.model_validate(fields | {"store": "~/runs"}))
    assert place.store == str(Path.home() / "runs")


def test_a_run_that_was_cut_short_is_chosen_again_and_a_finished_one_is_not(tmp_path: Path, monkeypatch) -> None:
    store = LocalStore(tmp_path)
    first, how = choose(store, "digits_cnn")
    assert how == "new"
    made_up.fill(first)
    assert choose(store, "digits_cnn")[0].run == first.run
    assert choose(store, "digits_cnn")[1] == "resumed"
    session = first.sessions()[-1].session
    first.finish(session)
    assert choose(store, "digits_cnn")[1] == "resumed"  # its report may still be missing
    first.close(session)
    assert choose(store, "digits_cnn", extend=True)[1] == "extended"
    monkeypatch.setattr("windtunnel.engine.runs._new", lambda store, search: Ledger(store, search, "second"))
    second, how = choose(store, "digits_cnn")
    assert (second.run, how) == ("second", "new")
    assert choose(store, "digits_cnn")[0].run == "second"


def test_a_hopeless_run_is_gone_on_with_where_more_failures_are_allowed(tmp_path: Path, monkeypatch) -> None:
    store = LocalStore(tmp_path)
    first, _ = choose(store, "digits_cnn")
    made_up.begin(first, made_up.definition())
    limit = made_up.definition().limits.failed_trials
    first.create_selection(Selection(stage="1", results=[], front=[], hypervolume=None, failure="all failed"))
    again, how = choose(store, "digits_cnn", failed_trials=limit + 1)
    assert (again.run, how) == (first.run, "resumed")
    made_up.open_session(first, made_up.definition(), "second", offset=1)  # and is interrupted
    assert choose(store, "digits_cnn", failed_trials=limit)[0].run == first.run
    first.create_selection(Selection(stage="2", results=[], front=[], hypervolume=None, failure="all failed"))
    monkeypatch.setattr("windtunnel.engine.runs._new", lambda store, search: Ledger(store, search, "anew"))
    assert choose(store, "digits_cnn", failed_trials=limit)[0].run == "anew"


def test_latest_leads_to_the_last_run(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for run in ("first", "second"):
        ledger = Ledger(store, "digits_cnn", run)
        made_up.begin(ledger, made_up.definition())
        link = link_latest(ledger)
    assert link == tmp_path / "latest"
    assert link.resolve().name == "second"


def test_the_summary_names_the_best_finalist_by_its_test(tmp_path: Path) -> None:
    ledger = Ledger(LocalStore(tmp_path), "digits_cnn", "first")
    made_up.fill(ledger)
    view = collect(ledger)
    told = "\n".join(summary.results(view, 75))
    best = max((m for m in view.models if m.verdict == "verified"), key=lambda m: m.test["test_acc"])
    assert "took 75 s: 46 trials (3 failed) in 4 iterations" in told
    assert "3 of 4 finalists verified" in told
    assert f"best finalist  {best.trial.trial}" in told
    assert all(f"{name} " in told for name in best.trial.params)
    assert f"kernel_size {best.trial.params['kernel_size']}, hidden_dim" in told
    assert "failed: 2 times error: RuntimeError: shape '[64, 0]' is invalid, and 1 for other causes" in told
    assert "ended early" not in told
    assert "Failed: " in told


def test_a_run_to_resume_is_chosen_by_its_name_or_url(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    runs = [Ledger(store, "digits_cnn", run) for run in ("first", "second")]
    for run in runs:
        made_up.begin(run, made_up.definition())
    for given in ("first", runs[0].url):
        chosen, how = choose(store, "digits_cnn", resume=given)
        assert (chosen.url, how) == (runs[0].url, "resumed")
    assert choose(store, "digits_cnn")[0].run == "first"
    with pytest.raises(LedgerError, match=r"there is no run 'frist': .* has first, second"):
        choose(store, "digits_cnn", resume="frist")
    assert choose(store, "digits_cnn")[0].run == "first"


def test_a_command_that_resumes_a_run_that_there_is_not_says_so(command: Command, monkeypatch, capsys) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(command.folder / "cache"))
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    for option in (["--resume", "a-typo"], ["--set", "resume=a-typo"]):
        assert main([str(command.folder / "toy.yaml"), *option]) == 2
        assert "resume: there is no run 'a-typo'" in capsys.readouterr().err
    assert not (command.folder / "runs").exists()


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        (["a.LedgerError: gone", "b.AirflowFailException: Nothing was published: gone"], [1]),
        (["a.LedgerError: the store is gone", "b.AirflowFailException: the store is gone"], [1]),
        (["OSError: 1", "TypeError: 12 things"], [0, 1]),
        (["AssertionError: ", "TypeError: 12 things: "], [0, 1]),
        (["some words", "more"], [0, 1]),
    ],
    ids=["repeated in more words", "repeated", "by chance", "without words", "none"],
)
def test_an_exception_is_shown_unless_a_longer_one_ends_with_it(log, shown):
    assert _exceptions("\n".join(log).encode()) == [log[line] for line in shown]
