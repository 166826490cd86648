"""Whole searches through `dag.test()`, on a launcher that is instant: the DAG's own part of a search."""

import functools
import json

import pytest
from airflow.sdk.exceptions import AirflowException

from tests.airflow.support import partial_trials
from windtunnel import stages
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.writer import look, take
from windtunnel.report import collect
from windtunnel.report.text import ending
from windtunnel.stores import open_store
from windtunnel_airflow import run_lock
from windtunnel_airflow.params import carried

pytestmark = pytest.mark.slow


def test_a_search_publishes_its_best_model(searches, monkeypatch):
    said = {}
    for room in ("preparation", "training", "completion"):
        words = said[room] = []
        monkeypatch.setattr(f"windtunnel_airflow.tasks.{room}.tell", words.append)
    searches.write("plain")
    run = searches.run("plain")
    assert run.state == "success"
    url = run.ledger.url
    for room, words in (
        ("preparation", [f"{run.run_id} works on {url}: 2 iterations after 0", "Launched job prepare"]),
        ("training", ["Launched lane-1-0 by instant", "Launched verify-2-0"]),
        ("completion", [f"{url}/models.json", f"Wrote {url}/report.html", "Nothing ran any more", f"{url} is closed"]),
    ):
        assert all(any(each in told for told in said[room]) for each in words), said[room]
    assert event_of("plain")["verdict"] == "verified"
    assert "uri" not in event_of("plain")  # the launcher of these tests writes no ONNX
    assert {task for task, state in run.states.items() if state != "success"} == {"refused"}
    assert run.states["refused"] == "skipped"
    models = run.ledger.read_json("models.json")["models"]
    assert [model["verdict"] for model in models] == ["verified", "verified"]
    assert len(partial_trials(run.ledger)) == 7
    assert len(searches.trained) == len(set(searches.trained)) == 9
    store = run.ledger.store
    assert b"<html" in store.get(run.ledger.path("report.html")).lower()


