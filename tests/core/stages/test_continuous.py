"""A continuous search, stepped: which trials run, wait and have ended is what each test says."""

import json

import pytest

from tests.core.stages.conftest import outcome
from windtunnel.ledger import Request
from windtunnel.ledger.curves import METRICS, curve_metadata
from windtunnel.ledger.ids import first_id
from windtunnel.report import collect
from windtunnel.report.notes import late
from windtunnel.stages import choose_finalists, goes_on, select, suggest
from windtunnel.stages.continuous import batch_size, trial_times, what_follows
from windtunnel.stages.publishing import write_front

CONTINUOUS = {"continuous": True, "limits": {"parallel": 2}}


def end(search, plan, trials, **how):
    for request in plan.requests:
        if request.trial in trials:
            search.ledger.record(outcome(request, **how))


def report(search, request, score):
    values = {"epoch": 1.0, "score": score}
    search.ledger.store.put(search.ledger.trial_path(request.trial, METRICS), b"", curve_metadata(json.dumps(values)))


def test_a_batch_is_suggested_while_the_last_one_runs_and_waits(bench):
    search = bench.begin(**CONTINUOUS | {"trials": {"initial": 6, "per_iteration": 6, "ahead": 2}})
    first = suggest(search, 1)
    assert (first.ahead, first.last) == (2, False)
    begun = [request.trial for request in first.requests]
    end(search, first, begun[:2])
    known = select(search, 1)
    assert known.results == begun[:2] and known.stop is None and goes_on(search, 2)
    second = suggest(search, 2)
    configs = [request.config for plan in (first, second) for request in plan.requests]
    assert len(configs) == len(set(configs)) == 12


def test_what_runs_counts_as_under_way_with_what_it_has_reported(bench):
    search = bench.begin(**CONTINUOUS)
    first = suggest(search, 1)
    report(search, first.requests[0], 7.0)
    known = select(search, 1)
    assert known.underway == {first.requests[0].trial: {"epoch": 1.0, "score": 7.0}}


@pytest.mark.parametrize("ahead", [0, 5])
def test_as_many_trials_wait_as_the_definition_says(bench, ahead):
    trials = {"initial": 6, "per_iteration": 6, "ahead": ahead}
    assert suggest(bench.begin(continuous=True, trials=trials, limits={"parallel": 2}), 1).ahead == ahead


def ahead(definition, times, known=True):
    """How many wait, if the trials that have not ended take so many seconds each."""
    trials = [f"{n:016x}" for n in range(len(times))]
    requests = [Request(trial=f"{each}-e1", config=each, params={}, epochs=1, stage="1") for each in trials]
    seconds = {request.trial: time for request, time in zip(requests, times, strict=True)} if known else {}
    return what_follows(definition, last=False, more=True, requests=requests, times=seconds)[0]


@pytest.mark.parametrize(("lanes", "first", "expected"), [(2, 3, 0), (8, 12, 2), (8, 10, 1), (8, 8, 0), (40, 60, 10)])
def test_until_a_time_is_known_a_trial_waits_for_every_four_lanes(bench, lanes, first, expected):
    definition = bench.begin(continuous=True, limits={"parallel": lanes, "trials": 900}).definition
    assert ahead(definition, [1.0] * first, known=False) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1.0] * 100, 32),
        ([1.0] * 30, 21),
        ([1.0] * 8, 0),
        ([16.0] * 100, 7),
        ([40.0] * 100, 4),
        ([600.0] * 100, 1),
        ([1.0] * 10 + [50.0] * 10 + [600.0] * 10, 8),
        ([1e-9] * 100, 32),
    ],
)
def test_the_shortest_trials_wait_that_keep_lanes_busy_for_a_turn(bench, times, expected):
    definition = bench.begin(continuous=True, limits={"parallel": 8, "trials": 900}).definition
    assert ahead(definition, times) == expected


def test_slots_are_lanes_within_a_lane(bench):
    definition = bench.begin(continuous=True, limits={"parallel": 4, "slots": 2, "trials": 900}).definition
    assert ahead(definition, [16.0] * 100) == 7


