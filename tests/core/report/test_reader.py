from pathlib import Path

import pytest

from tests.core.report import made_up
from windtunnel.errors import LedgerError
from windtunnel.ledger import Job, Ledger, Plan, State
from windtunnel.report import RunReader, collect
from windtunnel.report.payloads.compare import compare
from windtunnel.report.stages import iterations, stages
from windtunnel.stores.local import LocalStore


def test_a_snapshot_holds_the_whole_run(ledger: Ledger) -> None:
    results = made_up.fill(ledger)
    snapshot = collect(ledger)
    assert [trial.trial for trial in snapshot.trials] == [result.trial for result in results]
    assert [snapshot.numbers[trial.trial] for trial in snapshot.trials] == list(range(1, 47))
    assert snapshot.counts["failed"] == 3
    assert snapshot.counts["completed"] == 43
    assert [each.name for each in iterations(snapshot)] == ["1", "2", "3", "4"]
    last = iterations(snapshot)[-1].selection
    assert last is not None and last.stop == "the front has not moved for 2 iterations"
    assert [trial.trial for trial in snapshot.trials if trial.trial in snapshot.front] == last.front


def test_an_objective_is_no_metric_too(ledger: Ledger) -> None:
    made_up.fill(ledger)
    trial = collect(ledger).trials[0].trial
    result = ledger.result(trial)
    assert result is not None
    ledger.store.delete(ledger.path(f"results/{trial}.json"))
    ledger.record(result.model_copy(update={"metrics": result.metrics | result.objectives}))
    snapshot = collect(ledger)
    assert snapshot.objectives_of(snapshot.trials[0]) == result.objectives
    assert snapshot.metrics_of(snapshot.trials[0]) == result.metrics


