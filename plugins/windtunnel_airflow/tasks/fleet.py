"""A fleet's tasks: split the data, train on lanes, gather, evaluate, publish, report, clean up."""

from functools import partial
from typing import Any

from airflow.sdk import Asset, TaskGroup, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from windtunnel.definition import Fleet
from windtunnel.engine.runs import is_current
from windtunnel.errors import LedgerError
from windtunnel.fleet import gathering, publishing
from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import EVALUATION, RUN, begin, evaluates, evaluation_job, lanes
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.planning import chosen, plan
from windtunnel.fleet.records import FleetPlan, read_plan, results
from windtunnel.fleet.split import split
from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import end_other_sessions
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.queue import open_queue
from windtunnel.ledger.sources import check_begun
from windtunnel.ledger.stage import FLEET
from windtunnel.text import counted, headline
from windtunnel_airflow.context import current_fleet, current_ledger, set_label, tell, tell_fleet
from windtunnel_airflow.failures import failures
from windtunnel_airflow.run_lock import hold_lock, is_at_work
from windtunnel_airflow.sensors.fleet import AwaitFleet
from windtunnel_airflow.tasks.training import launch_or_record, train_mapped

_SHOWN = 50  # failed mini-batches that a lane's task names


def wire_fleet(fleet: Fleet, store: str) -> None:
    """The tasks of a fleet's DAG, in the DAG at hand."""
    split_up, jobs = _prepare_data(fleet, store)
    awaited, collected = _training(jobs, store)
    gathered = gather(store)
    evaluated = _evaluation(store)
    published = publish(Asset(name=f"{fleet.name}_models", group="windtunnel"), store)
    reported = report(store)
    cleaned_up = clean_up(store).as_teardown(on_failure_fail_dagrun=True)

    split_up >> awaited >> gathered >> evaluated[0]
    evaluated[1] >> published
    [collected, published] >> reported
    [published, reported] >> cleaned_up


def _prepare_data(fleet: Fleet, store: str) -> tuple[Any, Any]:
    @task(task_id="begin")
    def begin_run() -> None:
        """Begin the run for this DAG run, and fix what it performs."""
        context = get_current_context()
        params = context["params"]
        hold_lock(context)
        ledger = current_ledger(store, context)
        if params["resume"] and not is_current(ledger):
            check_begun(ledger)
        running = partial(is_at_work, context)
        ledger = begin(chosen(fleet, params)[0], ledger, context["run_id"], running)
        tell_fleet(ledger, context)
        tell(f"{context['run_id']} works on {ledger.url}: {fleet.summary}.")

    @task(task_id="split")
    def split_data() -> list[str]:
        """Split the data, decide which partitions are trained and which taken over, and name the lanes' jobs."""
        ledger, own = current_fleet(store)
        _, choice = chosen(fleet, get_current_context()["params"])
        partitions = split(ledger, own)
        what = plan(ledger, own, partitions, choice)
        end_other_sessions(ledger, get_launcher(own.launcher))
        tell(f"{counted(len(partitions), 'partition')}: {Accounts.of(what, ()).message}.")
        return [job.job for job in lanes(ledger, own, what)]

    with TaskGroup("prepare_data", tooltip="The data's partitions, each with its keys and a digest"):
        jobs = split_data()
        begin_run() >> jobs
    return jobs, jobs


def _training(jobs: Any, store: str) -> tuple[AwaitFleet, Any]:
    """The lanes, and the sensor, which runs where nothing is to be launched, too: all was taken over."""
    with TaskGroup("training", tooltip="Lanes that claim one mini-batch after another"):
        wait = AwaitFleet(task_id="await_results", store=store, stage=RUN, trigger_rule=TriggerRule.ALL_DONE)
        return wait, train_mapped(wait, launch, collect, jobs, store)


@task(map_index_template="{{ trials }}")
def launch(part: str, store: str) -> None:
    """See that the lane lives, and return at once. If that cannot be done at all, it is recorded why."""
    ledger, fleet = current_fleet(store)
    set_label(part)
    open_queue(ledger, FLEET)
    launch_or_record(ledger, fleet.launcher, ledger.job(part))
    tell(
        f"Launched {part} by {fleet.launcher}, with {counted(fleet.limits.slots, 'process', 'processes')}, "
        "unless it lived."
    )


