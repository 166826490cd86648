"""The DAGs of searches and fleets."""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset
from airflow.sdk.definitions.param import ParamsDict

from windtunnel.definition import Definition, Fleet
from windtunnel_airflow.callbacks import callbacks
from windtunnel_airflow.context import DEFINITION
from windtunnel_airflow.describe import describe, describe_fleet
from windtunnel_airflow.params import fleet_form, trigger_form
from windtunnel_airflow.retries import retries
from windtunnel_airflow.tasks import completion
from windtunnel_airflow.tasks.approval import Approve
from windtunnel_airflow.tasks.fleet import wire_fleet
from windtunnel_airflow.tasks.iteration import iteration
from windtunnel_airflow.tasks.preparation import prepare_data

# Without a beginning, the intervals of @continuous are empty: the second run has the date of the first, and is passed
# over. To all other schedules a beginning in the past means nothing, for nothing is caught up.
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def dag_of(definition: Definition | Fleet) -> DAG:
    """The DAG of a search or a fleet."""
    return fleet_dag(definition) if isinstance(definition, Fleet) else search_dag(definition)


def search_dag(definition: Definition) -> DAG:
    """The DAG of a search.

        prepare_data → iteration_1 → … → finalists → approve → full_training → verify → publish → report → clean_up

    Any task may be killed and run again: XCom carries ids only, and the ledger what is done.
    """
    description = definition.description or f"Search for models with {definition.program}"
    dag = _dag(definition, description, describe(definition))
    with dag:
        _wire(definition, _store(definition))
    dag.params = ParamsDict(trigger_form(definition))  # only now: every task would keep a copy, which takes long
    return dag


def fleet_dag(fleet: Fleet) -> DAG:
    """The DAG of a fleet.

        prepare_data → training → gather → evaluation → publish → report → clean_up

    Any task may be killed and run again, as in a search's.
    """
    dag = _dag(fleet, fleet.description or fleet.summary, describe_fleet(fleet))
    with dag:
        wire_fleet(fleet, _store(fleet))
    dag.params = ParamsDict(fleet_form(fleet))
    return dag


def _dag(definition: Definition | Fleet, description: str, page: str) -> DAG:
    return DAG(
        dag_id=definition.name,
        description=description,
        doc_md=page,
        schedule=_schedule(definition),
        start_date=_BEGINNING if definition.schedule == "@continuous" else None,
        catchup=False,
        max_active_runs=1,  # limits.parallel counts the jobs of one run; two runs would double them
        tags=["windtunnel", *definition.tags],
        default_args=retries() | ({"owner": definition.dag.owner} if definition.dag.owner else {}),
        user_defined_macros={DEFINITION: definition},
        **callbacks(definition),
    )


def _store(definition: Definition | Fleet) -> str:
    return definition.store or os.environ.get("WINDTUNNEL_STORE", "runs")


def _schedule(definition: Definition | Fleet) -> Any:
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
