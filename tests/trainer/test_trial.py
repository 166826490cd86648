import json
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.conformance.workloads import assert_same
from tests.trainer.conftest import CONFIG
from windtunnel.errors import WorkloadError
from windtunnel.ledger.ids import trial_id
from windtunnel.stores.local import LocalStore
from windtunnel_trainer import checkpoints
from windtunnel_trainer.checkpoints import Report, TrainingState
from windtunnel_trainer.logs import UnitLog
from windtunnel_trainer.seeds import generator_states, restore_generators, seed_everything
from windtunnel_trainer.trial import Trial


@pytest.fixture
def begin(bench):
    """Begins a trial of a run that needs no model."""
    made = bench()

    def begin(epochs, every=0.0, **more):
        return Trial(made.ledger, made.definition, made.request(epochs, **more), checkpoint_every=every)

    begin.ledger = made.ledger
    return begin


def walk(trial, steps_per_epoch=4, examples=16, size=4):
    """The epochs and the batches that the trial takes."""
    return [
        (epoch.index, epoch.value, epoch.complete, [list(batch) for batch in epoch.batches(examples, size)])
        for epoch in trial.epochs(steps_per_epoch)
    ]


@pytest.mark.parametrize(
    ("epochs", "values", "steps"),
    [
        (0.1, [(0.1, False)], [1]),
        (0.25, [(0.25, False)], [1]),
        (0.5, [(0.5, False)], [2]),
        (1, [(1.0, True)], [4]),
        (2.3, [(1.0, True), (2.0, True), (2.3, False)], [4, 4, 2]),
    ],
)
def test_epochs_may_be_fractions(begin, epochs, values, steps):
    walked = walk(begin(epochs))
    assert [(value, complete) for _, value, complete, _ in walked] == values
    assert [len(batches) for *_, batches in walked] == steps


def test_an_epoch_has_every_example_once_in_an_order_of_its_own(begin):
    walked = walk(begin(2))
    first, second = ([i for batch in batches for i in batch] for *_, batches in walked)
    assert sorted(first) == sorted(second) == list(range(16))
    assert first != second
    assert walk(begin(2)) == walked
    assert walk(begin(2, seed=1)) != walked


def test_a_part_of_an_epoch_is_its_beginning(begin):
    assert walk(begin(0.5))[0][3] == walk(begin(1))[0][3][:2]


def test_the_last_batch_may_be_smaller_or_left_out(begin):
    assert [len(batch) for batch in walk(begin(1), 4, 14, 4)[0][3]] == [4, 4, 4, 2]
    assert [len(batch) for batch in walk(begin(1), 3, 14, 4)[0][3]] == [4, 4, 4]
    with pytest.raises(WorkloadError, match="12 examples are no 4 batches of 4"):
        walk(begin(1), 4, 12, 4)


def test_an_epoch_must_take_its_steps(begin):
    with pytest.raises(WorkloadError, match="epoch 0 ended after 1 of its 4 steps"):
        for epoch in begin(1).epochs(4):
            next(epoch.batches(16, 4))
    with pytest.raises(WorkloadError, match="epoch 0 ended after 0 of its 4 steps"):
        for _ in begin(1).epochs(4):
            pass
    with pytest.raises(WorkloadError, match="fewer than the 4 steps"):
        for epoch in begin(1).epochs(4):
            list(epoch.take([1, 2, 3]))


def test_loaders_go_on_where_they_were(begin):
    class Loader:
        def __iter__(self):
            return iter(torch.randperm(4).tolist())

    def draw(trial, until=None):
        taken = []
        trial.restore()
        for epoch in trial.epochs(4):
            for item in epoch.take(Loader()):
                taken.append((item, float(torch.rand(1)), random.random(), float(np.random.rand())))
                trial.checkpoint()
                if len(taken) == until:
                    return taken
        return taken

    whole = draw(begin(2))
    begin.ledger.store.delete(begin.ledger.trial_path(trial_id(CONFIG, 2), "checkpoint.pt"))
    assert draw(begin(2), until=3) + draw(begin(2), until=3) + draw(begin(2)) == whole


