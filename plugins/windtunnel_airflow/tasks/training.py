"""A stage's jobs or lanes: launched side by side, awaited together, shown one by one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import lanes_for, record_unlaunched
from windtunnel.ledger import Job, Ledger, Plan, Result, State
from windtunnel.ledger.claims import Claims
from windtunnel.ledger.failures import cause
from windtunnel.ledger.queue import open_queue, requested
from windtunnel.ledger.records import Params
from windtunnel.ledger.stage import Stage
from windtunnel.stages import Search
from windtunnel_airflow.context import current_ledger, current_search, label, set_label, tell
from windtunnel_airflow.retries import is_last_try
from windtunnel_airflow.sensors.awaiting import Awaiting
from windtunnel_airflow.sensors.results import AwaitResults


def parts_of(stage: Stage | None, jobs: Iterable[Job]) -> list[dict[str, str]]:
    """What the group `train` is mapped over: the jobs or lanes of a stage, never none of them."""
    return [{"stage": str(stage), "job": job.job} for job in jobs]


def lanes_of(search: Search, plan: Plan) -> list[dict[str, str]]:
    """The lanes that a planned stage needs; at least one, or the expansion would skip what follows."""
    return parts_of(plan.stage, lanes_for(search.ledger, search.definition, plan))


def run_jobs(parts: Any, store: str) -> tuple[AwaitResults, Any]:
    """The mapped group `train` over the parts of a stage, and the sensor that waits for their results.

    Returns:
        The sensor, and the collecting task.
    """
    wait = AwaitResults(
        task_id="await_results", store=store, parts=parts, trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
    )
    return wait, train_mapped(wait, launch, collect, parts, store)


def train_mapped(
    wait: Awaiting, launch: Callable[..., Any], collect: Callable[..., Any], parts: Any, store: str
) -> Any:
    """The group `train`, mapped over lanes or jobs: each is launched, awaited with all others, and shown.

    The sensor comes after every launch: `airflow dags test` runs tasks in random order and triggers inline, so that a
    sensor beside the launches would wait for jobs that nobody launches.

    Returns:
        The collecting task.
    """

    @task_group(tooltip="One lane, which does one piece of work after another: its part in this stage")
    def train(part: Any) -> Any:
        launched = launch(part, store)
        collected = collect(part, store)
        launched >> wait >> collected
        launched >> collected
        return collected

    return train.expand(part=parts)


@task(map_index_template="{{ trials }}")
def launch(part: dict[str, str], store: str) -> None:
    """See that the job or the lane lives, and return at once. If that cannot be done at all, it is recorded why."""
    search = current_search(store)
    work = search.ledger.job(part["job"])
    set_label(work.job if work.session is not None else label(work.units))
    if work.session is not None:
        open_queue(search.ledger, Stage(part["stage"]))
    launch_or_record(search.ledger, search.definition.launcher, work)
    what = "it claims trials as it comes to them" if work.session is not None else label(work.units)
    tell(f"Launched {work.job} by {search.definition.launcher}, unless it lived: {what}.")


def launch_or_record(ledger: Ledger, launcher: str, work: Job) -> None:
    """Launch a job or a lane; at the task's last try, record why it cannot be launched."""
    try:
        get_launcher(launcher).launch(ledger, work)
    except Exception as error:
        if is_last_try(get_current_context()["ti"], error):
            record_unlaunched(ledger, work, error)
        raise


# Only what was awaited can be shown. A killed worker is a reason to try again; failed trials, which fail it, are none.
@task(map_index_template="{{ trials }}", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, on_failure_callback=[])
def collect(part: dict[str, str], store: str) -> None:
    """Show what the job or the lane did in this stage. Red where a trial failed; skipped where one still runs."""
    ledger = current_ledger(store)
    work, stage = ledger.job(part["job"]), Stage(part["stage"])
    plan = ledger.plan(stage)
    params = {request.trial: request.params for request in plan.requests} if plan is not None else {}
    units = work.units if work.session is None else _done_by(ledger, work, stage)
    set_label(label(units))
    results = {unit: ledger.result(unit) for unit in units}
    for unit, result in results.items():
        _show(ledger, unit, params.get(unit, {}), result)
    ended = [result for result in results.values() if result is not None]
    failed = [f"{result.trial}: {cause(result)}" for result in ended if result.state is State.FAILED]
    if failed:
        raise AirflowFailException(f"{len(failed)} of {len(results)} failed\n" + "\n".join(failed))
    if len(ended) < len(results):
        raise AirflowSkipException("not all of its trials are done; they count, and are shown, in a later iteration")


def _done_by(ledger: Ledger, lane: Job, stage: Stage) -> Sequence[str]:
    """The trials of a stage that a lane claimed, and stragglers of iterations that the last selection lacked.

    A full training does not wait for those that have not ended. What failed though nobody claimed it is the first
    lane's.
    """
    claims, ended = Claims(ledger).listing(), ledger.outcomes()
    units = [request.trial for request in requested(ledger, [stage])]
    before = stage.number - 1 if stage.is_iteration else stage.number
    if before > 0:
        selection = ledger.selection(Stage.iteration(before))
        known = set(selection.results) if selection is not None else set()
        iterations = [one for one in ledger.stages() if one.is_iteration and 0 < one.number <= before]
        late = [request.trial for request in requested(ledger, iterations) if request.trial not in known]
        units += [unit for unit in late if stage.is_iteration or unit in ended]
    own = [unit for unit in units if unit in claims and claims[unit].lane == lane.job]
    if lane.lane:
        return own
    failed = {unit for unit, result in ended.items() if result.state is State.FAILED}
    return own + [unit for unit in units if unit in failed - claims.keys()]


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
