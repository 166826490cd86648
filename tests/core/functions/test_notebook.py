"""The notebook of `examples/`, executed as a person would."""

import os
import sys

import pytest

from tests.installed import ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_it_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    notebook = nbformat.read(ROOT / "examples" / "python" / "search.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    told = {
        cell.source.splitlines()[0]: output.data["text/plain"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    }
    assert "'trees'" in told["run.best.params, run.best.objectives"]
    assert told["len(run.trials)"] == "8"
    assert told["run.artifacts(run.best.trial)"] == "['loss.svg']"
    assert told['run = windtunnel.resume(run, train, limits={"trials": 10, "parallel": 2})'] == "10"
    assert (tmp_path / "search.yaml").is_file()
    (bar,) = (output.data for cell in notebook.cells[3:4] for output in cell.outputs)
    assert "8 of 8 trials" in bar["text/plain"]
    assert "✓" in bar["text/html"]
    assert "<script" not in bar["text/html"]
