import pytest

from windtunnel.ledger import State
from windtunnel.workload.contract import load_workload
from windtunnel_trainer import rehearsal


@pytest.fixture
def exports(bench, tmp_path):
    """Makes a run whose trials note what they do."""

    def make(model, after=""):
        made = bench("tests.workloads.exports", {"notes": str(tmp_path / "notes"), "model": model, "after": after})
        made.train_logged = lambda epochs=2.0, **more: made.train(epochs, tmp_path / "log", **more)
        made.notes = lambda: (tmp_path / "notes").read_text().split()
        return made

    return make


@pytest.mark.slow
@pytest.mark.parametrize("after", ["", "swallows"])
def test_a_model_that_cannot_be_exported_is_told_before_it_is_trained(exports, after):
    run = exports("odd", after)
    result = run.train_logged()
    assert result.state is State.FAILED
    assert "before any training: the model cannot be exported to ONNX" in result.message
    assert run.notes() == ["train"]


def test_the_trials_of_a_job_are_rehearsed_while_that_is_little_beside_their_training(exports, tmp_path):
    run = exports("linear")
    run.train_logged(1.0)
    assert run.notes() == ["train", "train", "epoch"]
    spent, trained = map(float, (tmp_path / "rehearsals.txt").read_text().split())
    assert spent > 0 and trained > 0
    (tmp_path / "rehearsals.txt").write_text("1000 49000")
    run.train_logged(2.0)
    assert run.notes()[3:] == ["train", "epoch", "epoch"]
    (tmp_path / "rehearsals.txt").write_text("1000 50000")
    run.train_logged(3.0)
    assert run.notes()[6:] == ["train", "train", "epoch", "epoch", "epoch"]


@pytest.mark.parametrize("after", ["counts on training", "waits"])
def test_a_train_that_counts_on_having_trained_trains(exports, after):
    run = exports("linear", after)
    assert run.train_logged().state is State.COMPLETED
    assert run.notes() == ["train", "train", "epoch", "epoch"]


def test_a_rehearsal_writes_nothing_and_disturbs_no_model(exports, monkeypatch):
    run = exports("lazy")
    written = []
    store = type(run.ledger.store)
    for name in ("put", "upload"):
        monkeypatch.setattr(store, name, lambda *given, name=name: written.append((name, *given[1:])))
    rehearsal.rehearse(load_workload(run.definition.workload), run.ledger, run.definition, run.request())
    assert written == []
    assert run.notes() == ["train"]


def test_a_trial_that_goes_on_is_not_rehearsed_again(exports):
    run = exports("linear")
    run.train_logged(1.0)
    run.train_logged(2.0, continue_from=run.request(1.0).trial)
    assert run.notes().count("train") == 3
