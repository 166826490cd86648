import hashlib
import shutil

import pytest

from tests.core.stages.conftest import SPACE, outcome
from tests.core.stages.test_resume import finish
from windtunnel.errors import LedgerError, SearchError
from windtunnel.ledger import Ledger, Result, State
from windtunnel.objectives.front import fittest
from windtunnel.report import collect
from windtunnel.report.text import headline
from windtunnel.stages import choose_finalists, plan_verification, publish, select, start, suggest
from windtunnel.stages.history import History
from windtunnel.stages.warm_start import _results, adopt_results


@pytest.fixture
def first(bench):
    search = bench.begin("first")
    bench.iterate(search, 2)
    finish(bench, search)
    return search


def test_results_are_copied_with_their_source_and_known_from_the_start(bench, first):
    search = bench.begin("second", warm_start=[first.ledger.url])
    assert len(History(search.ledger).trials(0)) == 12
    trial = search.ledger.plan("0").requests[0].trial
    assert search.ledger.result(trial).source == first.ledger.url


def test_nothing_is_trained_twice(bench, first):
    before = list(bench.trained)
    search = bench.begin("second", warm_start=[first.ledger.url], seed=5)
    bench.iterate(search, 3)
    finish(bench, search)
    assert len(set(bench.trained)) == len(bench.trained) > len(before)


def test_a_widened_space_keeps_what_was_learnt(bench, first):
    wider = SPACE | {"x": {"type": "int", "low": 0, "high": 60}}
    assert len(History(bench.begin("second", warm_start=[first.ledger.url], space=wider).ledger).trials(0)) == 12


def test_other_settings_are_other_trials(bench, first):
    search = bench.begin("second", warm_start=[first.ledger.url], settings={"lr": 0.1})
    assert History(search.ledger).trials(0) == []
    assert note_of(search, first) == "0 of 12 trials taken; it differs in settings"


def test_a_search_of_another_task_begins_with_what_did_best_there(bench, first):
    search = bench.begin("second", warm_start=[first.ledger.url], settings={"lr": 0.1})
    plan = suggest(search, 1)
    best = fittest(History(first.ledger).trials(2), search.problem.objectives)
    taken = [request.params for request in plan.requests if request.note.get("from") == "other task"]
    assert taken == [trial.params for trial in best[: len(taken)]]
    assert 0 < len(taken) <= len(plan.requests) // 2


def test_trials_that_count_here_are_not_begun_with_again(bench, first):
    plan = suggest(bench.begin("second", warm_start=[first.ledger.url]), 1)
    assert "other task" not in [request.note.get("from") for request in plan.requests]


def note_of(search, *sources):
    """What became of a warm start, as the plan, `status` and the decisions say, without the sources' URLs."""
    note = search.ledger.plan("0").note
    assert f"warm start: {note}" in headline(collect(search.ledger)).splitlines()
    assert [decision.reason for decision in search.ledger.selection("0").decisions][:1] == [note]
    for source in sources:
        assert source.ledger.url in note
        note = note.replace(f" from {source.ledger.url}", "")
    return note


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "12 of 12 trials taken"),
        ({"trial_seed": 7}, "0 of 12 trials taken; it differs in trial_seed"),
        (
            {"epochs": {"partial": 1, "full": 9}, "objective_at": "best"},
            "0 of 12 trials taken; it differs in epochs.full or epochs.horizon, objective_at",
        ),
        (
            {"epochs": {"partial": 2, "full": 9, "horizon": 4}},
            "0 of 12 trials taken; not taken: 12 of 1 epoch",
        ),
        (
            {"objectives": {"score": "maximize", "latency_ms": "minimize"}},
            "0 of 12 trials taken; not taken: 12 without latency_ms",
        ),
    ],
)
def test_a_warm_start_says_what_was_not_taken_and_why(bench, first, changes, note):
    assert note_of(bench.begin("second", warm_start=[first.ledger.url], **changes), first) == note


