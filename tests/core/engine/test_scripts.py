"""A search of a script, without Airflow."""

import pytest
import yaml

from tests import script_search
from windtunnel import stages
from windtunnel.definition import load_definition, resolve
from windtunnel.engine import Engine
from windtunnel.ledger import Ledger, Verdict
from windtunnel.ledger.artifacts import artifacts
from windtunnel.report import RunReader
from windtunnel.report.text import headline
from windtunnel.stores import open_store

IGNORES = "import sys\nprint('accuracy=0.5')  # lr\nprint('by hand', file=open('note.txt', 'w'))\n"
SEARCH = """\
script: { file: train.py, arguments: --quiet, keep: [note.txt] }
space: { lr: { type: float, low: 0.0, high: 1.0 } }
objectives: { accuracy: maximize }
trials: { initial: 3 }
iterations: 1
limits: { parallel: 2 }
"""


@pytest.mark.slow
def test_a_script_is_searched_and_what_it_ignores_is_told(each_store, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.py").write_text(IGNORES)
    file = folder / "search.yaml"
    file.write_text(SEARCH)
    ledger = Ledger(open_store(each_store), "search", "run")
    models = Engine(stages.begin(resolve(load_definition(file)), ledger, "local")).perform()
    snapshot = RunReader(ledger).read()
    assert {model.trial.trial for model in models} <= {trial.trial for trial in snapshot.trials}  # nothing is retrained
    assert {model.verdict for model in models} == {Verdict.UNVERIFIED}
    assert {ledger.store.get(artifacts(ledger, trial.trial)["note.txt"].path) for trial in snapshot.trials} == {
        b"by hand\n"
    }
    lines = headline(snapshot).splitlines()
    assert lines[1:-1] == [
        "warning: script.arguments: train.py is never told of lr: write {lr}, {flags} or {params}",
        "warning: 3 trials that differ in lr came to the same accuracy 0.5: does the script use what it is given?",
    ]
    file.write_text(SEARCH + "description: another\n")
    (folder / "elsewhere").mkdir()
    again = stages.begin(resolve(load_definition(file)), ledger, "again")
    assert again.code == snapshot.record["code"]  # the definition's own file is no part of what trials are


@pytest.mark.slow
def test_checkpoints_live_through_promotion_and_full_training_and_models_are_checked(each_store, tmp_path):
    script_search.write(tmp_path)
    file = tmp_path / "script.yaml"
    file.write_text(yaml.safe_dump(script_search.SEARCH))
    ledger = Ledger(open_store(each_store), "script", "run")
    Engine(stages.begin(resolve(load_definition(file)), ledger, "local")).perform()
    script_search.check(ledger)
