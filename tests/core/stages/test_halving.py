"""Successive halving through the stages: rungs, promotion at the iteration's edge, and what repeats itself."""

import pytest

from tests.core.stages.conftest import units_of
from windtunnel.ledger import State
from windtunnel.stages import choose_finalists, goes_on, select, suggest
from windtunnel.stages.history import History

HALVING = {
    "early_stopping": {"halving": {"first": 1, "factor": 3}},
    "epochs": {"partial": 9, "full": 27},
    "iterations": 4,
    "trials": {"initial": 9, "per_iteration": 6},
}


def epochs_of(plan):
    return sorted(request.epochs for request in plan.requests)


def plans_of(search):
    """Of all iterations that took place: a search ends before where nothing is left to promote."""
    return [search.ledger.plan(str(k)) for k in range(1, search.ledger.iterations_done() + 1)]


def test_the_best_share_of_each_rung_goes_on_from_its_checkpoint(bench):
    search = bench.begin(**HALVING)
    bench.iterate(search, 4)
    plans = plans_of(search)
    assert [epochs_of(plan) for plan in plans[:2]] == [[1] * 9, [1] * 6 + [3] * 3]
    assert 9 in epochs_of(plans[2])
    assert all(1 not in epochs_of(plan) for plan in plans[2:])
    for plan in plans[1:]:
        for request in plan.requests:
            if request.epochs > 1:
                low = search.ledger.request(request.continue_from)
                assert (low.config, low.params) == (request.config, request.params)
                assert low.epochs == {3: 1, 9: 3}[request.epochs]
                assert search.ledger.result(low.trial).state is State.COMPLETED
                assert request.trial == f"{request.config}-e{request.epochs:g}"


def test_nothing_is_trained_twice_and_cost_is_that_of_the_epochs_left(bench):
    search = bench.begin(**HALVING)
    bench.iterate(search, 4)
    requests = [request for plan in plans_of(search) for request in plan.requests]
    assert len(bench.trained) == len(set(bench.trained)) == len(requests)
    left = {1: 1, 3: 2, 9: 6}
    assert all(request.cost == (1 + request.params["x"]) * left[request.epochs] for request in requests)


def test_the_promoted_are_the_best_front_first(bench):
    search = bench.begin(objectives={"score": "maximize"}, **HALVING)
    bench.train(search, suggest(search, 1))
    known = select(search, 1)
    scores = {one.trial: one.objectives["score"] for one in History(search.ledger).trials(1)}
    best = sorted(scores, key=lambda trial: -scores[trial])[:3]
    assert set(known.promotions) == set(best)
    assert set(known.promotions.values()) == {3.0}


def test_every_decision_is_recorded_once_with_its_reason(bench):
    search = bench.begin(**HALVING)
    bench.iterate(search, 4)
    first, second = (search.ledger.selection(str(k)).decisions for k in (1, 2))
    of_trials = [decision for decision in first if decision.trial]
    assert sorted(decision.what for decision in of_trials) == ["hold"] * 6 + ["promote"] * 3
    assert all("place" in decision.reason and "of 9 at 1 epoch " in decision.reason for decision in of_trials)
    again = {decision.trial for decision in second if decision.what == "hold"}
    assert not again & {decision.trial for decision in of_trials}  # those held before are not told again


def test_a_held_trial_goes_on_later_where_worse_ones_follow(bench):
    """ASHA: with more trials at a rung, there are more places."""
    search = bench.begin(objectives={"score": "maximize"}, **HALVING)
    bench.train(search, suggest(search, 1))
    select(search, 1)
    bench.train(search, suggest(search, 2))
    known = select(search, 2)
    at_first = [trial for trial, epochs in known.promotions.items() if epochs == 3]
    assert len(at_first) >= 1
    seen = {one.config: one for one in History(search.ledger).trials(2)}
    assert len([one for one in seen.values() if one.epochs == 3]) + len(at_first) >= 5  # a third of 15


def test_the_last_iterations_only_promote(bench):
    search = bench.begin(**HALVING)
    bench.iterate(search, 4)
    note = "the last 2 iterations only promote, so that every configuration has its chance"
    notes = [plan.note for plan in plans_of(search)]
    assert len(notes) > 2
    assert notes == (["", ""] + [note] * 2)[: len(notes)]