def test_each_obstacle_of_a_trial_is_counted(bench):
    first = bench.begin("first")
    bench.iterate(first, 1, fail=lambda request: request.params["y"] == 1)
    trials = [request.params for request in first.ledger.plan("1").requests]
    ends = {"failed": sum(params["y"] == 1 for params in trials), "low": sum(params["y"] != 1 for params in trials)}
    outside = sum(params["y"] == 2 for params in trials)
    assert min(ends["failed"], outside) > 0
    space = SPACE | {"y": {"type": "categorical", "choices": [1, 4]}}
    note = note_of(bench.begin("second", warm_start=[first.ledger.url], space=space), first)
    assert note.startswith(f"{ends['low'] - outside} of 6 trials taken; not taken: ")
    assert f"{ends['failed']} failed" in note
    assert f"{outside} outside of this search's space" in note


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("search.json", {"code": "older"}, "the source of the workload"),
        ("data/manifest.json", {"digest": "older"}, "data"),
    ],
)
def test_other_code_and_other_data_are_named(bench, first, name, changes, named):
    first.ledger.write_json(name, first.ledger.read_json(name) | changes)
    second = bench.begin("second", warm_start=[first.ledger.url])
    assert note_of(second, first) == f"0 of 12 trials taken; it differs in {named}"


def test_a_run_without_a_done_iteration_gives_nothing(bench):
    first = bench.begin("first")
    suggest(first, 1)
    warm = bench.begin("second", warm_start=[first.ledger.url])
    assert note_of(warm, first) == "0 of 0 trials taken; none of its iterations is done"


def test_a_trials_best_epoch_is_that_of_one_objective(bench):
    def config(run, **more):
        return bench.begin(run, **more).config({"x": 1, "y": 1})

    others = {"cost": "minimize", "score": "maximize"}
    assert config("a") == config("b", objectives=others)
    assert config("c", objective_at="best") != config("d", objective_at="best", objectives=others)


def test_results_that_break_this_searchs_constraints_are_not_taken(bench, first):
    search = bench.begin("second", warm_start=[first.ledger.url], constraints={"cost": {"max": 20}})
    taken = search.ledger.plan("0").requests
    assert taken and all(request.known["cost"] <= 20 for request in taken)
    assert len(taken) < 12


def test_results_without_this_searchs_objectives_are_not_taken(bench, first):
    objectives = {"score": "maximize", "cost": "minimize", "latency_ms": "minimize"}
    search = bench.begin("second", warm_start=[first.ledger.url], objectives=objectives)
    assert search.ledger.plan("0").requests == []


def test_a_failed_trial_that_was_tried_again_does_not_stall_a_warm_start(bench):
    search = bench.begin("tried", session="s1", iterations=1)
    bench.iterate(search, 1, fail=lambda request: request.params["y"] == 1)
    again = bench.begin("tried", session="s2", iterations=1, retry_failed=True)
    bench.iterate(again, 1)
    warm = bench.begin("warm", warm_start=[again.ledger.url])
    outcomes = warm.ledger.outcomes()
    assert all(request.trial in outcomes for request in warm.ledger.plan("0").requests)


def test_a_trial_that_was_tried_again_is_not_trained_a_third_time(bench):
    search = bench.begin("tried", session="s1", iterations=1)
    bench.iterate(search, 1, fail=lambda request: request.params["y"] == 1)
    again = bench.begin("tried", session="s2", iterations=1, retry_failed=True)
    retries = [request.trial for request in suggest(again, 2).requests if ".r1" in request.trial]
    for trial in retries:
        again.ledger.store.put(again.ledger.trial_path(trial, "checkpoint.pt"), b"weights")
    bench.iterate(again, 1)
    warm = bench.begin("warm", warm_start=[again.ledger.url])
    assert retries
    for trial in (retry.removesuffix(".r1") for retry in retries):
        assert warm.ledger.result(trial).state is State.COMPLETED
        assert warm.ledger.store.get(warm.ledger.trial_path(trial, "checkpoint.pt")) == b"weights"


