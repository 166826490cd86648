"""`status`, `results` and `fetch`: the commands that read a run from its store."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.core.report import made_up
from windtunnel.cli import main
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store
from windtunnel.stores.local import LocalStore

ROOT = Path(__file__).parents[3]
SESSION = "manual__2026-11-21"


def filled(store: str, run: str = "first", **options) -> Ledger:
    ledger = Ledger(open_store(store), "digits_cnn", run)
    made_up.fill(ledger, **options)
    return ledger


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def ledger(store):
    ledger = filled(store)
    ledger.close(SESSION)
    return ledger


def said(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_status_shows_every_trial_with_what_became_of_it(ledger, capsys):
    head, counts, names, *rows, why = said(capsys, "status", ledger.url).splitlines()
    assert why == "failed: 2 times error: RuntimeError: shape '[64, 0]' is invalid, and 1 for other causes"
    assert head == f"digits_cnn  {ledger.url}"
    assert "46 trials: 43 completed, 3 failed · iteration 4 · front " in counts
    assert counts.endswith("3 of 4 finalists verified · finished")
    for name in ("state", "nb_layers", "lr", "val_acc", "flops", "loss", "test_acc", "time", "why"):
        assert name in names.split()
    assert len(rows) == 46 + 4
    outcomes = ledger.outcomes()
    assert {row.split()[0]: row.split()[2] for row in rows} == {
        trial: outcome.state.value for trial, outcome in outcomes.items()
    }
    failed = [row for row in rows if row.split()[2] == "failed"]
    assert all("RuntimeError: shape '[64, 0]' is invalid" in row for row in failed)
    assert sum(row.endswith("verified") for row in rows) == 3
    assert sum("the largest logit difference, 0.2, is above the tolerance" in row for row in rows) == 1
    trial = rows[0].split()[0]
    value = outcomes[trial].objectives["val_acc"]
    assert f" {value:.5g} " in rows[0]
    assert f" {outcomes[trial].seconds:.1f} s" in rows[0]


def test_status_says_since_when_nothing_was_heard_of_a_run(ledger, capsys):
    (session,) = ledger.sessions()
    for name in ("closed", "finished"):
        for entry in list(ledger.store.list(ledger.path(f"{name}/"))):
            ledger.store.delete(entry.path)
    assert "nothing was heard" not in said(capsys, "status", ledger.url)
    beat = ledger.path(f"beats/{session.number}.json")
    ledger.store.put(beat, b"{}")
    assert "nothing was heard" not in said(capsys, "status", ledger.url)
    os.utime(ledger.store.local_file(beat), (0, time.time() - 600))
    assert "nothing was heard of it for 10 min, since " in said(capsys, "status", ledger.url)
    ledger.close(session.session)
    assert "nothing was heard" not in said(capsys, "status", ledger.url)


def test_status_says_that_the_disk_of_a_run_that_goes_on_is_full(ledger, capsys, monkeypatch):
    monkeypatch.setattr(LocalStore, "refusal", lambda store: "the disk is full")
    assert "the disk is full" not in said(capsys, "status", ledger.url)
    for entry in list(ledger.store.list(ledger.path("closed/"))):
        ledger.store.delete(entry.path)
    assert said(capsys, "status", ledger.url).splitlines()[1] == "the disk is full"


def test_status_keeps_to_a_terminals_width(ledger, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    lines = said(capsys, "status", ledger.url).splitlines()
    assert max(map(len, lines[2:])) == 90
    assert "loss" not in lines[2].split()
    assert "val_acc" in lines[2].split() and "nb_lay…" in lines[2].split()
    assert lines[3].split()[0] == f"{ledger.plan('1').requests[0].trial[:8]}-e1"


def test_results_as_csv_has_a_column_for_each_value(ledger, capsys):
    plans = map(ledger.plan, ledger.stages())
    params = {request.trial: request.params for plan in plans for request in plan.requests}
    rows = list(csv.DictReader(io.StringIO(said(capsys, "results", ledger.url, "--csv"))))
    assert len(rows) == 50
    outcomes = ledger.outcomes()
    params = {request.trial: request.params for stage in ledger.stages() for request in ledger.plan(stage).requests}
    for row in rows:
        outcome = outcomes[row["trial"]]
        assert row["state"] == outcome.state.value
        if outcome.objectives:
            assert float(row["objectives.val_acc"]) == outcome.objectives["val_acc"]
            assert float(row["metrics.loss"]) == outcome.metrics["loss"]
        assert float(row["seconds"]) == outcome.seconds
        assert float(row["params.lr"]) == params[row["trial"]]["lr"]
        assert int(row["peak_memory"]) == outcome.peak_memory
    assert [row["verdict"] for row in rows[-4:]].count("verified") == 3
    assert "\nin layer 2" in next(row for row in rows if row["state"] == "failed")["message"]


def test_results_as_json_says_the_same(ledger, capsys):
    found = json.loads(said(capsys, "results", ledger.url, "--json"))
    assert (found["search"], found["run"], found["url"]) == ("digits_cnn", "first", ledger.url)
    assert found["objectives"]["val_acc"] == "maximize"
    states = {trial["trial"]: trial["state"] for trial in found["trials"]}
    assert states == {trial: outcome.state.value for trial, outcome in ledger.outcomes().items()}
    assert sum(trial["front"] for trial in found["trials"]) == len(ledger.selection("4").front)


def test_a_form_of_the_results_must_be_chosen(ledger, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["results", ledger.url])
    assert caught.value.code == 2
    assert "--csv --json is required" in capsys.readouterr().err


def test_fetch_brings_report_and_models(ledger, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finalists = [request.trial for request in ledger.plan("full-4").requests]
    for name in ("report.html", "pareto.png", "pareto.json", "models.json"):
        ledger.store.put(ledger.path(name), name.encode())
    for trial in [*finalists, ledger.plan("1").requests[0].trial]:
        ledger.store.put(ledger.trial_path(trial, "model.onnx"), trial.encode())
        ledger.store.put(ledger.trial_path(trial, "checkpoint.pt"), b"weights")
    printed = said(capsys, "fetch", ledger.url).splitlines()
    folder = Path("digits_cnn-first")
    files = sorted(str(file) for file in folder.rglob("*") if file.is_file())
    assert files == sorted(printed)
    assert sorted(file.name for file in folder.iterdir()) == [
        "models.json",
        "pareto.json",
        "pareto.png",
        "report.html",
        "trials",
    ]
    assert {trial: (folder / "trials" / trial / "model.onnx").read_text() for trial in finalists} == {
        trial: trial for trial in finalists
    }
    assert len(files) == 4 + len(finalists)
    said(capsys, "fetch", ledger.url, "--to", str(tmp_path / "all"), "--checkpoints")
    assert len(list((tmp_path / "all").rglob("checkpoint.pt"))) == len(finalists)


def test_fetch_of_a_run_that_goes_on_says_what_is_missing(store, capsys, tmp_path):
    ledger = filled(store, finalists=0)
    assert main(["fetch", ledger.url, "--to", str(tmp_path / "to")]) == 1
    assert "has none of these files yet" in capsys.readouterr().err
    ledger.store.put(ledger.path("report.html"), b"so far")
    assert main(["fetch", ledger.url, "--to", str(tmp_path / "to")]) == 0
    assert "not there yet: pareto.png, pareto.json, models.json" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["results", "--json"], ["fetch"]])
def test_a_url_without_a_run_is_told_with_its_mend(store, command, capsys, tmp_path, monkeypatch):
    filled(store)
    wrongs = [store, f"{store}/digits_cnn", f"{store}/digits_cnn/other", str(tmp_path / "no" / "latest")]
    for wrong in [*wrongs, "x", "a/b", "/", "/x", "/latest"]:
        monkeypatch.chdir(tmp_path if wrong in wrongs else "/")  # the fewest folders that a path can have
        assert main([*command, wrong]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"URL: there is no run at {wrong}: give <store>/<search>/<run>")
        assert len(error.splitlines()) == 1
    assert main([*command, "s3://bucket/search/run"]) == 1
    assert "no store is known for 's3://bucket'" in capsys.readouterr().err


def test_no_link_but_latest_is_followed_to_a_run(store, capsys, tmp_path):
    run = filled(store, "one", iterations=1)
    (tmp_path / "run").symlink_to(run.url)
    (Path(store) / "search").symlink_to(Path(run.url).parent)
    for url, link in (
        (f"{tmp_path}/run", f"{tmp_path}/run"),
        (f"{tmp_path}/run/", f"{tmp_path}/run"),
        (f"{store}/search/one", f"{store}/search"),
    ):
        assert main(["status", url]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"URL: {link} is a link, and is not followed; give the folder itself: ")
        assert told.count("\n") == 1


def test_latest_is_the_run_that_began_last(store, capsys, tmp_path, monkeypatch):
    filled(store, "one", iterations=1)
    time.sleep(0.01)
    last = filled(store, "two", iterations=1)
    monkeypatch.setenv("WINDTUNNEL_STORE", store)
    (tmp_path / "elsewhere").symlink_to(store)
    for url, found in {
        f"{store}/digits_cnn/latest": last.url,
        f"{store}/latest": last.url,
        "latest": last.url,
        f"{tmp_path}/elsewhere/digits_cnn/one": f"{store}/digits_cnn/one",
    }.items():
        assert said(capsys, "status", url).splitlines()[0] == f"digits_cnn  {found}"


def follow(url):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "windtunnel", "status", url, "--follow"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_following_tells_each_trial_as_it_ends_and_ends_with_the_run(store):
    ledger = filled(store, iterations=1, finalists=0)
    later = filled(str(Path(store).parent / "other"), iterations=2, finalists=0, seed=2)
    process = follow(ledger.url)
    deadline = threading.Timer(600, process.kill)
    deadline.start()
    try:
        lines = [process.stdout.readline() for _ in range(2 + 10)]
        assert "10 trials" in lines[1]
        told = {line.split()[0]: line.split()[1] for line in lines[2:]}
        assert told == {trial: outcome.state.value for trial, outcome in ledger.outcomes().items()}
        plan = later.plan("2")
        ledger.create_plan(plan)
        ledger.record(later.result(plan.requests[0].trial))
        line = process.stdout.readline()
        assert line.startswith(plan.requests[0].trial)
        assert " lr=" in line
        ledger.close(SESSION)
        rest = process.stdout.read()
        assert "22 trials" in rest and rest.endswith("finished\n")
        assert process.wait(120) == 0
    finally:
        deadline.cancel()
        process.kill()
        process.wait()


def test_following_on_a_terminal_draws_what_fits(ledger, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "12")
    drawn = said(capsys, "status", ledger.url, "--follow")
    assert drawn.startswith("\x1b[H\x1b[J")
    assert len(drawn.splitlines()) == 11
    assert [line.split()[1] for line in drawn.splitlines()[-5:-1]] == ["full-4"] * 4


def test_the_commands_need_neither_airflow_nor_torch_nor_rich(ledger):
    program = (
        "import sys; from windtunnel.cli import main; assert main(sys.argv[1:]) == 0;"
        "assert not {'airflow', 'torch', 'rich', 'optuna'} & set(sys.modules)"
    )
    for arguments in (["status", ledger.url], ["results", ledger.url, "--csv"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