def test_a_failed_trial_tells_why(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    failed = [trial for trial in snapshot.trials if snapshot.state(trial) == "failed"]
    assert len(failed) == 3
    assert all("RuntimeError" in trial.message for trial in failed)
    assert all(set(snapshot.objectives_of(trial)) == {"flops"} for trial in failed)


def test_a_message_too_long_for_a_listing_is_read_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    results = made_up.fill(ledger, iterations=1, finalists=0)
    failed = next(result for result in results if result.state is State.FAILED)
    path = ledger.path(f"results/{failed.trial}.json")
    ledger.store.delete(path)
    ledger.record(failed.model_copy(update={"message": "x" * 5000}))
    requests = Requests(ledger, monkeypatch)
    reader = RunReader(ledger)
    for _ in range(2):
        trial = reader.read().find(failed.trial)
        assert trial is not None and trial.message == "x" * 5000
    assert [read for read in requests.reads if "/results/" in read] == [path]


def test_the_volume_never_falls_and_begins_with_the_first_comparable_trial(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    volumes = [volume for volume in snapshot.volumes if volume is not None]
    assert volumes == sorted(volumes)
    assert len(snapshot.volumes) == len(snapshot.trials)
    assert volumes[-1] > volumes[0]


def test_a_configuration_counts_as_far_as_it_came(ledger: Ledger) -> None:
    """On a lower rung one network looked best; promoted, it came to less, and another one failed."""
    made_up.fill_promoted(ledger, lower={"a": 0.9, "b": 0.5, "c": 0.8}, higher={"a": 0.6, "c": None})
    snapshot = collect(ledger)
    assert snapshot.front == {"a-e3"}
    # Before its promotion b alone counts, which was the only one not to be trained any further.
    assert [volume is None for volume in snapshot.volumes] == [True, False, False, False, False]
    assert snapshot.volumes[1] < snapshot.volumes[3] == snapshot.volumes[-1]
    alone = compare(snapshot, snapshot)["runs"][0]
    assert alone["hypervolume"] == pytest.approx(snapshot.volumes[-1])
    assert [point["trial"] for point in alone["front"]] == ["a-e3"]


def test_finalists_come_best_first_with_their_tests_and_failures(ledger: Ledger) -> None:
    made_up.fill(ledger, finalists=3)
    models = collect(ledger).models
    assert [model.verdict for model in models] == ["verified", "verified", "failed"]
    assert "logit difference" in models[-1].error
    assert set(models[0].test) == {"test_acc", "onnx_acc", "max_logit_diff"}


def test_a_run_under_way_has_trials_that_wait(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    for entry in list(ledger.store.list(ledger.path("results/")))[:4]:
        ledger.store.delete(entry.path)
    ledger.store.delete(ledger.path("iterations/1/known.json"))
    snapshot = collect(ledger)
    assert snapshot.counts["waiting"] == 4
    assert iterations(snapshot)[0].finished == 6
    assert snapshot.front


def test_a_run_that_only_began_has_a_snapshot_too(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    snapshot = collect(ledger)
    assert (snapshot.trials, snapshot.models, snapshot.volumes) == ([], [], [])


def test_a_run_that_has_not_begun_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no run"):
        collect(ledger)


class Requests:
    """What a reader asks of the store."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listings: list[str] = []
        self.reads: list[str] = []
        store = type(ledger.store)
        list_, get, stat = store.list, store.get_tagged, store.stat
        monkeypatch.setattr(store, "list", lambda of, prefix="": self.listings.append(prefix) or list_(of, prefix))
        monkeypatch.setattr(store, "get_tagged", lambda of, path: self.reads.append(path) or get(of, path))
        monkeypatch.setattr(store, "stat", lambda of, path: self.reads.append(path) or stat(of, path))

    def forget(self) -> None:
        self.listings.clear()
        self.reads.clear()


def test_reading_takes_few_requests(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.fill(ledger, finalists=0)
    requests = Requests(ledger, monkeypatch)
    collect(ledger)
    assert len(requests.listings) <= 9
    assert not [path for path in requests.reads if "/results/" in path]


def test_a_later_reading_asks_for_what_is_to_come_only(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    results = made_up.fill(ledger, finalists=0)
    ledger.store.delete(ledger.path("iterations/full-4/plan.json"))
    entry = ledger.store.stat(ledger.path(f"results/{results[-1].trial}.json"))
    ledger.store.delete(entry.path)
    requests = Requests(ledger, monkeypatch)
    reader = RunReader(ledger)
    before = reader.read()
    requests.forget()
    assert reader.read().version == before.version
    assert not [prefix for prefix in requests.listings if prefix.endswith("results/")]
    assert [path for path in requests.reads if "/results/" in path] == [entry.path]
    ledger.record(results[-1])
    after = reader.read()
    assert after.version != before.version
    assert after.counts == before.counts | {"waiting": 0, "completed": before.counts["completed"] + 1}
    requests.forget()
    reader.read()
    assert not [path for path in requests.reads if "/results/" in path]


def test_a_reader_sees_what_a_fresh_one_sees_at_every_moment(tmp_path: Path) -> None:
    """Files of a whole run appear one by one, in any order that a run may write them."""
    whole, growing = (Ledger(LocalStore(tmp_path / name), "digits_cnn", "first") for name in ("whole", "growing"))
    made_up.fill(whole, iterations=2, finalists=2)
    units = list(whole.step_outcomes())
    job = Job(job="verify-2-0", stage="verify-2", units=units)
    whole.create_plan(Plan(stage="verify-2", requests=[], jobs=[job]))
    made_up.begin(growing, made_up.definition())
    reader = RunReader(growing)
    entries = sorted(whole.store.list(whole.path("")), key=lambda entry: ("/steps/" in entry.path, entry.modified))
    for number, entry in enumerate(entries):
        growing.store.create(entry.path, whole.store.get(entry.path), entry.metadata)
        if number % 7 == 0:
            again, fresh = reader.read(), collect(growing)
            for one, other in zip(again.trials, fresh.trials, strict=True):
                assert one == other
            assert (again.models, again.volumes, again.counts) == (fresh.models, fresh.volumes, fresh.counts)
            assert (stages(again), again.steps, again.version) == (stages(fresh), fresh.steps, fresh.version)


def test_the_first_trials_of_launched_jobs_are_running(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    plan = ledger.plan("1")
    assert plan is not None
    for unit in plan.jobs[0].units[1:] + plan.jobs[1].units[1:]:
        ledger.store.delete(ledger.path(f"results/{unit}.json"))
    ledger.begin_launch(plan.jobs[0].job, "here", "2026-11-21T09:00:00+00:00")
    snapshot = collect(ledger)
    states = {trial.trial: snapshot.state(trial) for trial in snapshot.trials}
    assert [states[unit] for unit in plan.jobs[0].units[1:3]] == ["running", "waiting"]
    assert states[plan.jobs[1].units[1]] == "waiting"
