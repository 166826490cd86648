import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from windtunnel.definition import load_definition, resolve
from windtunnel.ledger import Ledger
from windtunnel.stages import begin, suggest
from windtunnel_trainer import child, tryout

ROOT = Path(__file__).parents[2]

WORKLOAD = """
def space():
    return {"width": [1, 2]}


def prepare(data):
    data.save("train", x=[1.0, 2.0])


def train(trial):
    if trial.params["width"] == 2:
        raise RuntimeError("width 2 does not train")
    if trial.settings.get("see_test"):
        trial.load("test")
    trial.report(score=0.5)


def verify(model):
    model.compare([1.0], [1.0])


TORCH = False
"""


@pytest.fixture
def attempt(tmp_path):
    """Runs `windtunnel try` on a workload of the working directory."""
    (tmp_path / "mine.py").write_text(WORKLOAD)

    def attempt(*arguments, **fields):
        file = tmp_path / "search.yaml"
        file.write_text(yaml.safe_dump({"workload": "mine", "objectives": {"score": "maximize"}} | fields))
        return subprocess.run(
            [sys.executable, "-m", "windtunnel", "try", str(file), *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "include", ROOT)))},
            capture_output=True,
            text=True,
        )

    return attempt


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """What a try says that ends before it trains, in the tests' own process."""
    (tmp_path / "mine.py").write_text(WORKLOAD)
    (tmp_path / "search.yaml").write_text(yaml.safe_dump({"workload": "mine", "objectives": {"score": "maximize"}}))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(child, "adopt", lambda: None)
    monkeypatch.setattr(child, "end_orphans", lambda others: None)

    def refused(*arguments):
        assert tryout.main([str(tmp_path / "search.yaml"), *arguments]) == 1
        return capsys.readouterr().err

    yield refused
    sys.modules.pop("mine", None)


def test_it_prints_reports_and_result_and_times(attempt, tmp_path):
    done = attempt("--params", '{"width": 1}', "--epochs", "3", f"--keep={tmp_path / 'kept'}")
    assert done.returncode == 0, done.stderr
    assert "train_examples 2" in done.stdout
    assert "epoch 1: score 0.5" in done.stdout
    assert "objectives: score 0.5" in done.stdout
    assert "max_logit_diff 0" in done.stdout
    assert all(f"{stage} 0." in done.stdout for stage in ("prepare", "train", "verify"))
    (search,) = (tmp_path / "kept").glob("search/try-*/search.json")
    assert json.loads(search.read_text())["definition"]["workload"] == "mine"


def test_it_tries_the_very_trial_that_a_search_would_train(attempt, tmp_path, monkeypatch):
    more = {"space": {"width": [1]}, "epochs": {"partial": 3, "full": 8}, "objective_at": "best"}
    attempt("--params", '{"width": 1}', f"--keep={tmp_path / 'kept'}", **more)
    (tried,) = (tmp_path / "kept").glob("search/try-*")
    monkeypatch.syspath_prepend(tmp_path)
    ledger = Ledger.open(f"{tmp_path}/runs/search/run")
    search = begin(resolve(load_definition(tmp_path / "search.yaml")), ledger, "session")
    ledger.write_json("data/manifest.json", json.loads((tried / "data/manifest.json").read_text()))
    (request,) = suggest(search, 1).requests
    assert [folder.name for folder in (tried / "trials").iterdir()] == [request.trial]


def test_a_fault_of_the_workload_shows_its_traceback(attempt):
    done = attempt("--params", '{"width": 2}')
    assert done.returncode == 1
    assert 'mine.py", line 12, in train' in done.stderr
    assert "RuntimeError: width 2 does not train" in done.stderr


def test_a_breach_of_the_contract_names_the_line(attempt):
    done = attempt("--params", '{"width": 1}', settings={"see_test": True})
    assert done.returncode == 1
    assert "must not see the test data" in done.stderr
    assert 'mine.py:14, in train: trial.load("test")' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ('{"width": 9}', "width: found 9"),
        ("width", "is no JSON"),
        ("[1]", "give an object"),
        ("{}", "width: is missing"),
    ],
)
def test_wrong_parameters_are_named(refused, params, message):
    error = refused("--params", params)
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("epochs", ["0", "-1", "nan", "inf"])
def test_wrong_epochs_are_named(refused, epochs):
    assert f"--epochs: found {epochs}; allowed: a number above 0" in refused(f"--epochs={epochs}")


def test_a_configuration_is_drawn(attempt):
    done = attempt("--seed", "1", space={"width": [1], "depth": {"type": "int", "low": 3, "high": 5}})
    drawn = json.loads(done.stdout.split("trial: ")[1].split("}")[0] + "}")
    assert drawn.keys() == {"width", "depth"}
    assert drawn["depth"] in (3, 4, 5)


def test_what_the_workload_leaves_behind_ends_with_it(attempt, tmp_path):
    """A daemon holds the pipes that a caller reads to their end."""
    daemon = """
def leave():
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    os.wait()


"""
    (tmp_path / "mine.py").write_text(daemon + WORKLOAD.replace("    trial.report(", "    leave()\n    trial.report("))
    assert attempt("--params", '{"width": 1}').returncode == 0


def test_a_scripts_own_lines_and_what_is_read_of_them_are_told_apart(tmp_path):
    (tmp_path / "train.py").write_text("print('epoch 1: score 0.5')\n")
    file = tmp_path / "script.yaml"
    script = {"file": "train.py", "arguments": "{flags}", "metrics": {"score": r"score (\S+)"}}
    file.write_text(yaml.safe_dump({"script": script, "space": {"width": [1, 2]}, "objectives": {"score": "maximize"}}))
    ended = subprocess.run(
        [sys.executable, "-m", "windtunnel", "try", str(file)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    at = lines.index("epoch 1: score 0.5")
    assert lines.count("epoch 1: score 0.5") == 1
    assert lines[at + 1] == "read as epoch 1: score 0.5"
