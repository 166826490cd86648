"""Configurations that are measured again with another trial seed: one configuration, its mean and its spread."""

import pytest

from windtunnel.ledger import State
from windtunnel.ledger.ids import is_trial, repeated
from windtunnel.report.export import records
from windtunnel.report.reader import collect
from windtunnel.stages import choose_finalists, goes_on, select, suggest
from windtunnel.stages.history import History
from windtunnel.stages.publishing import write_front
from windtunnel.strategies.random_search import RandomSearch

SEARCH = {
    "iterations": 5,
    "repeats": 3,
    "trial_seed": 7,
    "trials": {"initial": 4, "per_iteration": 2},
    "strategy": {"name": "random"},
}


class Curious(RandomSearch):
    """Remembers what it was shown."""

    shown: list = []  # noqa: RUF012

    def suggest(self, problem, history, n, seed, iteration):
        Curious.shown = list(history)
        return super().suggest(problem, history, n, seed, iteration)


@pytest.fixture
def lucky(bench, monkeypatch):
    """A bench whose scores depend on the trial's seed: the better, the nearer to that of the search."""
    from tests.core.stages import conftest

    def outcome(request, failed=False):
        result = plain(request, failed)
        luck = {"score": result.objectives["score"] - 3.0 * (request.seed - 7)} if result.objectives else {}
        return result.model_copy(update={"objectives": {**result.objectives, **luck}})

    plain = conftest.outcome
    monkeypatch.setattr(conftest, "outcome", outcome)
    return bench


def of_repeats(plan):
    return [request for request in plan.requests if request.note.get("from") == "repeat"]


def test_what_is_on_the_front_is_measured_again_with_the_next_seeds(lucky):
    search = lucky.begin(**SEARCH)
    lucky.iterate(search, 5)
    plans = [search.ledger.plan(str(k)) for k in range(1, 1 + search.ledger.iterations_done())]
    front = search.ledger.selection("1").front
    assert [request.trial for request in of_repeats(plans[1])] == [f"{trial}.s1" for trial in front]
    assert {request.seed for request in of_repeats(plans[1])} == {8}
    assert all(is_trial(request.trial) and repeated(request.trial) in front for request in of_repeats(plans[1]))
    assert [len(plan.requests) - len(of_repeats(plan)) for plan in plans][:3] == [4, 2, 2]
    requests = [request for plan in plans for request in plan.requests]
    measured = [request.seed for request in requests if request.config == of_repeats(plans[1])[0].config]
    assert measured[:2] == [7, 8]
    assert max(sum(one.config == request.config for one in requests) for request in requests) <= 3
    assert all(request.seed == 7 + int(request.trial.rpartition(".s")[2]) for request in of_repeats(plans[-1]))


def test_the_mean_of_one_configuration_is_what_everybody_sees(lucky):
    search = lucky.begin(**SEARCH | {"strategy": {"name": f"{__name__}.Curious"}})
    lucky.iterate(search, 2)
    known = History(search.ledger).trials(2)
    assert len({trial.config for trial in known}) == len(known)
    again = [trial for trial in known if trial.repeats]
    assert again
    for trial in again:
        own = search.ledger.result(trial.trial).objectives["score"]
        assert trial.objectives["score"] == own - 1.5
        assert trial.errors == pytest.approx({"score": 1.5, "cost": 0.0})
    lucky.iterate(search, 5)
    assert sum(bool(trial.repeats) for trial in Curious.shown) == len(again)
    write_front(search)
    written = search.ledger.read_json("pareto.json")["trials"]
    assert {one["repeats"] for one in written} <= {1, 2, 3}
    rows = {row["trial"]: row for row in records(collect(search.ledger))}
    for one in written:
        shown = rows[one["trial"]]
        assert (shown["objectives"]["score"], shown["errors"]) == (one["objectives"]["score"], one["errors"])
    finalists = choose_finalists(search).requests
    assert {request.seed for request in finalists} == {7}
    assert not any(".s" in request.continue_from for request in finalists)


def test_a_repeat_that_fails_tells_nothing_and_is_counted(lucky):
    search = lucky.begin(**SEARCH)
    lucky.iterate(search, 5, fail=lambda request: request.seed > 7)
    assert not any(trial.repeats for trial in History(search.ledger).trials(search.ledger.iterations_done()))
    assert all(trial.state is State.COMPLETED for trial in History(search.ledger).trials(1))


def test_without_repeats_nothing_is_measured_twice(bench):
    search = bench.begin(iterations=2, strategy={"name": "random"})
    bench.train(search, suggest(search, 1))
    select(search, 1)
    assert not of_repeats(suggest(search, 2))


def test_repeats_need_no_limit_of_trials_of_their_own(bench):
    search = bench.begin(
        strategy={"name": "random"},
        repeats=2,
        limits={"trials": 8},
        trials={"initial": 6, "per_iteration": 2},
        iterations=9,
    )
    bench.iterate(search, 9)
    requests = History(search.ledger).requests(9).values()
    assert len({request.config for request in requests}) == 8
    assert sum(".s1" in request.trial for request in requests) >= len(search.ledger.selection("1").front)


def test_a_warm_start_takes_repeats_where_they_are_asked_for(lucky):
    search = lucky.begin(**SEARCH)
    lucky.iterate(search, 5)
    trained = len(lucky.trained)
    second = lucky.begin("again", warm_start=[search.ledger.url], **SEARCH)
    note = second.ledger.plan("0").note
    assert "not taken" not in note
    plan = suggest(second, 1)
    known = {request.trial for request in of_repeats(plan)}
    assert known
    assert all(second.ledger.result(trial) is not None for trial in known)
    assert len(lucky.trained) == trained


@pytest.mark.parametrize("limits", [{"parallel": 2}, {"parallel": 2, "trials": 10}], ids=["iterations", "trials"])
def test_a_continuous_search_repeats_and_ends(lucky, limits):
    """Each selection knows a half of what was asked for; what runs on then ends in the next iteration."""
    search = lucky.begin(**SEARCH | {"iterations": 8, "continuous": True, "limits": limits})
    plans, late = [], set()
    for k in range(1, 9):
        if not goes_on(search, k):
            break
        plan = suggest(search, k)
        waiting = [request.trial for request in plan.requests]
        begun = waiting if plan.ahead is None or plan.last else waiting[::2]
        for earlier in plans:
            lucky.train(search, earlier, only=late)
        lucky.train(search, plan, only=begun)
        late = set(waiting) - set(begun)
        plans.append(plan)
        select(search, k)
    assert plans[-1].last or search.ledger.selection(str(len(plans))).stop
    requests = [request for plan in plans for request in plan.requests]
    again = [request for plan in plans for request in of_repeats(plan)]
    assert again and len({request.trial for request in requests}) == len(requests)
    assert not late
    assert max(sum(one.config == request.config for one in requests) for request in requests) <= 3
    trials = History(search.ledger).trials(len(plans))
    repeated_configs = {request.config for request in again}
    assert {trial.config for trial in trials if trial.repeats} == repeated_configs
    assert choose_finalists(search).requests
