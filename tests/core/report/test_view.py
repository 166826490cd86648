import json

import pytest

from tests.core.report import made_up
from windtunnel.errors import LedgerError
from windtunnel.ledger import Ledger
from windtunnel.report import collect


def test_a_view_holds_the_whole_run(ledger: Ledger) -> None:
    results = made_up.fill(ledger)
    view = collect(ledger)
    assert [trial.trial for trial in view.trials] == [result.trial for result in results]
    assert [trial.number for trial in view.trials] == list(range(1, 47))
    assert view.counts["failed"] == 3
    assert view.counts["completed"] == 43
    assert [each.stage for each in view.iterations] == ["1", "2", "3", "4"]
    assert view.iterations[-1].stop == "the front has not moved for 2 iterations"
    known = ledger.known("4")
    assert known is not None
    assert {trial.trial for trial in view.trials if trial.front} == set(known.front)


def test_a_failed_trial_tells_why(ledger: Ledger) -> None:
    made_up.fill(ledger)
    failed = [trial for trial in collect(ledger).trials if trial.state == "failed"]
    assert all("RuntimeError" in trial.message for trial in failed)
    assert all("loss nan" in trial.log_tail for trial in failed)
    assert all(set(trial.objectives) == {"flops"} for trial in failed)


def test_the_volume_never_falls_and_begins_with_the_first_comparable_trial(ledger: Ledger) -> None:
    made_up.fill(ledger)
    view = collect(ledger)
    volumes = [volume for volume in view.volumes if volume is not None]
    assert volumes == sorted(volumes)
    assert len(view.volumes) == len(view.trials)
    assert volumes[-1] > volumes[0]


def test_finalists_come_best_first_with_their_tests_and_failures(ledger: Ledger) -> None:
    made_up.fill(ledger, finalists=3)
    models = collect(ledger).models
    accuracies = [model.trial.objectives["val_acc"] for model in models]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [model.verified for model in models] == [False, True, True]
    assert "logit difference" in models[0].error
    assert set(models[1].test) == {"test_acc", "onnx_acc", "max_logit_diff"}


def test_a_finalists_curve_begins_with_its_partial_training(ledger: Ledger) -> None:
    made_up.fill(ledger)
    view = collect(ledger)
    epochs = [point["epoch"] for point in view.curves[view.models[0].trial.trial]]
    assert epochs == [0.25, 0.5, 0.75, 1.0, *range(2, 13)]


def test_other_curves_are_bounded_and_the_fronts_come_first(ledger: Ledger) -> None:
    made_up.fill(ledger, finalists=2)
    view = collect(ledger, curves=3)
    finalists = {model.trial.trial for model in view.models}
    others = set(view.curves) - finalists
    assert len(others) == 3
    assert others <= {trial.trial for trial in view.trials if trial.front}


def test_a_run_under_way_has_trials_that_wait(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=1, finalists=0)
    for entry in list(ledger.store.list(ledger.path("results/")))[:4]:
        ledger.store.delete(entry.path)
    ledger.store.delete(ledger.path("iterations/1/known.json"))
    view = collect(ledger)
    assert view.counts["waiting"] == 4
    assert view.iterations[0].finished == 6
    assert any(trial.front for trial in view.trials)


def test_a_run_that_only_began_is_a_view_too(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    view = collect(ledger)
    assert (view.trials, view.models, view.curves) == ([], [], {})


def test_a_run_that_has_not_begun_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no run"):
        collect(ledger)


def test_json_has_no_nan(ledger: Ledger) -> None:
    results = made_up.fill(ledger, iterations=1, finalists=0)
    path = ledger.trial_path(results[0].trial, "metrics.jsonl")
    ledger.store.put(path, b'{"epoch": 1.0, "loss": NaN}\n')
    plain = collect(ledger).to_json()
    json.dumps(plain, allow_nan=False)
    assert plain["curves"][results[0].trial] == [{"epoch": 1.0, "loss": None}]


def test_reading_takes_few_requests(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.fill(ledger, finalists=0)
    listings, reads = [], []
    list_, get = type(ledger.store).list, type(ledger.store).get
    monkeypatch.setattr(
        type(ledger.store), "list", lambda store, prefix="": listings.append(prefix) or list_(store, prefix)
    )
    monkeypatch.setattr(type(ledger.store), "get", lambda store, path: reads.append(path) or get(store, path))
    collect(ledger, curves=0)
    assert len(listings) <= 8
    assert sum("/results/" in path for path in reads) == 3  # the failures' alone
