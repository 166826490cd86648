import sys

import pytest

from tests.core.stages.conftest import units_of
from windtunnel.errors import LedgerError, SearchError
from windtunnel.ledger import Result, State
from windtunnel.ledger.queue import unfinished
from windtunnel.ledger.stage import Stage
from windtunnel.stages import (
    choose_finalists,
    goes_on,
    plan_verification,
    prepare_job,
    publish,
    select,
    suggest,
)


def finish(bench, search):
    bench.train(search, choose_finalists(search))
    for job in plan_verification(search).jobs:
        for unit in job.units:
            search.ledger.record(Result(trial=unit, state=State.COMPLETED, metrics={"test_acc": 0.9}))
    published = publish(search)
    search.ledger.close(search.session.session)
    return published


def test_a_killed_run_goes_on_where_it_was(bench):
    bench.iterate(bench.begin(session="s1"), 1)
    resumed = bench.begin(session="s2")
    assert (resumed.session.offset, resumed.session.iterations) == (1, 2)
    bench.iterate(resumed, 3)
    straight = bench.begin("straight")
    bench.iterate(straight, 3)
    assert resumed.ledger.selection("3").front == straight.ledger.selection("3").front
    assert resumed.ledger.selection("3").hypervolume == straight.ledger.selection("3").hypervolume


def test_a_run_killed_after_its_last_iteration_gets_no_more_of_them(bench):
    bench.iterate(bench.begin(session="s1"), 3)
    resumed = bench.begin(session="s2")
    assert resumed.session.iterations == 0
    assert not goes_on(resumed, 1)
    finish(bench, resumed)


def test_iterations_that_were_raised_count_for_a_run_that_was_cut_short(bench):
    bench.iterate(bench.begin(session="s1", iterations=3), 1)
    second = bench.begin(session="s2", iterations=5)
    assert (second.session.offset, second.session.iterations) == (1, 4)
    bench.iterate(second, 1)
    third = bench.begin(session="s3", iterations=5)
    assert (third.session.offset, third.session.iterations) == (2, 3)
    fourth = bench.begin(session="s4", iterations=6)
    assert fourth.session.iterations == 4
    assert bench.begin(session="s5", iterations=2).session.iterations == 4  # what has begun is not taken back


def test_a_choice_that_is_not_made_again_raises_nothing(bench):
    """The form offers the file's number again; only a file that was changed asks for more."""
    bench.iterate(bench.begin(session="s1", iterations=2, written=5), 1)
    assert bench.begin(session="s2", iterations=5, written=5).session.iterations == 1
    assert bench.begin(session="s3", iterations=6, written=6).session.iterations == 2
    assert bench.begin(session="s4", iterations=7, written=8).session.iterations == 3  # one more than the last one had


def test_failures_that_were_too_many_are_not_when_more_are_allowed(bench):
    limits = {"parallel": 2, "failed_trials": 3}
    search = bench.begin(session="s1", limits=limits)
    bench.iterate(search, 1, fail=lambda request: request.params["y"] != 1)
    assert search.ledger.selection("1").failure
    again = bench.begin(session="s2", limits=limits | {"failed_trials": 30})
    assert again.session.iterations == 2
    bench.iterate(again, 2)
    assert again.ledger.selection("3").failure is None
    finish(bench, again)


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_search_whose_time_ended_before_the_first_result_goes_on_with_more_time(bench, monkeypatch, iterations):
    limits = {"parallel": 2, "search_time": 1e-9}
    search = bench.begin(session="s1", iterations=iterations, limits=limits)
    late = suggest(search, 1)
    assert "search_time" in select(search, 1).stop
    with pytest.raises(SearchError, match=r"nothing to train fully \(limits.search_time of .* is used up: change"):
        choose_finalists(search)
    assert bench.begin(session="s2", iterations=iterations, limits=limits).session.iterations == 0
    again = bench.begin(session="s3", iterations=iterations, limits=limits | {"search_time": 1e9})
    assert again.session.iterations == max(1, iterations - 1)
    assert stragglers_of(again) == units_of(late)
    bench.train(again, late)
    bench.iterate(again, iterations)
    assert again.ledger.selection(str(again.ledger.iterations_done())).front
    finish(bench, again)


