from tests.core.report import made_up
from windtunnel.ledger import Ledger
from windtunnel.ledger.trial import Trial, best_trial
from windtunnel.report import RunReader, collect
from windtunnel.report.stages import coming, seconds_left, stages


def test_of_a_run_that_only_began_everything_is_to_come(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition(iterations=2))
    snapshot = collect(ledger)
    assert coming(snapshot) == ["prepare", "1", "2", "full-2", "verify-2"]
    assert seconds_left(snapshot) is None


def test_a_run_that_has_taken_results_over_and_no_job_yet_has_a_forecast(ledger: Ledger) -> None:
    made_up.fill(ledger, finalists=1)
    warm = Ledger(ledger.store, "digits_cnn", "warm")
    made_up.fill_warm(warm, ledger)
    for stage in ("1", "full-1"):
        warm.store.delete(warm.path(f"iterations/{stage}/plan.json"))
    left = seconds_left(collect(warm))
    assert left is not None and left > 0


def test_a_finished_run_has_all_stages_done(ledger: Ledger) -> None:
    made_up.fill(ledger)
    snapshot = collect(ledger)
    assert [stage.name for stage in stages(snapshot)] == ["1", "2", "3", "4", "full-4"]
    assert all(stage.done for stage in stages(snapshot))
    best = best_trial(snapshot.trials, "val_acc", "maximize")
    assert best is not None
    assert best.objectives["val_acc"] == max(
        o.objectives["val_acc"] for o in ledger.outcomes().values() if "-e12" not in o.trial and o.feasible
    )


def test_the_best_trial_is_none_of_those_whose_value_stands_for_none() -> None:
    trials = [
        Trial.of({}, f"{number:016x}", objectives={"acc": acc}) for number, acc in enumerate((0.8, 1.79e308, 0.9))
    ]
    best = best_trial(trials, "acc", "maximize")
    assert best is not None and best.objectives == {"acc": 0.9}
    assert best_trial(trials[1:2], "acc", "maximize") is None


def test_a_run_under_way_tells_what_runs_and_what_is_to_come(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=2, finalists=0)
    plan = ledger.plan("2")
    assert plan is not None
    ledger.store.delete(ledger.path("iterations/full-2/plan.json"))
    ledger.store.delete(ledger.path("iterations/2/known.json"))
    for unit in plan.jobs[1].units:
        ledger.store.delete(ledger.path(f"results/{unit}.json"))
    ledger.begin_launch(plan.jobs[1].job, "here", made_up.BEGAN.isoformat())
    snapshot = collect(ledger)
    now = stages(snapshot)[-1]
    assert (now.name, now.total, now.finished, now.running, now.done) == ("2", 12, 6, 1, False)
    assert now.selection is None
    assert coming(snapshot) == ["prepare", "3", "4", "full-4", "verify-4"]
    left = seconds_left(snapshot)
    assert left is not None and left > 10


def test_no_more_is_to_come_than_the_search_may_try(ledger: Ledger) -> None:
    capped = Ledger(ledger.store, "digits_cnn", "capped")
    made_up.fill(ledger, iterations=3, finalists=0)
    made_up.fill(capped, iterations=3, finalists=0, limits={"trials": 34})
    for run in (ledger, capped):
        for path in ("iterations/3/known.json", "iterations/full-3/plan.json"):
            run.store.delete(run.path(path))
    left, less = (seconds_left(collect(run)) for run in (ledger, capped))
    assert left is not None and less is not None and less < left


def test_a_later_reading_sees_what_has_come_since(ledger: Ledger) -> None:
    made_up.begin(ledger, made_up.definition())
    reader = RunReader(ledger)
    assert stages(reader.read()) == []
    made_up.fill(ledger, iterations=1, finalists=0)
    assert stages(reader.read())[0].finished == 10


def test_an_early_end_takes_the_other_iterations_off_the_list(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=2, finalists=0)
    ledger.store.delete(ledger.path("iterations/full-2/plan.json"))
    assert coming(collect(ledger)) == ["prepare", "full-2", "verify-2"]


def test_what_ended_an_earlier_session_leaves_the_next_ones_iterations_on_the_list(ledger: Ledger) -> None:
    made_up.fill(ledger)
    made_up.open_session(ledger, made_up.definition(iterations=2), "second", offset=4)
    assert coming(collect(ledger)) == ["prepare", "5", "6", "full-6", "verify-6"]