def test_means_go_on_through_a_checkpoint(begin):
    def losses(trial, until=None):
        trial.restore()
        means = []
        for epoch in trial.epochs(4):
            for batch in epoch.batches(14, 4):
                epoch.add(loss=torch.tensor(float(batch.sum())) / len(batch) + epoch.index, weight=len(batch))
                trial.checkpoint()
                if trial.step == until:
                    return means
            means.append(epoch.means()["loss"])
        return means

    assert losses(begin(2), until=7) == [6.5]
    assert losses(begin(2)) == [7.5]


def test_checkpoints_are_rare_but_the_end_always_writes(begin, monkeypatch):
    written = []
    save = checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *given: written.append(given[3].step) or save(*given))
    trial = begin(2, every=1e9)
    for epoch in trial.epochs(4):
        for _ in epoch.batches(16, 4):
            trial.checkpoint()
        trial.checkpoint()
    assert written == [8]


def test_a_broken_checkpoint_means_training_from_the_beginning(begin, capfd):
    begin.ledger.store.put(begin.ledger.trial_path(trial_id(CONFIG, 1), "checkpoint.pt"), b"torn")
    assert not begin(1).restore()
    assert "cannot be read" in capfd.readouterr().err


def test_a_checkpoint_that_does_not_fit_is_an_error(begin):
    trial = begin(1)
    for epoch in trial.epochs(1):
        list(epoch.batches(4, 4))
        trial.checkpoint(model=torch.nn.Linear(2, 2))
    with pytest.raises(WorkloadError, match=r"'model' of the checkpoint of .* does not fit"):
        begin(1).restore(model=torch.nn.Linear(3, 2))
    with pytest.raises(WorkloadError, match="has no 'net', only model"):
        begin(1).restore(net=torch.nn.Linear(2, 2))
    again = begin(1)
    again.restore(model=torch.nn.Linear(2, 2))
    with pytest.raises(WorkloadError, match="the checkpoint's epochs have 1 steps, not 2"):
        next(again.epochs(2))


def test_what_has_no_state_cannot_be_kept(begin):
    with pytest.raises(WorkloadError, match=r"checkpoint\(model=…\): a dict has neither"):
        begin(1, every=-1).checkpoint(model={})


def test_generators_can_be_kept(begin):
    trial = begin(1)
    generator = torch.Generator().manual_seed(5)
    for epoch in trial.epochs(1):
        list(epoch.batches(4, 4))
        trial.checkpoint(generator=generator)
    expected = torch.rand(3, generator=generator)
    other = torch.Generator()
    assert begin(1).restore(generator=other)
    assert torch.equal(torch.rand(3, generator=other), expected)


def test_reports_at_one_point_are_one(begin):
    trial = begin(2)
    for epoch in trial.epochs(1):
        list(epoch.batches(4, 4))
        trial.report(val_acc=torch.tensor(0.5))
        trial.report(loss=np.float32(0.25), val_acc=0.75)
    assert [(report.epoch, report.metrics) for report in trial.reports] == [
        (1.0, {"val_acc": 0.75, "loss": 0.25}),
        (2.0, {"val_acc": 0.75, "loss": 0.25}),
    ]


def test_the_curve_is_one_line_a_report_and_its_latest_rides_along(begin):
    trial = begin(2.5)
    for epoch in trial.epochs(4):
        list(epoch.batches(16, 4))
        trial.report(val_acc=epoch.index / 10)
    trial.write_metrics(now=True)
    path = begin.ledger.trial_path(trial_id(CONFIG, 2.5), "metrics.jsonl")
    lines = [json.loads(line) for line in begin.ledger.store.get(path).decode().splitlines()]
    assert [(line["epoch"], line["val_acc"]) for line in lines] == [(1.0, 0.0), (2.0, 0.1), (2.5, 0.2)]
    assert json.loads(begin.ledger.store.stat(path).metadata["latest"]) == lines[-1]