def event_of(search):
    """What the last event of the search's asset says."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = select(AssetEvent).where(AssetEvent.source_dag_id == search).order_by(AssetEvent.id.desc())
        return session.scalars(events).first().extra


def test_mapped_tasks_are_labelled_with_their_trials(searches):
    searches.write("labels")
    run = searches.run("labels", iterations=1)
    for stage, group in (("1", "iteration_1"), ("full-1", "full_training"), ("verify-1", "verify")):
        jobs = {job.job: job.units for job in run.ledger.plan(stage).jobs} or claimed(run.ledger, stage)
        for place, (job, units) in enumerate(sorted(jobs.items())):
            if job.startswith("lane-"):  # the first lane may have found everything claimed
                place = int(job.rpartition("-")[2])
            label = run.labels[f"{group}.train.collect[{place}]"]
            assert label.startswith(f"{len(units)}: ")
            assert all(unit.removeprefix("verify-")[:8] in label for unit in units)
            launched = run.labels[f"{group}.train.launch[{place}]"]
            assert launched == (job if job.startswith("lane-") else label)


def claimed(ledger, stage):
    """What each lane has claimed of a stage."""
    asked, lanes = {request.trial for request in ledger.plan(stage).requests}, {}
    for unit, claim in Claims(ledger).listing().items():
        if unit in asked:
            lanes.setdefault(claim.lane, []).append(unit)
    return lanes


def test_the_form_changes_the_run(searches):
    searches.write("form")
    run = searches.run("form", iterations=1, seed=5, epochs_full=4, epochs_partial=0.5, parallel=3)
    assert run.state == "success"
    assert run.of("iteration_1.select", "iteration_2.suggest", "iteration_2.select", "publish") == [
        "success",
        "skipped",
        "skipped",
        "success",
    ]
    definition = run.ledger.search_record()["definition"]
    assert definition["seed"] == 5
    assert definition["epochs"] | {"horizon": None} == {"partial": 0.5, "full": 4.0, "horizon": None}
    assert definition["limits"]["parallel"] == 3
    assert {task for task in run.states if "iteration_1.train.launch" in task} == {
        f"iteration_1.train.launch[{lane}]" for lane in range(3)
    }
    assert all(trial.endswith("-e0.5") for trial in partial_trials(run.ledger))


def test_a_finished_run_is_extended(searches):
    searches.write("extended")
    first = searches.run("extended")
    trained = list(searches.trained)
    second = searches.run("extended", resume=first.run_id, iterations=1)
    assert second.state == "success"
    assert second.ledger.iterations_done() == 3
    assert searches.trained[: len(trained)] == trained
    assert len(searches.trained) == len(set(searches.trained)) > len(trained)


def test_a_run_is_extended_by_the_choices_that_it_was_triggered_with(searches):
    searches.write("chosen")
    conf = {"seed": 3, "epochs_partial": 0.5, "epochs_full": 4, "parallel": 1}
    first = searches.run("chosen", **conf)
    again = carried(conf)
    assert searches.run("chosen", resume=first.run_id, iterations=1).state == "failed"  # with the DAG's own choices
    second = searches.run("chosen", resume=first.run_id, iterations=1, **again)
    assert second.state == "success"
    assert second.ledger.iterations_done() == 3
    assert {model["epochs"] for model in second.ledger.read_json("models.json")["models"]} == {4}


def test_a_run_that_was_cut_short_is_finished(searches, monkeypatch):
    searches.write("short")
    cut = cut_short(searches, "short", monkeypatch)
    trained = list(searches.trained)
    run = searches.run("short", resume=cut.run_id)
    assert run.state == "success"
    assert run.ledger.iterations_done() == 2  # as many as were asked for at first, not two more
    assert run.states["iteration_1.select"] == "success"
    assert len(searches.trained) == len(set(searches.trained)) == 9
    assert searches.trained[: len(trained)] == trained


def test_a_warm_start_trains_nothing_twice(searches):
    searches.write("cold")
    first = searches.run("cold", seed=1)
    trained = list(searches.trained)
    searches.write("warm")
    run = searches.run("warm", seed=1, warm_start=[first.ledger.url])
    assert run.state == "success"
    assert run.ledger.selection("0").results == partial_trials(first.ledger)
    assert not set(searches.trained[len(trained) :]) & set(trained)
    assert run.ledger.result(partial_trials(first.ledger)[0]).source == first.ledger.url


def test_chosen_trials_of_an_earlier_run_are_trained_fully(searches):
    searches.write("whole")
    first = searches.run("whole")
    chosen = partial_trials(first.ledger)[:1]
    run = searches.run("whole", from_run=first.ledger.url, trials=chosen, epochs_full=3)
    assert run.state == "success"
    assert run.of("iteration_1.suggest", "iteration_1.train.launch", "iteration_2.select") == ["skipped"] * 3
    assert [m["trial"] for m in run.ledger.read_json("models.json")["models"]] == [f"{chosen[0].split('-')[0]}-e3"]


def test_a_failed_trial_leaves_its_collect_red_and_the_run_successful(searches):
    searches.write("faulty", settings={"fail": [1, 2, 3]}, trials={"initial": 6, "per_iteration": 3}, iterations=1)
    run = searches.run("faulty")
    outcomes = run.ledger.outcomes()
    failed = {trial for trial, outcome in outcomes.items() if outcome.state is State.FAILED}
    assert failed and failed != set(outcomes)
    assert run.state == "success"
    for lane, (_, units) in enumerate(sorted(claimed(run.ledger, "1").items())):
        red = bool(failed & set(units))
        assert run.states[f"iteration_1.train.collect[{lane}]"] == ("failed" if red else "success")
    assert run.states["iteration_1.select"] == "success"


def test_a_failed_run_says_why_in_its_note_and_its_ledger(searches):
    from airflow.models.dagrun import DagRunNote
    from airflow.utils.session import create_session
    from sqlalchemy import select

    searches.write("unprepared", data={"fail": True})
    run = searches.run("unprepared")
    said, _ = run.ledger.end_of(run.run_id)
    assert said.reason == "prepare_data.await_results: prepare failed, error: there is no such data"
    assert ending(collect(run.ledger)) == f"failed: {said.reason}"
    assert b"there is no such data" in run.ledger.store.get(run.ledger.path("report.html"))
    with create_session() as session:
        notes = session.scalars(select(DagRunNote.content)).all()
    assert f"Failed: {said.reason}" in notes


def test_a_run_that_cannot_begin_ends_at_once_with_its_one_cause(searches, capsys):
    searches.write("unbegun", workload="tests.workloads.leaves")
    run = searches.run("unbegun")
    assert run.of("prepare_data.begin", "clean_up") == ["failed", "failed"]
    assert run.ledger.begun() is None
    said = [line for line in capsys.readouterr().out.splitlines() if "AirflowFailException" in line]
    assert any("the run has not begun: prepare_data.begin: workload" in line for line in said), said


def test_a_hopeless_search_ends_with_one_clear_message(searches, capsys):
    searches.write("hopeless", settings={"fail": list(range(1, 9))}, limits={"parallel": 2, "failed_trials": 4})
    run = searches.run("hopeless")
    assert run.state == "failed"
    assert run.states["iteration_1.select"] == "failed"
    assert run.of("iteration_2.suggest", "finalists", "publish") == ["upstream_failed"] * 3
    assert run.of("report", "clean_up") == ["success", "failed"]
    assert "4 of 4 trials failed, and limits.failed_trials is 4" in run.ledger.selection("1").failure
    out = capsys.readouterr()
    assert (out.out + out.err).count("The search ends, for it only fails") >= 1


def test_data_that_cannot_be_prepared_ends_the_run(searches):
    searches.write("no_data", data={"fail": True})
    run = searches.run("no_data")
    assert run.state == "failed"
    assert run.of("prepare_data.await_results", "iteration_1.suggest", "clean_up") == [
        "failed",
        "upstream_failed",
        "failed",
    ]


def test_a_continuous_search_does_not_wait_for_a_very_slow_trial(searches):
    searches.write("continuous", settings={"straggle": True}, limits={"parallel": 4}, continuous=True)
    run = searches.run("continuous")
    assert run.state == "success"
    slow, *others = partial_trials(run.ledger)
    first, second = run.ledger.selection("1"), run.ledger.selection("2")
    assert slow not in first.results and first.results == others[:3]
    assert "1 late trial counts once it has a result" in map(str, first.decisions)
    assert slow in second.results and set(second.results) == {slow, *others}
    lane = Claims(run.ledger).listing()[slow].lane.rpartition("-")[2]
    assert run.states[f"iteration_1.train.collect[{lane}]"] in ("skipped", "success")


def test_a_refusal_is_an_end_of_its_own(searches, answers):
    searches.write("refused_search", iterations=1)
    answers("refused_search", "Reject")
    run = searches.run("refused_search", approval=True)
    assert run.state == "success"
    assert run.of("approve", "refused", "full_training.plan", "publish", "clean_up") == [
        "success",
        "success",
        "skipped",
        "skipped",
        "success",
    ]
    assert run.ledger.read_json("approval.json")["approved"] is False
    assert run.ledger.read_json("models.json") is None
    assert run.ledger.read_json("pareto.json")["trials"]


def test_an_approval_goes_on(searches, answers):
    searches.write("approved_search", iterations=1, approval=True)
    answers("approved_search", "Approve")
    run = searches.run("approved_search")
    assert run.state == "success"
    assert run.of("approve", "refused", "publish") == ["success", "skipped", "success"]
    assert run.ledger.read_json("approval.json")["approved"] is True


def test_an_approval_is_remembered_by_a_run_that_is_resumed(searches, answers):
    searches.write("asked_once", iterations=1, approval=True)
    answers("asked_once", "Approve")
    first = searches.run("asked_once")
    for folder in ("finished", "closed"):  # as if it had died after the approval
        for entry in first.ledger.store.list(first.ledger.path(f"{folder}/")):
            first.ledger.store.delete(entry.path)
    second = searches.run("asked_once", resume=first.run_id)
    assert second.of("approve", "refused", "publish") == ["success", "skipped", "success"]
    assert second.ledger.read_json("approval.json")["session"] == first.run_id


def test_every_task_may_be_killed_when_it_is_done_and_run_again(searches, monkeypatch):
    searches.write("twice")
    quiet = searches.run("twice")
    once = sorted(searches.trained)
    searches.trained.clear()
    dag = searches.dag("twice")
    for task in dag.tasks:
        if hasattr(task, "python_callable"):
            monkeypatch.setattr(task, "retries", 1)
            monkeypatch.setattr(task, "python_callable", Killed(task.python_callable))
    run = searches.run("twice", dag)
    assert run.state == "success"
    assert sorted(searches.trained) == once
    for name in ("pareto.json", "models.json"):
        expected = quiet.ledger.read_json(name)
        assert json.dumps(run.ledger.read_json(name) | {"run": ""}) == json.dumps(expected | {"run": ""})


def test_only_one_dag_run_writes_a_ledger(searches):
    searches.write("one_writer", iterations=1)
    first = searches.run("one_writer")
    run_again(first)
    second = searches.run("one_writer", resume=first.run_id)  # this process lives, and it is this process's run
    assert second.state == "failed"
    assert second.states["prepare_data.begin"] == "failed"
    assert second.states["clean_up"] == "failed"
    assert [session.session for session in first.ledger.sessions()] == [first.run_id]


def test_a_dags_test_that_was_killed_does_not_count_as_a_writer(searches):
    searches.write("dead_writer", iterations=1)
    first = searches.run("dead_writer")
    run_again(first)
    for held in run_lock._held:
        held.close()  # as the end of the process does
    assert searches.run("dead_writer", resume=first.run_id).state == "success"


def run_again(finished):
    """Make Airflow take a DAG run for running, as it does where `dags test` was killed."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.run_id == finished.run_id).values(state="running"))


