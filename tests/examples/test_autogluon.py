"""AutoGluon's sample, as a function and as a notebook."""

import json
import re
import sys

import pytest

from tests.examples.performed import EXAMPLES, imported
from tests.installed import clean_environment, run

FUNCTION = EXAMPLES / "autogluon" / "toy.py"
NOTEBOOK = EXAMPLES / "autogluon" / "toy.ipynb"


def test_the_function_reports_ten_epochs_and_the_learning_rate_counts(monkeypatch):
    train_fn = imported("autogluon/toy.py", monkeypatch).train_fn

    class Args:
        momentum, wd = 0.9, 1e-4

    def reported(lr):
        Args.lr, reports = lr, []
        train_fn(Args, lambda **values: reports.append(values))
        return reports

    good, bad = reported(0.01), reported(0.0001)
    assert [report["epoch"] for report in good] == [*range(1, 11)]
    assert good[-1]["accuracy"] > bad[-1]["accuracy"]
    assert good[-1]["accuracy"] > good[0]["accuracy"]


def test_the_notebook_has_no_outputs_and_trains_as_the_function_does():
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    code = "\n".join("".join(cell["source"]) for cell in cells)
    function = FUNCTION.read_text()
    for line in ("skill = ", "reporter(epoch=", '"lr": ', '"wd": ', "run = wt.search("):
        (shared,) = [text.strip() for text in function.splitlines() if text.strip().startswith(line)]
        assert shared in code


@pytest.mark.slow
def test_the_function_is_searched(tmp_path):
    printed = run(sys.executable, FUNCTION, cwd=tmp_path, env=clean_environment(XDG_CACHE_HOME=tmp_path / "cache"))
    assert re.search(r"^best: 0\.[56]\d+ with lr 0\.0\d+$", printed, re.MULTILINE)
    (found,) = tmp_path.glob("runs/*/*/report.html")
    assert len([*(found.parent / "results").glob("*-e1*")]) == 20


@pytest.mark.slow
@pytest.mark.long
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    values = [output["data"] for output in outputs if "data" in output]
    assert any("'lr': " in value["text/plain"] for value in values)
    assert any("image/png" in value for value in values)
    assert values[-1]["text/plain"] == "25"