def test_an_end_by_a_limit_holds_while_the_limit_does(bench):
    limits = {"parallel": 2, "trials": 6}
    bench.iterate(bench.begin(session="s1", limits=limits), 3)
    assert bench.begin(session="s2", limits=limits | {"pending": 99.0}).session.iterations == 0
    assert bench.begin(session="s3", limits=limits | {"trials": 12}).session.iterations == 2


def test_a_finished_run_is_extended(bench):
    search = bench.begin(session="s1")
    bench.iterate(search, 3)
    finish(bench, search)
    more = bench.begin(session="s2", iterations=2)
    assert (more.session.offset, more.session.iterations) == (3, 2)
    bench.iterate(more, 2)
    assert more.ledger.iterations_done() == 5
    finish(bench, more)
    assert len(bench.trained) == len(set(bench.trained))


def test_a_run_that_ended_early_is_finished_not_extended(bench):
    goal = {"stopping": {"target": {"score": -1e9}}}
    bench.iterate(bench.begin(session="s1", **goal), 3)
    assert bench.begin(session="s2", **goal).session.iterations == 0


def test_a_session_that_begins_twice_goes_on_as_it_began(bench):
    search = bench.begin(session="s1")
    bench.iterate(search, 2)
    again = bench.begin(session="s1")
    assert again.session == search.session
    assert again.iteration(1) == 1


def test_what_a_run_means_may_not_change_while_it_goes_on(bench):
    bench.begin(session="s1")
    with pytest.raises(LedgerError, match=r"another settings, epochs\.partial"):
        bench.begin(session="s2", settings={"lr": 1}, epochs={"partial": 2, "full": 4})