class Killed:
    """A task's body that does all its work and is then killed, once for each mapped instance."""

    def __init__(self, body):
        self.body = body
        self.__name__ = body.__name__
        self.__wrapped__ = body
        self.seen = set()

    def __call__(self, *args, **kwargs):
        result = self.body(*args, **kwargs)
        key = repr((args, kwargs))
        if key not in self.seen:
            self.seen.add(key)
            raise AirflowException("killed")
        return result


def broken(group, store):
    raise AirflowException("killed")


def cut_short(searches, name, monkeypatch, iteration=1):
    """A run of the search that ended in that iteration's selection."""
    dag = searches.dag(name)
    select = dag.get_task(f"iteration_{iteration}.select")
    monkeypatch.setattr(select, "retries", 0)
    monkeypatch.setattr(select, "python_callable", broken)
    cut = searches.run(name, dag)
    assert cut.state == "failed"
    return cut


HALVING = {
    "early_stopping": {"halving": {"first": 1, "factor": 2}},
    "epochs": {"partial": 4.0, "full": 8.0},
    "iterations": 4,
}


def test_a_search_with_halving_that_was_cut_short_ends_as_one_that_was_not(searches, monkeypatch):
    searches.write("halved", **HALVING)
    whole = searches.run("halved")
    assert whole.state == "success"
    trained = list(searches.trained)
    assert len(trained) == len(set(trained))
    assert {trial.rpartition("-e")[2] for trial in trained} == {"1", "2", "4", "8"}
    searches.trained.clear()
    cut = cut_short(searches, "halved", monkeypatch, iteration=2)
    run = searches.run("halved", resume=cut.run_id)
    assert run.state == "success"
    assert sorted(searches.trained) == sorted(trained)
    stages = whole.ledger.stages()
    assert run.ledger.stages() == stages
    assert [run.ledger.selection(stage) for stage in stages] == [whole.ledger.selection(stage) for stage in stages]
    assert [run.ledger.plan(stage).requests for stage in stages] == [
        whole.ledger.plan(stage).requests for stage in stages
    ]


