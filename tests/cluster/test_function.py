"""A function that no pod could import is searched by pods, which keep the files of its trials, of killed ones too."""

import pytest

import windtunnel
from windtunnel.errors import SearchError

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}


def searched(cluster, tmp_path, train, **limits):
    """Search by pods."""
    pods = {"launcher": "kubernetes", "pod_template": cluster.template(), "resources": {"gpus": 0}}
    limits = {"parallel": 2, "trial_retries": 0, **limits}
    store = str(tmp_path / "runs")
    return windtunnel.search(
        train, SPACE, {"score": "maximize"}, trials=4, store=store, limits=limits, progress=False, **pods
    )


def test_a_function_is_searched_by_pods(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scale = 2.0

    def train(trial):
        trial.save("note.txt", trial.id.encode())
        (trial.folder / "curve.csv").write_text("epoch,score\n1,0\n")
        trial.report(score=scale * trial.params["x"])

    run = searched(cluster, tmp_path, train)
    assert len(run.trials) == 4
    assert run.best.objectives["score"] == 2 * run.best.params["x"]
    assert run.artifacts(run.best.trial) == ["curve.csv", "note.txt"]


def test_the_files_of_killed_trials_are_kept_by_pods(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def train(trial):
        import os
        import signal

        (trial.folder / "half.csv").write_text("epoch,score\n1,0\n")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SearchError, match="killed by SIGKILL"):
        searched(cluster, tmp_path, train)
    (folder,) = (tmp_path / "runs" / "train").glob("2*")
    run = windtunnel.open_run(str(folder))
    assert {name for trial in run.curves() for name in run.artifacts(trial)} == {"half.csv"}
