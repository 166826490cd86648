"""What a run is said to be: at work, failed, refused or finished, and its trials accordingly."""

import os
import time

import pytest

from tests.core.report import made_up
from windtunnel.ledger import Approval, Ledger, Result, State
from windtunnel.ledger.claims import Claims
from windtunnel.report import collect, payloads, write_report
from windtunnel.report.notes import notes
from windtunnel.report.stages import coming, stages
from windtunnel.report.text import ending, headline, why_failed


def end(ledger: Ledger, why: str) -> None:
    """Let the session end after its last launch, by the store's clock."""
    ledger.end(made_up.SESSION, why)
    file = ledger.store.local_file(ledger.path(f"ended/{made_up.SESSION}.json"))
    assert file is not None
    os.utime(file, (time.time() + 1, time.time() + 1))


def test_in_a_run_that_failed_nothing_runs_or_waits(ledger: Ledger) -> None:
    left = made_up.fill_partly(ledger)
    before = collect(ledger)
    assert (before.counts["running"], before.counts["waiting"]) == (2, len(left) - 2)
    assert before.works and ending(before) is None
    end(ledger, "publish: the store is full")
    snapshot = collect(ledger)
    assert (snapshot.counts["running"], snapshot.counts["waiting"]) == (0, 0)
    assert (snapshot.counts["cancelled"], snapshot.counts["not run"]) == (2, len(left) - 2)
    assert "2 cancelled" in headline(snapshot) and "not run" in headline(snapshot)
    assert ending(snapshot) == "failed: publish: the store is full"
    assert sum(stage.running for stage in stages(snapshot)) == 0
    assert coming(snapshot) == []
    found = payloads.overview(snapshot)
    assert (found["works"], found["failure"], found["waits_for"]) == (False, "publish: the store is full", [])
    assert set(payloads.trials(snapshot)["unended"].values()) == {"cancelled", "not run"}
    assert None not in payloads.lanes(snapshot)["columns"]["end"]
    assert snapshot.version != before.version


def test_a_run_that_launches_again_works_again(ledger: Ledger) -> None:
    made_up.fill_partly(ledger)
    end(ledger, "a task failed")
    assert not collect(ledger).works
    plan = ledger.plan("3")
    assert plan is not None
    launch = ledger.begin_launch(plan.jobs[0].job, "here", made_up.BEGAN.isoformat())
    file = ledger.store.local_file(ledger.path(f"jobs/{plan.jobs[0].job}/launches/{launch.number}.json"))
    assert file is not None
    os.utime(file, (time.time() + 9, time.time() + 9))
    snapshot = collect(ledger)
    assert snapshot.works and snapshot.counts["running"] == 2


def test_stragglers_of_a_finished_run_do_not_run(ledger: Ledger) -> None:
    made_up.fill_partly(ledger)
    ledger.finish(made_up.SESSION)
    snapshot = collect(ledger)
    assert snapshot.counts["running"] == 0 < snapshot.counts["cancelled"]
    assert ending(snapshot) == "finished"


def test_the_report_of_a_run_that_fails_says_so_before_it_is_cleaned_up(ledger: Ledger) -> None:
    made_up.fill_partly(ledger)
    write_report(ledger, over="iteration_3.select: out of luck")
    page = ledger.store.get(ledger.path("report.html")).decode()
    assert '"failure":"iteration_3.select: out of luck"' in page
    assert '"running":0' in page


def test_who_refused_the_finalists_and_when_is_said(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition(approval=True))
    by = {"id": "7", "name": "Ada"}
    refusal = Approval(approved=False, by=by, at="2026-11-21T11:30:00+01:00", session=made_up.SESSION, stage="full-0")
    ledger.answer(refusal)
    ledger.finish(made_up.SESSION)
    snapshot = collect(ledger)
    assert ending(snapshot) == "finalists refused by Ada, 2026-11-21 10:30 UTC"
    assert payloads.overview(snapshot)["refused"] == "refused by Ada, 2026-11-21 10:30 UTC"
    made_up.open_session(ledger, made_up.definition(approval=True), "second", offset=1)
    assert collect(ledger).refusal is None  # it is asked again