def test_a_run_goes_on_under_an_airflow_that_never_knew_it(searches, monkeypatch):
    """As after `rm -rf .airflow`, or on another machine."""
    searches.write("moved")
    cut = cut_short(searches, "moved", monkeypatch)
    forget(cut)
    slept = []
    begin = functools.partial(stages.begin, sleep=slept.append)
    monkeypatch.setattr(stages, "begin", begin)
    run = searches.run("moved", resume=cut.run_id)
    assert run.state == "success"
    assert slept, "nobody but its heartbeat can tell that the other one is dead"
    assert [session.number for session in run.ledger.sessions()] == [1, 2]


def test_a_dag_run_of_another_airflow_that_is_at_work_is_left_alone(searches, monkeypatch):
    searches.write("elsewhere")
    first = searches.run("elsewhere")
    forget(first)
    first.ledger.store.delete(first.ledger.path(f"closed/{safe_name(first.run_id)}.json"))
    turn = first.ledger.with_session(1).turn
    monkeypatch.setattr(stages, "begin", functools.partial(stages.begin, sleep=lambda seconds: turn.beat()))
    second = searches.run("elsewhere", resume=first.run_id)
    assert second.states["prepare_data.begin"] == "failed"
    assert [session.session for session in first.ledger.sessions()] == [first.run_id]