def test_what_waits_follows_from_the_trials_that_have_not_ended(bench):
    search = bench.begin(continuous=True, trials={"initial": 6, "per_iteration": 10}, limits={"parallel": 2})
    first, *others = suggest(search, 1).requests
    search.ledger.record(outcome(first).model_copy(update={"seconds": 0.5 * first.cost}))
    select(search, 1)
    plan = suggest(search, 2)
    times = [0.5 * request.cost for request in (*others, *plan.requests)]
    assert plan.ahead == ahead(search.definition, times) > 0


def test_what_has_not_ended_is_timed_by_its_cost(bench):
    requests = [one.model_copy(update={"cost": cost}) for cost, one in enumerate(suggest(bench.begin(), 1).requests, 1)]
    trials = [request.trial for request in requests]
    assert trial_times(requests, {}) == {}
    assert min(trial_times([one.model_copy(update={"cost": 0.0}) for one in requests], {trials[0]: 1.0}).values()) > 0
    assert trial_times(requests, {trials[1]: 10.0}) == {trial: 5.0 * cost for cost, trial in enumerate(trials, 1)}
    assert sum(trial_times(requests, dict.fromkeys(trials, 7.0)).values()) == pytest.approx(7.0 * len(trials))


@pytest.mark.parametrize(
    ("seconds", "fields", "expected"),
    [
        (1.0, {}, 32),
        (10.0, {}, 16),
        (20.0, {}, 8),
        (3600.0, {}, 6),
        (1.0, {"limits": {"parallel": 8}}, 6),
        (10.0, {"trials": {"initial": 6, "per_iteration": 24}}, 24),
        (10.0, {"trials": {"initial": 16, "ahead": 0}}, 8),
        (10.0, {"continuous": False, "trials": {"initial": 16, "per_iteration": 8}}, 8),
    ],
)
def test_a_batch_lasts_for_a_turn(bench, seconds, fields, expected):
    definition = bench.begin(**{"continuous": True, "limits": {"parallel": 8, "trials": 60}} | fields).definition
    left = 50 if definition.limits.trials else None
    assert batch_size(definition, left, [seconds / 2, seconds, seconds * 3 / 2]) == expected


@pytest.mark.parametrize(
    ("trials", "lanes", "left", "expected"), [(24, 2, 4, 4), (24, 2, 5, 2), (60, 2, 8, 8), (60, 2, 9, 2), (60, 3, 9, 9)]
)
def test_the_last_trials_are_one_batch_of_four_a_lane_and_a_sixth_of_all_at_most(bench, trials, lanes, left, expected):
    sizes = {"initial": trials - left, "per_iteration": 2}
    search = bench.begin(continuous=True, trials=sizes, limits={"parallel": lanes, "trials": trials})
    suggest(search, 1)
    select(search, 1)
    assert len(suggest(search, 2).requests) == expected


def test_failures_tell_nothing_of_a_trials_time(bench):
    search = bench.begin(continuous=True, limits={"parallel": 8, "trials": 60})
    for request in suggest(search, 1).requests[:3]:
        search.ledger.record(outcome(request, failed=True).model_copy(update={"seconds": 0.1}))
    select(search, 1)
    plan = suggest(search, 2)
    assert (len(plan.requests), plan.ahead) == (6, 0)


@pytest.mark.parametrize("fields", [{}, {"limits": {"parallel": 2, "trials": 60}}])
def test_a_batch_is_never_over_unseen(bench, fields):
    fields = {"limits": {"parallel": 8}, "trials": {"initial": 6, "per_iteration": 4}} | fields
    search = bench.begin(continuous=True, **fields)
    for request in suggest(search, 1).requests:
        search.ledger.record(outcome(request).model_copy(update={"seconds": 1.0}))
    select(search, 1)
    plan = suggest(search, 2)
    assert not plan.is_over(len(plan.requests), len(plan.requests))


def test_the_barrier_is_the_default(bench):
    plan = suggest(bench.begin(), 1)
    assert (plan.ahead, plan.last) == (None, False)
    assert not plan.is_over(1, 0) and plan.is_over(0, 0)


def test_an_iteration_is_over_by_what_no_lane_has_claimed(bench):
    plan = suggest(bench.begin(**CONTINUOUS | {"trials": {"initial": 6, "ahead": 2}}), 1)
    assert not plan.is_over(6, 3)
    assert plan.is_over(4, 2) and plan.is_over(0, 0)


