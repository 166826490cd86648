"""Searches from Python: no YAML, no Airflow."""

import sys
from functools import lru_cache, partial

import pytest

import windtunnel
from windtunnel.definition import load_definition
from windtunnel.errors import DefinitionError, LedgerError, SearchError, WindtunnelError
from windtunnel.workload.files import module_file

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}


def rows_of(run):
    return run.trials if isinstance(run.trials, list) else run.trials.to_dict("records")


def parabola(trial):
    trial.report(score=1 - (trial.params["x"] - 0.3) ** 2)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("WINDTUNNEL_STORE", raising=False)


def test_a_function_of_a_module_is_searched(capsys):
    run = windtunnel.search(parabola, SPACE, {"score": "maximize"}, trials=6, parallel=2)
    assert abs(run.best.params["x"] - 0.3) < 0.5
    assert len(run.trials) == 6
    assert set(run.front[0].objectives) == {"score"}
    assert "6 of 6" not in capsys.readouterr().err


def test_one_of_a_notebook_is_found_again_by_its_url_and_extended():
    offset = 0.3

    def train(args, reporter):
        for epoch in range(3):
            reporter(epoch=epoch + 1, score=args.x - offset + epoch)

    first = windtunnel.search(train, SPACE, {"score": "maximize"}, trials=4, parallel=2, progress=False)
    again = windtunnel.open_run(first.url)
    assert again.best == first.best
    assert [[point["epoch"] for point in points] for points in again.curves().values()] == [[1, 2, 3]] * 4
    more = windtunnel.resume(first, train, limits={"trials": 6, "parallel": 2}, progress=False)
    assert more.url == first.url
    assert len(more.trials) == 6

    def other(args, reporter):
        reporter(score=0.0)

    with pytest.raises(LedgerError, match="another"):
        windtunnel.resume(first, other, progress=False)


def test_wrong_fields_are_named_and_nothing_is_begun(tmp_path):
    with pytest.raises(DefinitionError, match="strategy"):
        windtunnel.search(parabola, SPACE, {"score": "maximize"}, strategy={"name": "none"})
    with pytest.raises(DefinitionError, match="trials: found 0"):
        windtunnel.search(parabola, SPACE, {"score": "maximize"}, trials=0)
    with pytest.raises(WindtunnelError, match=r"train: found int; allowed: a function$"):
        windtunnel.search(3, SPACE, {"score": "maximize"})
    assert not (tmp_path / "runs").exists()


class Trainer:
    def __init__(self, score=1.0):
        self.score = score

    def __call__(self, trial):
        trial.report(score=self.score)

    train = __call__

    @classmethod
    def train_class(cls, trial):
        trial.report(score=1.0)


@pytest.mark.parametrize(
    "train",
    [Trainer(), Trainer().train, Trainer.train_class, partial(parabola), lru_cache(parabola), print, [].append],
    ids=["object", "method", "classmethod", "partial", "cached", "builtin", "builtin_method"],
)
def test_what_cannot_travel_by_its_name_is_refused_with_the_mend(train):
    with pytest.raises(WindtunnelError, match=r"train: found .*; allowed: a function: write def train\(trial\)"):
        windtunnel.search(train, SPACE, {"score": "maximize"}, progress=False)


def test_finalists_are_trained_only_if_they_are_approved():
    asked = []

    def refuse(run):
        asked.append(run.best.params)
        return False

    fields = {"epochs": {"partial": 1, "full": 2}, "approval": True}
    run = windtunnel.search(
        parabola, SPACE, {"score": "maximize"}, trials=2, parallel=2, approve=refuse, progress=False, **fields
    )
    assert asked == [run.best.params]
    assert [row["epochs"] for row in rows_of(run) if row["state"] == "completed"] == [1, 1]


def test_a_function_that_only_fails_says_why():
    def train(trial):
        raise ValueError("no such file")

    with pytest.raises(SearchError, match="no such file"):
        windtunnel.search(train, SPACE, {"score": "maximize"}, trials=2, progress=False)


def test_the_headline_of_a_failure_is_the_error_and_its_notes_follow(tmp_path):
    def train(trial):
        error = ValueError("no such layer")
        error.add_note("in block 3")
        raise error

    with pytest.raises(SearchError, match=r"error: ValueError: no such layer \(.*, in train\)$"):
        windtunnel.search(train, SPACE, {"score": "maximize"}, trials=1, progress=False)
    (folder,) = (tmp_path / "runs" / "train").glob("2*")
    (row,) = rows_of(windtunnel.open_run(str(folder)))
    assert row["message"].splitlines()[1:] == ["in block 3"]


def test_what_it_did_is_a_definition_with_its_module_beside_it(tmp_path, monkeypatch):
    def train(trial):
        trial.report(score=trial.params["x"])

    run = windtunnel.search(train, SPACE, {"score": "maximize"}, trials=2, progress=False)
    (tmp_path / "saved").mkdir()
    run.save(tmp_path / "saved" / "mine.yaml")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "saved"), *sys.path])
    definition = load_definition(tmp_path / "saved" / "mine.yaml")
    assert definition.name == "mine"
    assert definition.space == SPACE
    assert (tmp_path / "saved" / module_file(definition.workload).name).is_file()


@pytest.mark.slow
def test_a_run_is_read_gone_on_with_and_saved_in_each_store(each_store, tmp_path):
    def train(trial):
        trial.save("note.txt", trial.id.encode())
        (trial.folder / "curve.csv").write_text("epoch,score\n1,0\n")
        trial.report(score=trial.params["x"])

    run = windtunnel.search(train, SPACE, {"score": "maximize"}, trials=2, store=each_store, progress=False)
    again = windtunnel.open_run(run.url)
    assert run.url.startswith(each_store)
    assert again.artifacts(again.best.trial) == ["curve.csv", "note.txt"]
    assert again.read(again.best.trial, "note.txt").decode() == again.best.trial
    more = windtunnel.resume(run.url, train, limits={"trials": 3}, progress=False)
    assert len(more.curves()) == len(more.trials) == 3
    assert more.report() == f"{run.url}/report.html"
    more.save(tmp_path / "mine.yaml")
    assert load_definition(tmp_path / "mine.yaml").space == SPACE