def test_a_repeated_task_repeats_itself_and_a_replayed_run_is_the_same(bench):
    one, other = bench.begin("one", **HALVING), bench.begin("other", **HALVING)
    bench.iterate(one, 4)
    assert one.ledger.iterations_done() > 2
    for k in range(1, one.ledger.iterations_done() + 1):
        plan = suggest(other, k)
        assert suggest(other, k) == plan
        bench.train(other, plan)
        known = select(other, k)
        assert select(other, k) == known
        assert (plan, known) == (one.ledger.plan(str(k)), one.ledger.selection(str(k)))


def test_promotion_is_decided_from_what_is_known(bench):
    search = bench.begin(objectives={"score": "maximize"}, **HALVING)
    plan = suggest(search, 1)
    units = units_of(plan)
    late = units[:3]
    bench.train(search, plan, only=set(units) - set(late))
    known = select(search, 1)
    assert len(known.promotions) == 2  # a third of the six known
    bench.train(search, plan, only=set(late))
    assert select(search, 1) == known
    bench.train(search, suggest(search, 2))
    second = select(search, 2)
    begun = {request.trial[:16] for request in search.ledger.plan("2").requests if request.epochs == 3}
    assert not {trial[:16] for trial in second.promotions if trial.endswith("-e1")} & begun
    assert set(late) <= set(second.results)


def test_a_straggler_of_a_higher_rung_counts_by_its_lower_one(bench):
    search = bench.begin(**HALVING)
    bench.train(search, suggest(search, 1))
    select(search, 1)
    plan = suggest(search, 2)
    high = {request.trial for request in plan.requests if request.epochs == 3}
    units = set(units_of(plan))
    bench.train(search, plan, only=units - high)
    select(search, 2)
    seen = {one.config: one for one in History(search.ledger).trials(2)}
    assert all(seen[trial[:16]].epochs == 1 for trial in high)
    assert not {trial[:16] for trial in high} & {trial[:16] for trial in search.ledger.selection("2").promotions}


def test_strategies_see_each_configuration_once_as_far_as_it_came(bench):
    search = bench.begin(**HALVING)
    bench.iterate(search, 4)
    seen = History(search.ledger).trials(search.ledger.iterations_done())
    assert len(seen) == len({one.config for one in seen}) == 15
    top = [one for one in seen if one.epochs == 9]
    assert top
    for one in top:
        assert list(one.earlier) == [1, 3]
        assert one.objectives["score"] == one.earlier[1]["score"] + 8


def test_finalists_go_on_from_the_highest_rung(bench):
    search = bench.begin(**HALVING)
    bench.iterate(search, 4)
    for request in choose_finalists(search).requests:
        assert request.epochs == 27
        assert search.ledger.result(request.continue_from) is not None


def test_a_failed_promotion_is_tried_again_from_the_lower_rung(bench):
    search = bench.begin(**HALVING)
    bench.train(search, suggest(search, 1))
    select(search, 1)
    bench.train(search, suggest(search, 2), fail=lambda request: request.epochs == 3)
    select(search, 2)
    again = bench.begin(session="s2", retry_failed=True, **HALVING)
    plan = suggest(again, 3)
    retried = [request for request in plan.requests if request.trial.endswith(".r1")]
    assert len(retried) == 3
    assert all(request.continue_from == f"{request.config}-e1" for request in retried)


def test_a_warm_start_brings_every_rung_and_promotes(bench):
    first = bench.begin("first", **HALVING)
    bench.train(first, suggest(first, 1))
    select(first, 1)
    second = bench.begin("second", warm_start=[first.ledger.url], **HALVING)
    assert len(second.ledger.selection("0").promotions) == 3
    plan = suggest(second, 1)
    assert epochs_of(plan) == [1] * 9 + [3] * 3
    assert not set(units_of(plan)) & set(bench.trained)


def test_a_used_up_space_is_promoted_to_the_end_with_the_best_of_each_objective(bench):
    space = {"x": {"type": "int", "low": 0, "high": 1}, "y": [1, 2]}
    search = bench.begin(space=space, **HALVING)
    bench.iterate(search, 4)
    assert [epochs_of(search.ledger.plan(str(k))) for k in (1, 2, 3)] == [
        [1] * 4,
        [3, 3],
        [9, 9],
    ]  # the best of each objective goes on
    assert "none is left to promote" in search.ledger.selection("3").stop
    assert not goes_on(search, 4)


def test_halving_may_not_change_while_a_run_goes_on(bench):
    bench.begin(**HALVING)
    with pytest.raises(Exception, match="early_stopping"):
        bench.begin(session="s2", **HALVING | {"early_stopping": {}})
