"""Searches and DAG runs in Airflow's database, for the results page to show; nothing is scheduled or run."""

from datetime import UTC, datetime, timedelta

from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from tests.airflow.support import SEARCH, dump

BUNDLE = "dags-folder"


def add_searches(home, **searches):
    """Write these definitions, each with its own fields, and put their DAGs into the database."""
    for name, fields in searches.items():
        (home / "searches" / f"{name}.yaml").write_text(dump(SEARCH | {"launcher": "local"} | fields))
    bag = DagBag(home / "dags")
    assert not bag.import_errors, bag.import_errors
    with create_session() as session:
        if session.get(DagBundleModel, BUNDLE) is None:
            session.add(DagBundleModel(name=BUNDLE))
    sync_bag_to_db(bag, BUNDLE, None)


def add_run(dag_id, run_id, state="success", tasks=None, **conf):
    """A DAG run in this state, and some of its tasks in theirs."""
    from airflow.models.dag_version import DagVersion

    started = datetime.now(UTC) - timedelta(minutes=10)
    with create_session() as session:
        session.add(
            DagRun(
                dag_id=dag_id,
                run_id=run_id,
                run_type=DagRunType.MANUAL,
                run_after=started,
                start_date=started,
                state=DagRunState(state),
                conf=conf,
                triggered_by=DagRunTriggeredByType.TEST,
            )
        )
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        run.end_date = None if state in ("running", "queued") else started + timedelta(minutes=3)
        if tasks:
            version = DagVersion.get_latest_version(dag_id, session=session)
            run.dag = run.dag or None
            for name, task_state in tasks.items():
                session.add(_instance(run, name, task_state, version))


def say_why(dag_id, run_id, task, words):
    """What a task says that failed."""
    from airflow.models.xcom import XComModel

    with create_session() as session:
        XComModel.set(key="why", value=words, dag_id=dag_id, run_id=run_id, task_id=task, session=session)


def _instance(run, name, state, version):
    from airflow.models.serialized_dag import SerializedDagModel

    task = SerializedDagModel.get_dag(run.dag_id).get_task(name)
    return TaskInstance(task, run_id=run.run_id, state=state, dag_version_id=version.id)