# Only what was awaited can be shown. A killed worker is a reason to try again; failed mini-batches are none.
@task(map_index_template="{{ trials }}", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, on_failure_callback=[])
def collect(part: str, store: str) -> None:
    """Show what the lane's mini-batches came to. Red where one failed."""
    ledger = current_ledger(store)
    set_label(part)
    succeeded, failed = 0, list[str]()
    for result in results(ledger):
        if result.lane == part and result.state is State.FAILED:
            failed.append(f"{result.batch}: {result.kind}: {headline(result.message)}")
        elif result.lane == part:
            succeeded += 1
    tell(f"{part}: {succeeded} mini-batches succeeded, {len(failed)} failed.")
    if failed:
        shown = "\n".join(failed[:_SHOWN])
        raise AirflowFailException(f"{len(failed)} of {succeeded + len(failed)} failed\n{shown}")


@task
def gather(store: str) -> None:
    """Put rows, leaderboard, reports and logs together. Fails, once that is done, where a threshold was gone beyond."""
    ledger, fleet = current_fleet(store)
    partitions = Partitions.read(ledger)
    assert partitions is not None
    gathered = gathering.gather(ledger, fleet, _plan(ledger), partitions)
    tell(f"Gathered {gathered['rows']} rows; in {ledger.url}: {', '.join(gathered['files'])}.")
    over = ledger.outcome(RUN)
    if over is not None and over.state is State.FAILED:
        raise AirflowFailException(f"the fleet has failed: {over.message}")


def _evaluation(store: str) -> tuple[Any, Any]:
    with TaskGroup("evaluation", tooltip="The user's function over the gathered table"):

        @task.short_circuit(task_id="launch", ignore_downstream_trigger_rules=False)
        def evaluate() -> bool:
            """Launch the evaluation, where the fleet has one."""
            ledger, fleet = current_fleet(store)
            if not evaluates(fleet):
                return False
            get_launcher(fleet.launcher).launch(ledger, evaluation_job(ledger))
            return True

        launched = evaluate()
        wait = AwaitFleet(task_id="await_results", store=store, stage=EVALUATION)
        launched >> wait
    return launched, wait


def publish(asset: Asset, store: str) -> Any:
    """Publish the run: the asset's consumers learn its counts, its evaluation and where its table is."""

    @task(outlets=[asset], trigger_rule=TriggerRule.NONE_FAILED)
    def publish() -> None:
        """Write published.json."""
        ledger, fleet = current_fleet(store)
        content = publishing.publish(ledger, fleet, _plan(ledger))
        table = content["table"] or content["leaderboard"]
        event = get_current_context()["outlet_events"][asset]
        event.extra = {"uri": f"{ledger.url}/{table}", **content["accounts"], **content["evaluation"]}
        tell(f"Published {ledger.url}/{table}.")

    return publish()


# Downstream of every collect, or a red one would be a leaf of the DAG and fail the run.
@task(trigger_rule=TriggerRule.ALL_DONE)
def report(store: str) -> None:
    """Write report.txt and report.html: how many were trained, taken over and failed, and why."""
    from windtunnel.report import write_report

    ledger = current_ledger(store)
    what = read_plan(ledger)
    if what is None:
        tell("The run has no plan: there is nothing to report.")
        return
    write_report(ledger)
    tell("\n".join(publishing.summary(ledger, what)))


@task
def clean_up(store: str) -> None:
    """Cancel what still runs. Fails where nothing was published, so that the run's state tells the truth."""
    why = "; ".join(failures(get_current_context())) or "nothing was published"
    try:
        ledger, fleet = current_fleet(store)
    except LedgerError as error:
        raise AirflowFailException(f"Nothing was published: {error}. {why}") from error
    get_launcher(fleet.launcher).cancel(ledger)
    left = ledger.store.sweep(ledger.path(""))
    if left:
        tell(f"Removed {counted(left, 'file')} that killed processes had left in {ledger.url}.")
    session = get_current_context()["run_id"]
    if publishing.published(ledger) is None:
        ledger.end(session, why)
        raise AirflowFailException(f"Nothing was published: {why}")
    ledger.close(session)


def _plan(ledger: Ledger) -> FleetPlan:
    what = read_plan(ledger)
    assert what is not None  # the lanes were launched by it
    return what
