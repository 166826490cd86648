"""The beginning: whose run it is, the data, and what earlier runs know."""

from airflow.sdk import TaskGroup, get_current_context, task

from windtunnel import stages
from windtunnel.definition import Definition
from windtunnel.definition.choices import chosen, origin
from windtunnel.engine.runs import is_current
from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import end_other_sessions
from windtunnel.ledger.sources import check_begun
from windtunnel.text import counted
from windtunnel_airflow.context import current_ledger, current_search, skip_iterations, tell, tell_spec
from windtunnel_airflow.run_lock import hold_lock, is_at_work
from windtunnel_airflow.sensors.results import AwaitResults
from windtunnel_airflow.tasks.training import parts_of


def prepare_data(definition: Definition, store: str) -> TaskGroup:
    """Begin → await_results → start, which skips the first iteration where there is none to perform."""

    @task
    def begin() -> list[dict[str, str]]:
        """Claim the run for this DAG run, fix what it performs, and launch the preparation of the data."""
        context = get_current_context()
        params = context["params"]
        hold_lock(context)
        ledger = current_ledger(store, context)
        if params["resume"] and not (ledger.begun() or is_current(ledger)):
            check_begun(ledger)
        search = stages.begin(
            chosen(definition, params),
            ledger,
            context["run_id"],
            origin=origin(params),
            retry_failed=params["retry_failed"],
            written=definition.iterations,
            named=definition.warm_start,
            running=lambda run: is_at_work(context, run),
        )
        tell_spec(search, context)
        session = search.session
        tell(
            f"{session.session} works on {search.ledger.url}: {counted(session.iterations, 'iteration')} "
            f"after {session.offset}, by {search.definition.strategy.name} with {search.definition.program}."
        )
        for warning in search.ledger.search_record().get("warnings", []):
            tell(f"warning: {warning}")
        job = stages.prepare_job(search)
        get_launcher(search.definition.launcher).launch(search.ledger, job)
        tell(f"Launched job {job.job}, which prepares the data, by {search.definition.launcher}.")
        return parts_of(job.stage, [job])

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def start() -> bool:
        """End what earlier sessions left, take over what earlier runs know, and go on, if there is more to do."""
        search = current_search(store)
        end_other_sessions(search.ledger, get_launcher(search.definition.launcher))
        plan = stages.start(search)
        if plan is not None:
            tell(plan.note)
        going_on = stages.goes_on(search, 1)
        if not going_on:
            skip_iterations(1)
        return going_on

    with TaskGroup("prepare_data", tooltip="The data and its splits, once a run") as group:
        parts = begin()
        wait = AwaitResults(task_id="await_results", store=store, parts=parts, essential=True)
        wait >> start()
    return group
