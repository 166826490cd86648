import math
import re
import sys

import pytest

from tests.core.space.spaces import EVERYTHING
from tests.core.stages.conftest import SPACE, outcome, units_of
from tests.workloads import formula
from windtunnel.ledger import Result, State
from windtunnel.ledger.curves import METRICS, curve_metadata
from windtunnel.ledger.ids import first_id
from windtunnel.stages import goes_on, select, suggest
from windtunnel.stages.history import History
from windtunnel.strategies import strategy_names
from windtunnel.strategies.random_search import RandomSearch


def test_a_plan_is_fixed_and_a_repeated_task_repeats_itself(bench):
    search = bench.begin()
    assert suggest(search, 1) == suggest(search, 1)


def test_a_plan_holds_every_trial_once_and_deals_none_out(bench):
    plan = suggest(bench.begin(), 1)
    assert plan.jobs == []
    assert len(set(units_of(plan))) == 6


def test_no_trial_is_suggested_twice(bench):
    search = bench.begin()
    bench.iterate(search, 3)
    assert len(bench.trained) == len(set(bench.trained)) == 18


def test_the_same_results_in_another_order_give_the_same_search(bench):
    forward, backward = bench.begin("a"), bench.begin("b")
    bench.iterate(forward, 3)
    for k in (1, 2, 3):
        plan = suggest(backward, k)
        requests = {request.trial: request for request in plan.requests}
        for unit in sorted(units_of(plan), reverse=True):
            backward.ledger.record(outcome(requests[unit]))
        select(backward, k)
    assert [forward.ledger.plan(str(k)) for k in (1, 2, 3)] == [backward.ledger.plan(str(k)) for k in (1, 2, 3)]
    assert forward.ledger.selection("3") == backward.ledger.selection("3")


def test_another_seed_gives_another_search_but_ids_of_the_same_things_are_the_same(bench):
    plans = [suggest(bench.begin(f"run{seed}", seed=seed), 1) for seed in (0, 1)]
    first, second = ({str(r.params): r.trial for r in plan.requests} for plan in plans)
    assert first.keys() != second.keys()
    assert all(first[params] == second[params] for params in first.keys() & second.keys())


def test_selection_is_fixed_and_late_results_count_in_the_next_one(bench):
    search = bench.begin()
    plan = suggest(search, 1)
    late = units_of(plan)[-1]
    bench.train(search, plan, only=set(units_of(plan)) - {late})
    known = select(search, 1)
    assert late not in known.results and "1 late trial" in " ".join(map(str, known.decisions))
    bench.train(search, plan, only={late})
    assert select(search, 1) == known
    second = suggest(search, 2)
    assert first_id(late) not in {request.trial for request in second.requests}
    bench.train(search, second)
    assert late in select(search, 2).results


def test_a_search_replayed_from_its_records_suggests_the_same(bench):
    """What a straggler did after the selection must not change what the next suggestion sees."""
    runs = []
    for name, late_before in (("early", True), ("late", False)):
        search = bench.begin(name)
        plan = suggest(search, 1)
        units = units_of(plan)
        bench.train(search, plan, only=set(units[:-1]))
        select(search, 1)
        if late_before:
            bench.train(search, plan, only={units[-1]})
        runs.append([request.params for request in suggest(search, 2).requests])
    assert runs[0] == runs[1]


def test_the_front_holds_no_failed_trial_and_no_dominated_one(bench):
    search = bench.begin()
    plan = suggest(search, 1)
    bench.train(search, plan, fail=lambda request: request.params["x"] > 15)
    known = select(search, 1)
    seen = {trial.trial: trial for trial in History(search.ledger).trials(1)}
    assert known.front
    for trial in known.front:
        assert seen[trial].state is State.COMPLETED
        mine = seen[trial].objectives
        for other in seen.values():
            if other.objectives and other.trial != trial:
                theirs = other.objectives
                better = theirs["score"] >= mine["score"] and theirs["cost"] <= mine["cost"]
                assert not better or theirs == mine


def test_too_many_failures_end_the_search_with_one_reason(bench):
    search = bench.begin(limits={"parallel": 2, "failed_trials": 4})
    plan = suggest(search, 1)
    bench.train(search, plan, fail=lambda request: request.trial in units_of(plan)[:4])
    known = select(search, 1)
    assert known.failure == "4 of 6 trials failed, and limits.failed_trials is 4; 4 times error: as asked"
    assert not goes_on(search, 2)