def test_the_last_batch_waits_for_a_lane_for_every_trial(bench):
    search = bench.begin(iterations=2, **CONTINUOUS)
    suggest(search, 1)
    select(search, 1)
    last = suggest(search, 2)
    assert (last.ahead, last.last) == (0, True)


def test_the_batch_that_reaches_the_limit_is_the_last(bench):
    search = bench.begin(continuous=True, limits={"parallel": 2, "trials": 9})
    assert not suggest(search, 1).last
    select(search, 1)
    plan = suggest(search, 2)
    assert len(plan.requests) == 3 and plan.last
    assert "limits.trials of 9 is reached" in select(search, 2).stop
    assert not goes_on(search, 3)


def test_promotions_are_decided_from_what_is_known_and_at_the_end_from_all(bench):
    halving = {"early_stopping": {"halving": {"first": 1}}, "epochs": {"partial": 3, "full": 9}}
    search = bench.begin(iterations=3, objectives={"score": "maximize"}, **CONTINUOUS, **halving)
    first = suggest(search, 1)
    begun = [request.trial for request in first.requests]
    end(search, first, begun[:3])
    promotions = select(search, 1).promotions
    assert len(promotions) == 1 and set(promotions) <= set(begun[:3])
    second = suggest(search, 2)
    assert {request.epochs for request in second.requests} == {1, 3}
    assert (second.ahead, second.last) == (None, False)  # the third iteration only promotes
    end(search, first, begun)
    end(search, second, {request.trial for request in second.requests})
    assert len(select(search, 2).results) == len(first.requests) + len(second.requests)
    assert suggest(search, 3).last


def test_finalists_are_chosen_while_stragglers_end_and_each_of_these_is_named(bench):
    search = bench.begin(iterations=1, **CONTINUOUS)
    plan = suggest(search, 1)
    *done, good, bad, silent = plan.requests
    end(search, plan, {request.trial for request in done})
    report(search, good, 1e6)
    report(search, bad, -1e6)
    known = select(search, 1)
    said = {one.trial: one.reason for one in known.decisions if one.what == "late" and one.trial}
    assert said.keys() == {good.trial, bad.trial, silent.trial}
    assert "it would be on the front" in said[good.trial]
    assert "it has reported nothing yet" in said[silent.trial]
    chosen = {first_id(request.continue_from) for request in choose_finalists(search).requests}
    assert chosen <= {request.trial for request in done}


def test_what_ends_later_and_belongs_on_the_front_is_named_in_the_end(bench):
    search = bench.begin(iterations=1, **CONTINUOUS)
    plan = suggest(search, 1)
    best = max(plan.requests, key=lambda request: outcome(request).objectives["score"])
    end(search, plan, {request.trial for request in plan.requests} - {best.trial})
    select(search, 1)
    assert late(collect(search.ledger)) == []
    end(search, plan, {best.trial})
    write_front(search)
    assert [trial["trial"] for trial in search.ledger.read_json("pareto.json")["late"]] == [best.trial]
    assert late(collect(search.ledger)) == [best.trial]


def test_failures_and_time_end_it_as_they_end_every_search(bench):
    search = bench.begin(continuous=True, limits={"parallel": 2, "failed_trials": 2})
    plan = suggest(search, 1)
    end(search, plan, {request.trial for request in plan.requests[:2]}, failed=True)
    assert "limits.failed_trials is 2" in select(search, 1).failure
    assert not goes_on(search, 2)


def test_a_repeated_task_repeats_itself_whatever_ended_meanwhile(bench):
    search = bench.begin(**CONTINUOUS)
    first = suggest(search, 1)
    end(search, first, {first.requests[0].trial})
    known, second = select(search, 1), suggest(search, 2)
    end(search, first, {request.trial for request in first.requests})
    assert select(search, 1) == known
    assert suggest(search, 2) == second


def test_the_first_failure_ends_nothing_while_others_run(bench):
    search = bench.begin(**CONTINUOUS)
    plan = suggest(search, 1)
    end(search, plan, {plan.requests[0].trial}, failed=True)
    assert select(search, 1).failure is None
    assert goes_on(search, 2)