def test_the_curve_is_not_written_at_every_report(begin, monkeypatch):
    writes = []
    put = type(begin.ledger.store).put
    monkeypatch.setattr(
        type(begin.ledger.store), "put", lambda *given, **more: writes.append(given[1]) or put(*given, **more)
    )
    trial = begin(50)
    for epoch in trial.epochs(1):
        list(epoch.batches(4, 4))
        trial.report(val_acc=0.5)
    assert len(writes) <= 3


def test_an_early_end_leaves_no_trace_in_a_longer_training():
    early = Report(epoch=0.5, seconds=1, metrics={"a": 1.0}, early=True)
    kept = Report(epoch=0.25, seconds=1, metrics={"a": 1.0}, closes=False)
    progress = TrainingState(step=2, position="early", reports=[kept, early])
    progress.go_on()
    assert (progress.position, progress.reports) == ("within", [kept])
    again = TrainingState.of_state(progress.to_state())
    assert again == progress
    whole = replace(progress, position="between")
    whole.go_on()
    assert whole.position == "between"


def test_schedules_see_the_horizon_and_not_the_trials_epochs(begin):
    assert begin(1).horizon == begin(3).horizon == 4


def test_one_seed_reaches_every_generator():
    def draws():
        return random.random(), float(np.random.rand()), torch.rand(2).tolist()

    seed_everything(3)
    first = draws()
    states = generator_states()
    then = draws()
    restore_generators(states)
    assert draws() == then
    seed_everything(3)
    assert draws() == first
    seed_everything(3, 1)
    assert not set(map(str, draws())) & set(map(str, first))


def test_states_of_generators_survive_a_file_without_code(tmp_path):
    np.random.randn()  # so that a second normal number is in store
    states = generator_states()
    torch.save(states, tmp_path / "states.pt")
    assert_same(torch.load(tmp_path / "states.pt", weights_only=True), states)


@pytest.mark.parametrize("seconds", [1, 60, 600, 3600, 3 * 3600])
def test_ten_epochs_are_written_about_as_often_however_long_they_take(begin, monkeypatch, tmp_path, seconds):
    moment = 0.0
    for module in ("trial", "saving", "metrics", "logs"):
        monkeypatch.setattr(f"windtunnel_trainer.{module}.time", SimpleNamespace(monotonic=lambda: moment))
    monkeypatch.setattr(LocalStore, "metered", True)
    written = Counter()
    for name in ("_put", "_upload"):
        write = getattr(LocalStore, name)

        def count(store, path, *rest, write=write):
            written[path.rpartition("/")[2]] += 1
            write(store, path, *rest)

        monkeypatch.setattr(LocalStore, name, count)
    trial, log = begin(10, every=None), UnitLog(begin.ledger, trial_id(CONFIG, 10), tmp_path)
    log.file.touch()
    for epoch in trial.epochs(20):
        for _ in epoch.batches(20, 1):
            moment += seconds / 200
            log.sync()
            trial.checkpoint()
        trial.report(val_acc=epoch.value)
        trial.checkpoint()
        with log.file.open("a") as file:
            file.write("what an epoch has to say")
    trial.write_metrics(now=True)
    log.sync(at_once=True)
    assert 1 <= written["checkpoint.pt"] <= 4
    assert 1 <= written["metrics.jsonl"] <= 6
    assert 1 <= written["log.txt"] <= 4


def test_a_checkpoint_may_be_asked_for_at_fixed_times(begin, monkeypatch):
    moment = 0.0
    monkeypatch.setattr("windtunnel_trainer.saving.time", SimpleNamespace(monotonic=lambda: moment))
    monkeypatch.setenv("WINDTUNNEL_CHECKPOINT_SECONDS", "60")
    trial, kept = begin(10, every=None), []
    monkeypatch.setattr("windtunnel_trainer.checkpoints.save", lambda *_: kept.append(moment))
    for epoch in trial.epochs(1):
        for _ in epoch.batches(1, 1):
            moment += 50.0
        trial.report(val_acc=epoch.value)
        trial.checkpoint()
    assert kept == [100, 200, 300, 400, 500]


def test_what_is_reported_without_a_name_is_refused_with_the_mend(begin):
    with pytest.raises(WorkloadError, match=r"report\(0\.5\): name what is reported: report\(loss=0\.5\)"):
        begin(1).report(0.5)
