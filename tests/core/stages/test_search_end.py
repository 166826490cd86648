"""Every reason to end a whole search early is recorded."""

import pytest

from tests.core.stages.conftest import outcome
from windtunnel.stages import select, suggest


def ended(search):
    known = search.ledger.selection(str(search.ledger.iterations_done()))
    assert [decision.reason for decision in known.decisions if decision.what == "end"] == (
        [f"the search ends here: {known.stop}"] if known.stop else []
    )
    return int(known.stage), known.stop


def test_after_so_many_configurations(bench):
    search = bench.begin(limits={"parallel": 2, "trials": 8})
    bench.iterate(search, 3)
    assert len(bench.trained) == 8
    assert ended(search) == (2, "limits.trials of 8 is reached")


def test_configurations_begun_are_still_promoted(bench):
    search = bench.begin(
        limits={"parallel": 2, "trials": 6},
        early_stopping={"halving": {"first": 1}},
        epochs={"partial": 3, "full": 9},
        iterations=5,
    )
    bench.iterate(search, 5)
    assert sum(trial.endswith("-e1") for trial in bench.trained) == 6
    assert sum(trial.endswith("-e3") for trial in bench.trained) == 2
    assert ended(search) == (2, "limits.trials of 6 is reached; none is left to promote")


def test_a_warm_start_costs_no_trials(bench):
    first = bench.begin("first", limits={"parallel": 2, "trials": 6})
    bench.iterate(first, 3)
    second = bench.begin("second", limits={"parallel": 2, "trials": 6}, warm_start=[first.ledger.url])
    bench.iterate(second, 3)
    assert len(bench.trained) == 12


def test_after_so_many_gpu_hours(bench):
    search = bench.begin(limits={"parallel": 2, "gpu_hours": 10})
    for k in (1, 2):
        plan = suggest(search, k)
        for request in plan.requests:
            result = outcome(request).model_copy(update={"seconds": 1800.0, "gpus": 2})
            search.ledger.record(result)
        select(search, k)
    assert search.ledger.selection("1").stop is None  # six trials of one GPU-hour each
    assert ended(search) == (2, "limits.gpu_hours of 10 is used up")


def test_when_one_trial_reaches_the_whole_target(bench):
    search = bench.begin(stopping={"target": {"score": -1e9, "cost": 1e9}})
    bench.iterate(search, 3)
    assert ended(search) == (1, "the target score -1e+09, cost 1e+09 is reached")
    other = bench.begin("other", stopping={"target": {"score": -1e9, "cost": -1}})  # no trial reaches both
    bench.iterate(other, 3)
    assert ended(other) == (3, None)


def test_when_the_hypervolume_has_not_grown(bench):
    search = bench.begin(stopping={"stale_iterations": 1}, objectives={"flat": "maximize"}, iterations=3)
    for k in (1, 2):
        for request in suggest(search, k).requests:
            search.ledger.record(outcome(request).model_copy(update={"objectives": {"flat": 1.0}}))
        select(search, k)
    assert ended(search) == (2, "the hypervolume has not grown for 1 iteration")


def test_a_front_that_grows_beyond_the_first_ones_bounds_has_grown(bench):
    search = bench.begin(stopping={"stale_iterations": 1}, iterations=3)
    for k in (1, 2, 3):
        for request in suggest(search, k).requests:  # better and better, at ever greater cost
            values = {"score": 10.0 * k, "cost": 10.0**k}
            search.ledger.record(outcome(request).model_copy(update={"objectives": values}))
        select(search, k)
    assert search.ledger.selection("1").hypervolume == search.ledger.selection("3").hypervolume
    assert ended(search) == (3, None)


def test_trials_that_all_fail_for_one_cause_end_the_search_with_it(bench):
    search = bench.begin(limits={"parallel": 2, "failed_trials": 100})
    bench.iterate(search, 3, fail=lambda request: True)
    known = search.ledger.selection("1")
    assert known.failure == "the first 6 trials failed for the same cause: error: as asked"
    assert len(bench.trained) == 6


@pytest.mark.parametrize(
    ("trials", "expected"),
    [(2, "all 2 trials failed; 2 times error: as asked"), (1, "the only trial failed; 1 time error: as asked")],
)
def test_few_trials_that_all_fail_end_the_search_too(bench, trials, expected):
    few = bench.begin(limits={"parallel": 2, "failed_trials": 100}, trials={"initial": trials, "per_iteration": 6})
    bench.iterate(few, 3, fail=lambda request: True)
    assert few.ledger.selection("1").failure == expected