def test_a_warm_start_killed_between_its_writes_is_made_good(bench, first, monkeypatch):
    create_selection = Ledger.create_selection
    monkeypatch.setattr(Ledger, "create_selection", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        bench.begin("second", warm_start=[first.ledger.url])
    monkeypatch.setattr(Ledger, "create_selection", create_selection)
    assert len(History(bench.begin("second", warm_start=[first.ledger.url]).ledger).trials(0)) == 12


def test_what_verification_needs_is_copied_too(bench, first):
    trial = next(trial for trial in first.ledger.outcomes() if trial.endswith("-e4"))
    for name in ("model.onnx", "weights.pt"):
        first.ledger.store.put(first.ledger.trial_path(trial, name), b"content")
    search = bench.begin("second", warm_start=[first.ledger.url])
    bench.iterate(search, 3)
    adopt_results(search, History(search.ledger), [first.ledger.request(trial)])
    for name in ("model.onnx", "weights.pt"):
        assert search.ledger.store.get(search.ledger.trial_path(trial, name)) == b"content"


def test_a_retraining_goes_on_by_its_name_alone(bench, first):
    chosen = [first.ledger.plan("1").requests[0].trial]
    origin = {"from_run": first.ledger.url, "trials": chosen}
    bench.begin("retrain", session="s1", origin=origin, epochs={"partial": 1, "full": 8})
    again = bench.begin("retrain", session="s2", epochs={"partial": 1, "full": 8})
    assert again.origin == origin
    with pytest.raises(LedgerError, match="other trials"):
        bench.begin("retrain", session="s3", origin=origin | {"trials": ["x"]}, epochs={"partial": 1, "full": 8})


def test_an_earlier_run_that_is_not_there_is_a_clear_error(bench, tmp_path):
    with pytest.raises(LedgerError, match="holds no run"):
        bench.begin("second", warm_start=[f"{tmp_path}/toy/missing"])


def test_an_earlier_run_that_is_gone_once_its_results_were_copied_is_a_note(bench, first):
    search = bench.begin("second", warm_start=[first.ledger.url])
    assert "gone" not in start(search).note
    shutil.rmtree(first.ledger.url)
    _results.cache_clear()  # as in the next task's process
    again = bench.begin("second", "s2", warm_start=[first.ledger.url])
    assert start(again).note.endswith(f"{first.ledger.url} is gone since; what was taken from it stays")
    assert suggest(again, 1).requests
    bench.iterate(again, 1)
    assert choose_finalists(again).requests


def test_chosen_trials_of_an_earlier_run_are_trained_fully(bench, first):
    chosen = [request.trial for request in first.ledger.plan("1").requests[:2]]
    search = bench.begin(
        "retrain",
        origin={"from_run": first.ledger.url, "trials": chosen},
        epochs={"partial": 1, "full": 8},
    )
    plan = choose_finalists(search)
    assert [request.continue_from for request in plan.requests] == chosen
    assert {request.source for request in plan.requests} == {first.ledger.url}
    assert {request.epochs for request in plan.requests} == {8}
    assert len(finish(bench, search)) == 2


def test_chosen_trials_that_failed_are_tried_again_on_request(bench, first):
    chosen = [request.trial for request in first.ledger.plan("1").requests[:2]]
    origin = {"from_run": first.ledger.url, "trials": chosen}
    epochs = {"partial": 1, "full": 8}
    search = bench.begin("retrain", session="s1", origin=origin, epochs=epochs)
    plan = choose_finalists(search)
    bench.train(search, plan, fail=lambda request: request == plan.requests[0])
    again = bench.begin("retrain", session="s2", epochs=epochs, retry_failed=True)
    wanted = [f"{plan.requests[0].trial}.r1", plan.requests[1].trial]
    chosen = choose_finalists(again)
    assert [request.trial for request in chosen.requests] == wanted
    later = bench.begin("retrain", session="s3", epochs=epochs)
    assert choose_finalists(later) == chosen
    assert len(finish(bench, later)) == 2


def test_two_chosen_trials_of_one_configuration_are_one_training(bench, first):
    trial = first.ledger.plan("1").requests[0].trial
    origin = {"from_run": first.ledger.url, "trials": [trial, trial]}
    search = bench.begin("retrain", origin=origin, epochs={"partial": 1, "full": 8})
    assert len(choose_finalists(search).requests) == 1


def test_the_best_model_keeps_the_constraints_where_any_does(bench):
    search = bench.begin(trials={"initial": 12, "per_iteration": 6}, constraints={"latency_ms": {"max": 5}})
    bench.iterate(search, 1)
    plan = choose_finalists(search)
    assert len(plan.requests) > 1
    best = max(plan.requests, key=lambda request: outcome(request).objectives["score"]).trial
    for request in plan.requests:
        slow = 0.5 if request.trial == best else 0.0
        search.ledger.record(outcome(request).model_copy(update={"violation": slow}))
        search.ledger.record(Result(trial=f"verify-{request.trial}", state=State.COMPLETED))
    assert publish(search)[0].trial.trial != best


def test_an_unknown_trial_is_named(bench, first):
    search = bench.begin("retrain", origin={"from_run": first.ledger.url, "trials": ["nonsense"]})
    with pytest.raises(LedgerError, match="nonsense"):
        choose_finalists(search)


def test_finalists_go_on_from_their_partial_training(bench):
    search = bench.begin()
    bench.iterate(search, 2)
    plan = choose_finalists(search)
    assert 0 < len(plan.requests) <= search.definition.finalists.max
    for request in plan.requests:
        assert request.continue_from.partition("-e")[0] == request.trial.partition("-e")[0]
    fresh = bench.begin("fresh", finalists={"go_on": False})
    bench.iterate(fresh, 2)
    assert {request.continue_from for request in choose_finalists(fresh).requests} == {None}


def test_a_search_without_a_front_has_no_finalists(bench):
    search = bench.begin(limits={"parallel": 2, "failed_trials": 100})
    bench.iterate(search, 1, fail=lambda request: True)
    with pytest.raises(SearchError, match="no trial is on the front"):
        choose_finalists(search)


def test_a_run_publishes_only_verified_models(bench):
    search = bench.begin(trials={"initial": 12, "per_iteration": 6})
    bench.iterate(search, 1)
    plan = choose_finalists(search)
    bench.train(search, plan)
    for number, request in enumerate(plan.requests):
        state = State.COMPLETED if number else State.FAILED
        unit = f"verify-{request.trial}"
        search.ledger.record(Result(trial=unit, state=state, kind="verification", message="off by 3"))
    assert len(publish(search)) == len(plan.requests) - 1 > 0
    models = search.ledger.read_json("models.json")["models"]
    assert [model["verdict"] for model in models] == ["failed"] + ["verified"] * (len(plan.requests) - 1)
    assert models[0]["error"] == "verification: off by 3"


def test_a_model_is_published_with_its_file_and_the_files_digest_where_there_is_one(bench):
    search = bench.begin(trials={"initial": 12, "per_iteration": 6})
    bench.iterate(search, 1)
    plan = choose_finalists(search)
    bench.train(search, plan)
    for request in plan.requests:
        search.ledger.record(Result(trial=f"verify-{request.trial}", state=State.COMPLETED))
    first = plan.requests[0].trial
    search.ledger.store.put(search.ledger.trial_path(first, "model.onnx"), b"onnx")
    publish(search)
    models = search.ledger.read_json("models.json")["models"]
    digest = hashlib.sha256(b"onnx").hexdigest()
    assert {model["trial"]: (model["onnx"], model["sha256"]) for model in models} == {
        request.trial: (f"trials/{first}/model.onnx", digest) if request.trial == first else (None, None)
        for request in plan.requests
    }


def test_where_a_workload_verifies_nothing_its_models_are_published_as_not_verified(bench, monkeypatch):
    monkeypatch.delattr("tests.workloads.formula.verify")
    search = bench.begin()
    bench.iterate(search, 1)
    plan = choose_finalists(search)
    bench.train(search, plan)
    assert [job.units for job in plan_verification(search).jobs] == [[]]
    assert len(publish(search)) == len(plan.requests)
    models = search.ledger.read_json("models.json")["models"]
    assert {model["verdict"] for model in models} == {"not verified"}
    assert {model.verdict for model in collect(search.ledger).models} == {"not verified"}


def test_a_run_with_no_verified_model_publishes_nothing(bench):
    search = bench.begin()
    bench.iterate(search, 1)
    bench.train(search, choose_finalists(search))
    with pytest.raises(SearchError, match="not verified"):
        publish(search)
    assert not search.ledger.finished("s1")


def test_a_trial_that_rules_stopped_counts_only_under_the_same_rules(bench):
    rules = {"median": {}}
    first = bench.begin("first", early_stopping=rules)
    request = suggest(first, 1).requests[0]
    stopped = outcome(request).model_copy(update={"state": State.STOPPED, "kind": "median"})
    first.ledger.record(stopped)
    first.ledger.store.put(first.ledger.trial_path(request.trial, "checkpoint.pt"), b"weights", {"latest": "1"})
    select(first, 1)
    same = bench.begin("same", early_stopping=rules, warm_start=[first.ledger.url])
    assert same.ledger.selection("0").results == [request.trial]
    other = bench.begin("other", warm_start=[first.ledger.url])
    assert other.ledger.selection("0").results == []
    adopt_results(other, History(other.ledger), [request])
    assert other.ledger.result(request.trial) is None
    taken = other.ledger.trial_path(request.trial, "checkpoint.pt")
    assert other.ledger.store.get(taken) == b"weights"  # it goes on from where it was stopped
    assert other.ledger.store.stat(taken).metadata == {"latest": "1"}