def test_hypervolume_never_shrinks_and_is_measured_from_one_corner(bench):
    search = bench.begin()
    bench.iterate(search, 3)
    known = [search.ledger.selection(str(k)) for k in (1, 2, 3)]
    assert len({tuple(k.reference) for k in known}) == 1
    volumes = [k.hypervolume for k in known]
    assert volumes == sorted(volumes)


def test_a_search_ends_when_its_target_is_reached(bench):
    search = bench.begin(stopping={"target": {"score": -1e9}})
    bench.iterate(search, 3)
    assert search.ledger.iterations_done() == 1
    assert "target score" in search.ledger.selection("1").stop


def test_a_search_ends_when_its_space_is_used_up(bench):
    space = {"x": {"type": "int", "low": 0, "high": 1}, "y": [1, 2]}
    search = bench.begin(space=space)
    bench.iterate(search, 3)
    assert len(bench.trained) == 4
    assert search.ledger.iterations_done() == 1
    assert search.ledger.selection("1").stop


def test_a_search_ends_when_its_time_is_used_up(bench):
    search = bench.begin(limits={"parallel": 2, "search_time": 1e-6})
    bench.iterate(search, 3)
    assert search.ledger.iterations_done() == 1
    assert "search_time" in search.ledger.selection("1").stop


def test_constraints_on_known_values_reject_before_anything_is_launched(bench):
    search = bench.begin(constraints={"cost": {"max": 20}})
    plan = suggest(search, 1)
    assert all(request.params["x"] * request.params["y"] <= 20 for request in plan.requests)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_known_values_that_are_not_finite_harm_no_record(bench, monkeypatch, value):
    monkeypatch.setattr(formula, "cost", lambda params, settings: {"cost": 1.0, "odd": value, "work": value})
    search = bench.begin()
    plan = suggest(search, 1)
    assert plan.requests[0].known == {"cost": 1.0}
    assert search.ledger.plan("1") == plan


@pytest.mark.parametrize("strategy", ["pareto", "random"])
def test_what_has_no_finite_value_of_a_known_objective_is_not_tried(bench, monkeypatch, strategy):
    def cost(params, settings):
        return {"cost": math.nan if params["x"] % 3 == 0 else float(params["x"])}

    monkeypatch.setattr(formula, "cost", cost)
    search = bench.begin(strategy={"name": strategy})
    bench.iterate(search, 2)
    asked = [request for k in ("1", "2") for request in search.ledger.plan(k).requests]
    assert len(asked) == 12
    assert not [request for request in asked if request.params["x"] % 3 == 0]


def test_an_iteration_whose_trials_are_all_known_still_has_a_job(bench):
    search = bench.begin()
    bench.train(search, suggest(search, 1))
    select(search, 1)
    again = bench.begin("again", warm_start=[search.ledger.url])
    # the same seed and no history but iteration 0: what it suggests is new, so force the same by a used up space
    plan = suggest(again, 1)
    assert not {request.trial for request in plan.requests} & set(bench.trained)


def test_the_default_configuration_comes_first_on_request(bench):
    space = {"x": {"type": "int", "low": 0, "high": 30, "default": 7}, "y": [1, 2, 4]}
    search = bench.begin(space=space, trials={"initial": 6, "per_iteration": 6, "default_first": True})
    plan = suggest(search, 1)
    assert plan.requests[0].params == {"x": 7, "y": 1}
    assert plan.requests[0].note == {"from": "default"}
    assert len({request.trial for request in plan.requests}) == 6
    bench.iterate(search, 3)
    assert len(bench.trained) == len(set(bench.trained)) == 18


def test_a_default_alone_needs_no_strategy(bench):
    search = bench.begin(trials={"initial": 1, "per_iteration": 1, "default_first": True})
    assert [request.params for request in suggest(search, 1).requests] == [search.space.default()]


def test_the_default_is_not_tried_again_after_a_warm_start(bench):
    trials = {"initial": 4, "per_iteration": 4, "default_first": True}
    first = bench.begin("first", trials=trials)
    bench.iterate(first, 1)
    second = bench.begin("second", trials=trials, warm_start=[first.ledger.url])
    assert all(request.note != {"from": "default"} for request in suggest(second, 1).requests)


@pytest.mark.parametrize("name", strategy_names())
def test_every_strategy_searches_a_space_of_all_kinds_through_the_ledger(bench, name):
    search = bench.begin(space={**SPACE, **EVERYTHING}, strategy={"name": name}, iterations=2)
    bench.iterate(search, 2)
    asked = [request for k in (1, 2) for request in search.ledger.plan(str(k)).requests]
    assert len({request.trial for request in asked}) == len(asked) == 12
    assert all(search.space.canonical(request.params) == request.params for request in asked)