def test_tasks_of_a_session_that_was_taken_over_say_so(searches, monkeypatch, capsys):
    searches.write("overtaken")
    dag = searches.dag("overtaken")
    suggest = dag.get_task("iteration_2.suggest")
    body = suggest.python_callable

    def overtaken(group, store):
        ledger = next(iter_runs(searches, "overtaken"))
        writer, etag = look(ledger.store, ledger.root)
        take(ledger.store, ledger.root, writer.model_copy(update={"session": "another", "number": 2}), etag)
        return body(group, store)

    monkeypatch.setattr(suggest, "python_callable", overtaken)
    run = searches.run("overtaken", dag)
    assert run.state == "failed"
    assert run.states["iteration_2.suggest"] == "failed"
    assert Stage.iteration(2) not in run.ledger.stages()
    out = capsys.readouterr()
    assert "session 2 took over this run, another: session 1 writes nothing more" in out.out + out.err


def iter_runs(searches, name):
    store = open_store(searches.store)
    runs = [entry.path.split("/")[1] for entry in store.list(f"{name}/") if entry.path.endswith("/search.json")]
    return (Ledger(store, name, run) for run in runs)


def forget(finished):
    """Let Airflow know nothing of a DAG run any more."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.run_id == finished.run_id))


def test_resuming_a_run_that_there_is_not_is_refused(searches, capsys):
    searches.write("typed")
    first = searches.run("typed", iterations=1)
    trained = list(searches.trained)
    run = searches.run("typed", resume="a typo")
    assert run.state == "failed"
    assert run.states["prepare_data.begin"] == "failed"
    assert searches.trained == trained
    assert [ledger.url for ledger in iter_runs(searches, "typed")] == [first.ledger.url]
    out = capsys.readouterr()
    assert "resume: there is no run 'a_typo-" in out.out + out.err
    assert f"has {first.ledger.run}; give one of these" in out.out + out.err


def test_a_run_is_resumed_by_its_url(searches):
    searches.write("by_url")
    first = searches.run("by_url", iterations=1)
    second = searches.run("by_url", resume=first.ledger.url, iterations=1)
    assert second.state == "success"
    assert first.ledger.iterations_done() == 2