@pytest.mark.parametrize("changed", ["team_model.py", "team_blocks.py"])
def test_neither_a_workload_nor_what_it_imports_may_change_while_a_run_goes_on(bench, tmp_path, monkeypatch, changed):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "team_model.py").write_text("from team_blocks import WIDTH\nfrom tests.workloads.formula import *\n")
    (folder / "team_blocks.py").write_text("WIDTH = 8\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    first = bench.begin(session="s1", workload="team_model")
    id_before = first.config({"x": 1, "y": 1})
    (folder / changed).write_text((folder / changed).read_text() + "# changed\n")
    with pytest.raises(LedgerError, match=r"another source of team_model: put it back to go on, or begin a new run"):
        bench.begin(session="s2", workload="team_model")
    assert bench.begin("other", workload="team_model").config({"x": 1, "y": 1}) != id_before


def test_what_a_session_may_use_can_change(bench):
    bench.begin(session="s1")
    search = bench.begin(session="s2", limits={"parallel": 7})
    assert search.definition.limits.parallel == 7
    assert search.ledger.search_record()["definition"]["limits"]["parallel"] == 7


def test_a_run_has_one_writer(bench):
    bench.begin(session="s1")
    with pytest.raises(LedgerError, match="s1 still works"):
        bench.begin(session="s2", running=lambda session: session == "s1")
    bench.begin(session="s2", running=lambda session: False)


def test_failed_trials_are_tried_again_on_request(bench):
    search = bench.begin(session="s1", iterations=1)
    bench.iterate(search, 1, fail=lambda request: request.params["y"] == 1)
    finish(bench, search)
    failed = {trial for trial, seen in search.ledger.outcomes().items() if seen.state is State.FAILED}
    assert failed
    again = bench.begin(session="s2", iterations=1, retry_failed=True)
    plan = suggest(again, 2)
    retried = {request.trial for request in plan.requests if ".r" in request.trial}
    assert retried == {trial + ".r1" for trial in failed}
    bench.train(again, plan)
    known = select(again, 2)
    assert retried <= set(known.results)
    assert known.failure is None
    assert {trial: search.ledger.outcomes()[trial].state for trial in failed} == dict.fromkeys(failed, State.FAILED)


def test_a_hopeless_run_is_rescued_by_trying_again(bench):
    limits = {"parallel": 2, "failed_trials": 3}
    search = bench.begin(session="s1", iterations=1, limits=limits)
    bench.iterate(search, 1, fail=lambda request: True)
    assert search.ledger.selection("1").failure
    again = bench.begin(session="s2", iterations=1, limits=limits, retry_failed=True)
    assert goes_on(again, 1)
    bench.iterate(again, 1)
    assert again.ledger.selection("2").failure is None
    finish(bench, again)


def after_failed_finalists(bench):
    """A session that tries again what failed: all finalists of the one before."""
    search = bench.begin(session="s1", iterations=1)
    bench.iterate(search, 1)
    bench.train(search, choose_finalists(search), fail=lambda request: True)
    again = bench.begin(session="s2", iterations=1, retry_failed=True)
    bench.iterate(again, 1)
    return again


def test_failed_finalists_are_tried_again_on_request(bench):
    again = after_failed_finalists(bench)
    failed = {trial for trial, seen in again.ledger.outcomes().items() if seen.state is State.FAILED}
    plan = choose_finalists(again)
    assert {request.trial for request in plan.requests if ".r1" in request.trial} <= {trial + ".r1" for trial in failed}
    assert not {request.trial for request in plan.requests} & failed
    finish(bench, again)


def test_a_finalist_that_was_tried_again_stays_trained(bench):
    """In later sessions its last try counts, and not its first."""
    again = after_failed_finalists(bench)
    finish(bench, again)
    third = bench.begin(session="s3", iterations=1, trials={"initial": 6, "per_iteration": 1})
    bench.iterate(third, 1)
    assert [request for request in choose_finalists(third).requests if request.trial.endswith("-e4.r1")]
    bench.trained.clear()
    assert len(finish(bench, third)) == len(choose_finalists(third).requests)
    assert not [trial for trial in bench.trained if trial.endswith("-e4.r1")]


def test_a_trial_that_was_tried_again_can_be_a_finalist_without_more_epochs(bench):
    epochs = {"partial": 4, "full": 4}
    search = bench.begin(session="s1", iterations=1, epochs=epochs)
    bench.iterate(search, 1, fail=lambda request: True)
    bench.iterate(bench.begin(session="s2", iterations=1, epochs=epochs, retry_failed=True), 1)
    last = bench.begin(session="s3", iterations=1, epochs=epochs)
    assert not goes_on(last, 1)
    retried = [trial for trial in last.ledger.selection("2").front if ".r1" in trial]
    assert retried
    assert set(retried) <= {request.trial for request in choose_finalists(last).requests}
    assert len(finish(bench, last)) == len(choose_finalists(last).requests)


def test_a_preparation_that_failed_is_not_the_last_word(bench):
    search = bench.begin(session="s1")
    first = prepare_job(search)
    assert prepare_job(search) == first == search.ledger.preparation()
    search.ledger.record(Result(trial="prepare", state=State.FAILED, kind="error", message="no such folder"))
    second = prepare_job(bench.begin(session="s2"))
    assert second.units == ["prepare-r1"]
    search.ledger.record(Result(trial="prepare-r1", state=State.COMPLETED))
    assert prepare_job(search) == second == search.ledger.preparation()


def stragglers_of(search):
    stages = [Stage.iteration(k) for k in range(1, search.session.offset + 1)]
    return [request.trial for request in unfinished(search.ledger, stages, search.ledger.ended())]


def test_stragglers_of_earlier_sessions_are_known(bench):
    search = bench.begin(session="s1")
    plan = suggest(search, 1)
    late = units_of(plan)[-1]
    bench.train(search, plan, only=set(units_of(plan)) - {late})
    select(search, 1)
    assert stragglers_of(search) == []  # of this session's own: they run
    again = bench.begin(session="s2")
    assert stragglers_of(again) == [late]
    bench.train(again, plan, only={late})
    assert stragglers_of(again) == []


def test_a_run_keeps_its_threads_whatever_its_lanes(bench, monkeypatch):
    monkeypatch.setattr("windtunnel.definition.threads.cores", lambda: 8)
    search = bench.begin(session="s1", limits={"parallel": 4})
    assert search.definition.limits.threads == 2
    again = bench.begin(session="s2", limits={"parallel": 1})
    assert (again.definition.limits.parallel, again.definition.limits.threads) == (1, 2)


def test_a_session_killed_before_its_end_is_finished_not_extended(bench):
    search = bench.begin(session="s1")
    bench.iterate(search, 3)
    bench.train(search, choose_finalists(search))
    search.ledger.finish("s1")
    assert bench.begin(session="s2").session.iterations == 0


def test_nothing_is_lost_when_suggest_dies_in_the_middle_of_its_writes(bench, monkeypatch):
    search = bench.begin()
    create_plan = type(search.ledger).create_plan
    monkeypatch.setattr(type(search.ledger), "create_plan", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        suggest(search, 1)
    monkeypatch.setattr(type(search.ledger), "create_plan", create_plan)
    other = bench.begin("other")
    assert [r.trial for r in suggest(search, 1).requests] == [r.trial for r in suggest(other, 1).requests]


def test_more_iterations_count_for_a_run_that_was_cut_short(bench):
    bench.iterate(bench.begin(session="s1", iterations=2), 1)
    resumed = bench.begin(session="s2", iterations=4)
    assert (resumed.session.offset, resumed.session.iterations) == (1, 3)
    bench.iterate(resumed, 1)
    again = bench.begin(session="s3", iterations=4)
    assert (again.session.offset, again.session.iterations) == (2, 2)


@pytest.mark.parametrize(("raised", "iterations"), [({}, 0), ({"search_time": 1e-7}, 0), ({"search_time": 60.0}, 2)])
def test_a_limit_of_time_that_is_raised_no_longer_ends_the_search(bench, raised, iterations):
    limits = {"parallel": 2, "search_time": 1e-6}
    bench.iterate(bench.begin(session="s1", limits=limits), 3)
    assert bench.begin(session="s2", limits=limits).session.iterations == 0
    assert bench.begin(session="s3", limits=limits | raised).session.iterations == iterations


def test_the_advice_to_start_warm_is_given_where_trials_would_be_taken(bench):
    bench.begin(session="s1")
    with pytest.raises(LedgerError, match=r"another settings: put it back to go on, or begin a new run$"):
        bench.begin(session="s2", settings={"lr": 1})
    with pytest.raises(
        LedgerError,
        match=r"another constraints: .* begin a new run, and name this one in warm_start$",
    ):
        bench.begin(session="s2", constraints={"cost": {"max": 9.0}})


@pytest.mark.parametrize(("names", "most", "finalists"), [(["a"], 3, 3), (["a"], 1, 1), (["a", "b"], 4, 2)])
def test_there_is_a_second_finalist_where_the_front_is_one_trial(bench, names, most, finalists):
    search = bench.begin(
        objectives=dict.fromkeys(names, "maximize"),
        finalists={"max": most},
        iterations=1,
        strategy={"name": "random"},  # has no model that expects another order than was measured
    )
    requests = suggest(search, 1).requests
    for place, request in enumerate(requests):
        values = dict.fromkeys(names, float(place))
        search.ledger.record(Result(trial=request.trial, state=State.COMPLETED, objectives=values))
    assert select(search, 1).front == [requests[-1].trial]
    best_first = [request.config for request in reversed(requests)]
    assert [request.config for request in choose_finalists(search).requests] == best_first[:finalists]
