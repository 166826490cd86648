"""From the front to published models: finalists, approval, full training, verification, publishing, report, end."""

from collections.abc import Callable
from typing import Any

from airflow.sdk import Asset, TaskGroup, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from windtunnel import stages
from windtunnel.errors import LedgerError
from windtunnel.launchers import get_launcher
from windtunnel.text import counted
from windtunnel_airflow.context import current_ledger, current_search, search_to_end, tell
from windtunnel_airflow.failures import failures
from windtunnel_airflow.tasks.training import lanes_of, parts_of, run_jobs

_NOTHING = "nothing was published"


# The last selection is skipped where the search ends early or there is nothing to search; its failure ends the run.
@task(trigger_rule=TriggerRule.NONE_FAILED)
def finalists(store: str) -> list[str]:
    """Fix which trials are trained fully: of the front, or those that the trigger names."""
    search = current_search(store)
    plan = stages.choose_finalists(search)
    for request in plan.requests:
        tell(f"{request.trial} {request.params}")
    return [request.trial for request in plan.requests]


def full_training(store: str) -> tuple[Any, Any, Any]:
    """The finalists, trained fully: see `_stage`."""
    return _stage("full_training", "The finalists, trained fully", plan_full_training, store)


def verification(store: str) -> tuple[Any, Any, Any]:
    """Every finalist's exported model over the whole test set: see `_stage`."""
    return _stage("verify", "The exported models against the test data", plan_verification, store)


def _stage(name: str, tooltip: str, plan: Callable[[str], Any], store: str) -> tuple[Any, Any, Any]:
    """Plan → train[part] → await_results.

    Returns:
        The group's first task, its sensor, and its collecting task.
    """
    with TaskGroup(name, tooltip=tooltip):
        parts = plan(store)
        wait, collected = run_jobs(parts, store)
    return parts, wait, collected


@task(task_id="plan")
def plan_full_training(store: str) -> list[dict[str, str]]:
    """The lanes of the finalists' full training."""
    search = current_search(store)
    return lanes_of(search, stages.choose_finalists(search))


@task(task_id="plan")
def plan_verification(store: str) -> list[dict[str, str]]:
    """The jobs that verify the finalists' models."""
    plan = stages.plan_verification(current_search(store))
    return parts_of(plan.stage, plan.jobs)


def publish(asset: Asset, store: str) -> Any:
    """Publish the front and the verified models; the best of them is the asset's new state."""

    @task(outlets=[asset])
    def publish() -> str:
        """Write pareto.json and models.json, and tell the asset's consumers the best model."""
        search = current_search(store)
        models = stages.publish(search)
        best, url = models[0], search.ledger.url
        uri = f"{url}/{best.onnx}" if best.onnx else ""
        file = {"uri": uri, "sha256": best.sha256} if uri else {}
        event = get_current_context()["outlet_events"][asset]
        event.extra = {
            "trial": best.trial.trial,
            "verdict": best.verdict,
            "models": len(models),
            **file,
            **best.trial.objectives,
            **best.test,
        }
        tell(
            f"Published {counted(len(models), 'model')}: {url}/models.json; the front: {url}/pareto.json. The best is "
            f"{best.trial.trial}, {best.verdict}: {uri or 'it has no ONNX file'}."
        )
        return best.trial.trial

    return publish()


@task
def refused(store: str) -> None:
    """The end of a run whose finalists nobody wants: the front is kept, nothing is trained fully or published."""
    search = current_search(store)
    stages.refuse(search)
    tell(f"Refused: {search.ledger.approval()}")


# Downstream of every collect, or a red one would be a leaf of the DAG and fail the run.
@task(trigger_rule=TriggerRule.ALL_DONE)
def report(store: str) -> None:
    """Write report.html and pareto.png of whatever there is."""
    from windtunnel.report import write_report

    ledger = current_ledger(store)
    try:
        ledger.search_record()
    except LedgerError:
        tell("The run has not begun: there is nothing to report.")
        return
    write_report(ledger, over="; ".join(failures(get_current_context())) or _NOTHING)
    tell(f"Wrote {ledger.url}/report.html and pareto.png beside it.")


@task
def clean_up(store: str) -> None:
    """Cancel what still runs. Fails where nothing was published, so that the run's state tells the truth.

    A teardown alone would let a run that was marked failed end in success.
    """
    why = "; ".join(failures(get_current_context())) or _NOTHING
    try:
        search = search_to_end(store)
    except LedgerError as error:  # what runs, if anything, is not ours to cancel
        raise AirflowFailException(f"Nothing was published: {error}. {why}") from error
    if search is None:
        raise AirflowFailException(f"Nothing was published, for the run has not begun: {why}")
    ledger, launcher = search.ledger, get_launcher(search.definition.launcher)
    live = launcher.live(ledger)
    launcher.cancel(ledger)
    tell(f"Cancelled {', '.join(sorted(live))}." if live else "Nothing ran any more.")
    left = ledger.store.sweep(ledger.path(""))
    if left:
        tell(f"Removed {counted(left, 'file')} that killed processes had left in {ledger.url}.")
    if not ledger.finished(search.session.session):
        ledger.end(search.session.session, why)
        raise AirflowFailException(f"Nothing was published: {why}")
    ledger.close(search.session.session)
    tell(f"{ledger.url} is closed: the next DAG run that resumes it extends it.")