def test_what_late_trials_have_reported_is_fixed_and_learnt_from(bench):
    search = bench.begin(strategy={"name": f"{__name__}.Listening"})
    plan = suggest(search, 1)
    late, silent = units_of(plan)[-2:]
    bench.train(search, plan, only=set(units_of(plan)) - {late, silent})
    path = search.ledger.trial_path(late, METRICS)
    search.ledger.store.put(path, b"", curve_metadata('{"epoch": 0.5, "seconds": 3, "score": 7.0, "loss": NaN}'))
    assert select(search, 1).underway == {late: {"epoch": 0.5, "score": 7.0}}
    search.ledger.store.put(path, b"", curve_metadata('{"epoch": 0.9, "score": 9.0}'))
    suggest(search, 2)
    heard = {one.trial: one.earlier for one in Listening.history if one.state is None}
    assert heard == {late: {0.5: {"score": 7.0}}, silent: {}}


class Listening(RandomSearch):
    """Remembers what it was told."""

    def suggest(self, problem, history, n, seed, iteration):
        Listening.history = history
        return super().suggest(problem, history, n, seed, iteration)


@pytest.mark.parametrize("strategy", ["pareto", "nsga2", "tpe", "gp", "evolution_pareto"])
def test_values_that_stand_for_none_harm_no_search(bench, strategy):
    search = bench.begin(strategy={"name": strategy}, iterations=2)
    for k in (1, 2):
        for request in suggest(search, k).requests:
            score = -sys.float_info.max if request.params["x"] % 3 == 0 else float(request.params["x"])
            values = {"score": score, "cost": 1e305 if request.params["x"] % 4 == 0 else request.known["cost"]}
            search.ledger.record(Result(trial=request.trial, state=State.COMPLETED, objectives=values))
        known = select(search, k)
        assert search.ledger.selection(str(k)) == known
        assert math.isfinite(known.hypervolume) and all(map(math.isfinite, known.reference))


@pytest.mark.parametrize("strategy", ["pareto", "random", "grid"])
def test_a_configuration_that_cost_fails_for_is_left_out(bench, monkeypatch, strategy):
    def cost(params, settings):
        return {"cost": 1.0 / (params["x"] - 15)}

    monkeypatch.setattr(formula, "cost", cost)
    search = bench.begin(strategy={"name": strategy}, space={"x": {"type": "int", "low": 10, "high": 20}}, iterations=1)
    plan = suggest(search, 1)
    assert len(plan.requests) == 6
    assert 15 not in {request.params["x"] for request in plan.requests}
    assert search.problem.broken({"x": 15}).endswith("failed: ZeroDivisionError: float division by zero")


def test_what_cost_fails_for_is_told_once_with_its_count(bench, monkeypatch):
    def cost(params, settings):
        if params["x"] in (13, 15):
            raise ArithmeticError("no size")
        return {"cost": float(params["x"])}

    monkeypatch.setattr(formula, "cost", cost)
    space = {"x": {"type": "int", "low": 12, "high": 16}, "y": {"type": "categorical", "choices": [1, 2, 4]}}
    search = bench.begin(strategy={"name": "grid"}, space=space, iterations=2)
    bench.iterate(search, 2)
    told = [search.ledger.plan(k).left_out for k in ("1", "2")]
    assert re.match(r"\d configurations are left out, since what they cost is not known: ", told[0])
    assert told[0].endswith("ArithmeticError: no size") and told[1] == ""
    shown = [one.reason for k in ("1", "2") for one in search.ledger.selection(k).decisions if one.what == "left out"]
    assert shown == told[:1]


def test_a_strategy_may_change_what_it_is_given(bench):
    name = f"{Spoiling.__module__}.{Spoiling.__name__}"
    search = bench.begin(
        strategy={"name": name}, early_stopping={"halving": {"first": 1}}, epochs={"partial": 3, "full": 9}
    )
    bench.iterate(search, 3)
    for k in ("1", "2", "3"):
        assert all(search.space.contains(request.params) for request in search.ledger.plan(k).requests)


class Spoiling(RandomSearch):
    """A strategy that empties what it is given."""

    def suggest(self, problem, history, n, seed, iteration):
        batch = super().suggest(problem, history, n, seed, iteration)
        for trial in history:
            trial.params.clear()
            trial.objectives.clear()
        return batch
