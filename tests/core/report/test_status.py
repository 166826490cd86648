from tests.core.report import made_up
from windtunnel.ledger import Ledger
from windtunnel.report.status import Observer


def test_before_the_run_begins_everything_is_to_come(ledger: Ledger) -> None:
    status = Observer(ledger, lambda: set()).look()
    assert (status.stages, status.coming, status.left) == ([], ["data"], None)


def test_a_finished_run_has_all_stages_done(ledger: Ledger) -> None:
    made_up.fill(ledger)
    status = Observer(ledger, lambda: set()).look()
    assert [stage.title for stage in status.stages] == [*(f"iteration {k}" for k in range(1, 5)), "full training"]
    assert all(stage.done for stage in status.stages)
    assert status.failed == 3
    assert status.front == len(ledger.known("4").front)
    assert status.best == max(
        o.objectives["val_acc"] for o in ledger.outcomes().values() if "-e12" not in o.trial and o.feasible
    )


def test_a_run_under_way_tells_what_runs_and_what_is_to_come(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=2, finalists=0)
    plan = ledger.plan("2")
    ledger.store.delete(ledger.path("iterations/full-2/plan.json"))
    ledger.store.delete(ledger.path("iterations/2/known.json"))
    for unit in plan.jobs[1].units:
        ledger.store.delete(ledger.path(f"results/{unit}.json"))
    status = Observer(ledger, lambda: {plan.jobs[1].job}).look()
    now = status.stages[-1]
    assert (now.title, now.total, now.finished, now.running, now.done) == ("iteration 2", 12, 6, 1, False)
    assert now.front is None
    assert status.coming == ["data", "iteration 3", "iteration 4", "full training", "verification"]
    assert status.left > 10


def test_a_look_sees_what_has_come_since(ledger: Ledger) -> None:
    observer = Observer(ledger, lambda: set())
    observer.look()
    made_up.fill(ledger, iterations=1, finalists=0)
    assert observer.look().stages[0].finished == 10


def test_an_early_end_takes_the_other_iterations_off_the_list(ledger: Ledger) -> None:
    made_up.fill(ledger, iterations=2, finalists=0)
    ledger.store.delete(ledger.path("iterations/full-2/plan.json"))
    assert "iteration 3" not in Observer(ledger, lambda: set()).look().coming