@pytest.mark.parametrize(("iterations", "reason"), [(3, "the front has not moved for 2 iterations"), (4, None)])
def test_a_search_ended_early_where_it_might_have_gone_on(ledger: Ledger, iterations: int, reason: str | None) -> None:
    made_up.fill(ledger, iterations=iterations)  # of four that are planned; the last one has a reason to stop
    assert payloads.overview(collect(ledger))["ended_early"] == reason
    made_up.open_session(ledger, made_up.definition(), "second", offset=iterations)
    assert payloads.overview(collect(ledger))["ended_early"] is None  # this one has not


def test_a_failed_preparation_is_said(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    from windtunnel.ledger import Job

    ledger.create_job(Job(job="prepare", stage="prepare", units=["prepare"]))
    assert payloads.overview(collect(ledger))["preparation"] == ""
    ledger.record(Result(trial="prepare", state=State.FAILED, kind="error", message="there is no such data"))
    assert payloads.overview(collect(ledger))["preparation"] == "error: there is no such data"


def test_the_commonest_cause_of_failures_comes_with_its_count(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    assert why_failed(snapshot) == [
        "failed: 2 times error: RuntimeError: shape '[64, 0]' is invalid, and 1 for other causes"
    ]
    causes = payloads.overview(snapshot)["causes"]
    assert [each["units"] for each in causes] == [2, 1]
    assert causes[0]["unit"] in {trial.trial for trial in snapshot.trials if trial.state is State.FAILED}


def test_models_say_whether_they_are_verified_and_where_their_file_is(ledger: Ledger) -> None:
    made_up.fill(ledger, finalists=3)
    first = collect(ledger).models[0].trial.trial
    ledger.store.put(ledger.trial_path(first, "model.onnx"), b"onnx")
    snapshot = collect(ledger)
    models = payloads.overview(snapshot)["models"]
    assert [model["verdict"] for model in models] == ["verified", "verified", "failed"]
    assert (
        [bool(model["onnx"]) for model in models] == [bool(model["sha256"]) for model in models] == [True, False, False]
    )


def test_importance_counts_a_configuration_once(ledger: Ledger) -> None:
    pytest.importorskip("optuna")
    configs = [f"{number:016x}" for number in range(12)]
    lower = {config: number / 20 for number, config in enumerate(configs)}
    made_up.fill_promoted(ledger, lower, {config: lower[config] + 0.1 for config in configs[4:]})
    assert payloads.importance(collect(ledger))["of"] == len(configs)


def test_utilisation_is_the_whole_runs(ledger: Ledger) -> None:
    results = made_up.fill(ledger, finalists=0)
    found = payloads.lanes(collect(ledger))
    whole, parts = found["whole"], found["stages"]
    assert whole["busy"] == pytest.approx(sum(result.seconds for result in results))
    assert whole["lanes"] == 2
    assert whole["seconds"] == max(part["end"] for part in parts) - min(part["start"] for part in parts)
    assert whole["room"] == 2 * whole["seconds"]
    assert payloads.lanes(collect(Ledger(ledger.store, "digits_cnn", "first")))["whole"] == whole


def test_a_trial_that_runs_unusually_long_is_told_with_its_lane(ledger: Ledger) -> None:
    left = made_up.fill_partly(ledger)
    long, other = left[0], left[1]
    for request, lane, ago in ((long, "lane-1-3", 86_400), (other, "lane-1-4", 1)):
        assert Claims(ledger).take(request.trial, lane, 1)
        file = ledger.store.local_file(ledger.path(f"claims/{request.trial}.1.json"))
        assert file is not None
        os.utime(file, (time.time() - ago, time.time() - ago))
    snapshot = collect(ledger)
    (note,) = (each for each in notes(snapshot) if each.startswith("runs long"))
    assert f"{long.trial} on lane-1-3" in note
    assert note in payloads.overview(snapshot)["notes"] and note in headline(snapshot)
    made_up.finish(ledger, long)
    assert not [each for each in notes(collect(ledger)) if each.startswith("runs long")]
