"""A stage's jobs: launched side by side, awaited together, shown one by one."""

from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.failures import record_unlaunched
from windtunnel.ledger.records import Params
from windtunnel_airflow.context import current_ledger, current_search, set_label, tell
from windtunnel_airflow.retries import is_last_try
from windtunnel_airflow.sensors.results import AwaitResults


def run_jobs(jobs: Any, store: str) -> tuple[AwaitResults, Any]:
    """The mapped group `train` over the jobs, and the sensor that waits for their results.

    The sensor comes after every launch: `airflow dags test` runs tasks in random order and triggers inline, so that a
    sensor beside the launches would wait for jobs that nobody launches.

    Returns:
        The sensor, and the collecting task.
    """
    wait = AwaitResults(
        task_id="await_results", store=store, jobs=jobs, trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
    )

    @task_group(tooltip="One job: its trials run one after another, on one lane")
    def train(job: str) -> Any:
        launched = launch(job, store)
        collected = collect(job, store)
        launched >> wait >> collected
        launched >> collected
        return collected

    return wait, train.expand(job=jobs)


@task(map_index_template="{{ trials }}")
def launch(job: str, store: str) -> None:
    """Submit the job and return at once. If that cannot be done at all, its trials' results say so."""
    search = current_search(store)
    work = search.ledger.job(job)
    set_label(work)
    try:
        get_launcher(search.definition.launcher).launch(search.ledger, work)
    except Exception as error:
        if is_last_try(get_current_context()["ti"], error):
            record_unlaunched(search.ledger, work, error)
        raise
    units = ", ".join(work.units) or "nothing to do"
    tell(f"Launched job {job} by {search.definition.launcher}, on lane {work.lane}: {units}.")


# Only what was awaited can be shown. A killed worker is a reason to try again; failed trials, which fail it, are none.
@task(map_index_template="{{ trials }}", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, on_failure_callback=[])
def collect(job: str, store: str) -> None:
    """Show the job's trials and their logs. Red where a trial failed; skipped where the search went on without it."""
    ledger = current_ledger(store)
    work = ledger.job(job)
    set_label(work)
    plan = ledger.plan(work.stage)
    params = {request.trial: request.params for request in plan.requests} if plan is not None else {}
    results = {unit: ledger.result(unit) for unit in work.units}
    for unit, result in results.items():
        _show(ledger, unit, params.get(unit, {}), result)
    ended = [result for result in results.values() if result is not None]
    failed = [f"{result.trial}: {result.kind}: {result.message}" for result in ended if result.state is State.FAILED]
    if failed:
        raise AirflowFailException(f"{len(failed)} of {len(results)} failed\n" + "\n".join(failed))
    if len(ended) < len(results):
        raise AirflowSkipException("not all of its trials are done; they count in a later iteration")


def _show(ledger: Ledger, unit: str, params: Params, result: Result | None) -> None:
    tell(_summary(unit, params, result))
    log = ledger.log(unit)
    if log:
        tell(f"::group::Log of {unit}\n{log}\n::endgroup::")


def _summary(unit: str, params: Params, result: Result | None) -> str:
    if result is None:
        return f"{unit}: not done yet"
    numbers = (result.objectives | result.metrics).items()
    values = ", ".join(f"{name}={value:.6g}" for name, value in numbers if value is not None)
    source = f", from {result.source}" if result.source else ""
    how = f"{result.state} in {result.seconds:.1f} s{source}"
    return f"{unit}: {how} {params} {values} {result.message}".rstrip()
