"""A search's DAG."""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset
from airflow.sdk.definitions.param import ParamsDict

from windtunnel.definition import Definition
from windtunnel_airflow.callbacks import callbacks
from windtunnel_airflow.context import DEFINITION
from windtunnel_airflow.describe import describe
from windtunnel_airflow.params import trigger_form
from windtunnel_airflow.retries import retries
from windtunnel_airflow.tasks import completion
from windtunnel_airflow.tasks.approval import Approve
from windtunnel_airflow.tasks.iteration import iteration
from windtunnel_airflow.tasks.preparation import prepare_data

# Without a beginning, the intervals of @continuous are empty: the second run has the date of the first, and is passed
# over. To all other schedules a beginning in the past means nothing, for nothing is caught up.
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def search_dag(definition: Definition) -> DAG:
    """The DAG of a search.

        prepare_data → iteration_1 → … → finalists → approve → full_training → verify → publish → report → clean_up

    Any task may be killed and run again: XCom carries ids only, and the ledger what is done.
    """
    dag = DAG(
        dag_id=definition.name,
        description=definition.description or f"Search for models with {definition.program}",
        doc_md=describe(definition),
        schedule=_schedule(definition),
        start_date=_BEGINNING if definition.schedule == "@continuous" else None,
        catchup=False,
        max_active_runs=1,  # limits.parallel counts the trials of one run; two runs would double them
        tags=["windtunnel", *definition.tags],
        default_args=retries() | ({"owner": definition.dag.owner} if definition.dag.owner else {}),
        user_defined_macros={DEFINITION: definition},
        **callbacks(definition),
    )
    with dag:
        _wire(definition, definition.store or os.environ.get("WINDTUNNEL_STORE", "runs"))
    dag.params = ParamsDict(trigger_form(definition))  # only now: every task would keep a copy, which takes long
    return dag


def _schedule(definition: Definition) -> Any:
    """The schedule in the definition's time zone. A start date would say the zone too, and begin a run of the past."""
    if definition.dag.timezone is None:
        return definition.schedule
    from airflow.timetables.trigger import CronTriggerTimetable

    return CronTriggerTimetable(definition.schedule or "", timezone=definition.dag.timezone)


def _wire(definition: Definition, store: str) -> None:
    before = prepare_data(definition, store)
    collects = []
    for group in range(1, definition.iterations + 1):
        suggested, selected, collected = iteration(group, store, last=group == definition.iterations)
        before >> suggested
        before = selected
        collects.append(collected)

    finalists = completion.finalists(store)
    refused: Any = completion.refused(store)
    planned, trained, collected_training = completion.full_training(store)
    to_verify, verified, collected_verification = completion.verification(store)
    approve = Approve(
        task_id="approve", store=store, approved=planned.operator.task_id, refused=refused.operator.task_id
    )
    model = Asset(name=f"{definition.name}_model", group="windtunnel")
    published = completion.publish(model, store)
    report = completion.report(store)
    clean_up = completion.clean_up(store).as_teardown(on_failure_fail_dagrun=True)

    before >> finalists >> approve >> [planned, refused]
    trained >> to_verify
    verified >> published
    [*collects, collected_training, collected_verification, refused, published] >> report
    [published, report] >> clean_up
