"""What a task says whose definition or workload is another one than when its run began."""

import sys
from types import SimpleNamespace

import pytest

from windtunnel.definition.model import Definition
from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.stages import begin
from windtunnel.stores import open_store
from windtunnel_airflow import context as tasks

TRAIN = "def space():\n    return {'x': [1, 2]}\n\ndef train(trial):\n    trial.report(val_acc=1.0)\n"


@pytest.fixture
def task(home, tmp_path, monkeypatch):
    """Begins a run of a workload whose file it gives, and lets a task look for it."""
    file = tmp_path / "edited_workload.py"
    file.write_text(TRAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    definition = Definition(name="toy", workload="edited_workload", objectives={"val_acc": "maximize"})
    store = str(tmp_path / "store")
    ledger = begin(definition, Ledger(open_store(store), "toy", "first"), "first").ledger

    def look(now=definition):
        dag = SimpleNamespace(dag_id="toy", user_defined_macros={tasks.DEFINITION: now})
        context = {"params": {"resume": None}, "run_id": "first", "dag": dag, "ti": None}
        then = context | {"dag": SimpleNamespace(user_defined_macros={tasks.DEFINITION: definition})}
        told.setdefault("written", tasks._as_written(then).digest)
        context["ti"] = SimpleNamespace(xcom_pull=lambda **_: {"digest": ledger.digest, **told})
        return tasks.current_search(store, context)

    told: dict[str, str] = {}
    look()
    yield file, look, definition
    sys.modules.pop("edited_workload", None)


def test_an_edited_workload_is_to_be_put_back(task):
    file, look, _ = task
    file.write_text(TRAIN + "# edited\n")
    mend = "the workload's source is another one: put it back and resume the run, or begin a new run"
    with pytest.raises(LedgerError, match=f"the definition changed since first began: {mend}"):
        look()
    file.write_text(TRAIN)
    assert look().session.session == "first"


def test_an_edited_definition_is_resumed(task):
    _, look, definition = task
    other = definition.model_copy(update={"description": "edited"})
    with pytest.raises(LedgerError, match="changed since first began: resume the run, or put the definition back"):
        look(other)
