"""Airflow's side of a run: its DAG run, what that does now, and where its ledger is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from cachetools import TTLCache, cached
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from windtunnel.ledger.ids import safe_name
from windtunnel.ledger.url import name_of
from windtunnel_airflow.failures import recorded_failures

TAG = "windtunnel"
PLACE = r"^([0-9]{1,16}-[0-9]{1,18})?$"  # what `before` may be
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY = ("running", "deferred", "queued", "restarting", "up_for_retry", "up_for_reschedule", "awaiting_input")
ACTIVE = ("running", "queued")
_DAG_KEPT = 10.0  # seconds for which a DAG is not looked up again


@dataclass(frozen=True, slots=True)
class Run:
    """A DAG run of a search.

    Attributes:
        dag_id: of the search.
        run_id: of the DAG run.
        ledger: the run's name in the search's ledgers: that of the run it resumes, or its own.
        state: the DAG run's state, as Airflow names it.
        started: when its first task started, in seconds since 1970, whatever was cleared since; None before.
        ended: when it ended, in seconds since 1970; None before.
        conf: the configuration that it was triggered with.
    """

    dag_id: str
    run_id: str
    ledger: str
    state: str
    started: float | None
    ended: float | None
    conf: dict[str, Any]

    @property
    def active(self) -> bool:
        """Whether it is still at work."""
        return self.state in ACTIVE

    def to_json(self) -> dict[str, Any]:
        """What a page shows of it."""
        return asdict(self) | {"active": self.active}


@dataclass(frozen=True, slots=True)
class SearchDag:
    """What a search's DAG says of its runs.

    Attributes:
        store: where their ledgers live; None of a DAG that is no search.
        most_iterations: how many iterations one of them may be asked for, as the trigger form has it.
        is_fleet: whether it is a fleet's, as the trigger form has partitions.
    """

    store: str | None
    most_iterations: int
    is_fleet: bool


def is_search(session: Session, dag_id: str) -> bool:
    """Whether the DAG is a search."""
    return session.scalar(select(DagTag.dag_id).where(DagTag.dag_id == dag_id, DagTag.name == TAG)) is not None


def find_run(session: Session, dag_id: str, run_id: str) -> Run | None:
    """The DAG run, if there is one and its DAG is a search."""
    query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id).where(_is_search())
    dag_run = session.scalar(query)
    return _run(dag_run, _first_starts(session, [dag_run])) if dag_run else None


def list_runs(session: Session, dag_ids: set[str], most: int, before: str = "") -> tuple[list[Run], str]:
    """The latest runs of these DAGs, as far as they are searches.

    Args:
        session: of Airflow's database.
        dag_ids: that may be shown.
        most: runs.
        before: only older ones: what an earlier answer gave for them.

    Returns:
        The runs, and what `before` is for those that are older still; empty where there are none.
    """
    query = select(DagRun).where(DagRun.dag_id.in_(dag_ids)).where(_is_search())
    if before:
        due, number = _moment(before)
        earlier = and_(DagRun.run_after == due, DagRun.id < number)  # many may be due at once
        query = query.where(or_(DagRun.run_after < due, earlier))
    query = query.order_by(DagRun.run_after.desc(), DagRun.id.desc())
    dag_runs = list(session.scalars(query.limit(most + 1)))
    shown = dag_runs[:most]
    starts = _first_starts(session, shown)
    return [_run(dag_run, starts) for dag_run in shown], _place(shown[-1]) if len(dag_runs) > most else ""


def list_searches(session: Session, dag_ids: set[str]) -> list[dict[str, Any]]:
    """Those of these DAGs that are searches, by name."""
    query = select(DagModel).join(DagTag, DagTag.dag_id == DagModel.dag_id).where(DagTag.name == TAG)
    dags = session.scalars(query.where(DagModel.dag_id.in_(dag_ids)).order_by(DagModel.dag_id))
    return [{"dag_id": dag.dag_id, "description": dag.description or "", **_standing(dag)} for dag in dags]


def search_standing(session: Session, dag_id: str) -> dict[str, bool]:
    """Whether the search is `paused`, and whether it is `stale`: its definition is gone, or wrong."""
    dag = session.get(DagModel, dag_id)
    return _standing(dag) if dag is not None else {"paused": False, "stale": True}


def _standing(dag: DagModel) -> dict[str, bool]:
    return {"paused": dag.is_paused, "stale": dag.is_stale}


def failed_tasks(session: Session, run: Run, most: int = 50) -> list[dict[str, Any]]:
    """The tasks that failed the DAG run, and why, as far as they could say; red `collect`s fail none."""
    query = select(TaskInstance).where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
    query = query.where(TaskInstance.state == "failed", TaskInstance.task_id.not_like("%.collect"))
    tasks = session.scalars(query.order_by(TaskInstance.end_date).limit(most))
    why = recorded_failures(session, run.dag_id, run.run_id)
    return [{"task": task.task_id, "index": task.map_index, "why": why.get(task.task_id, "")} for task in tasks]


def waits_behind(session: Session, run: Run) -> str | None:
    """The DAG run of the same search that a queued one waits for."""
    if run.state != "queued":
        return None
    query = select(DagRun.run_id).where(DagRun.dag_id == run.dag_id, DagRun.state == "running")
    return session.scalar(query.order_by(DagRun.run_after).limit(1))


def state_of(session: Session, dag_id: str, run_id: str) -> str | None:
    """The state of a DAG run; None where Airflow does not know it."""
    state = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return str(state) if state is not None else None


def busy_tasks(session: Session, run: Run, most: int = 50) -> list[dict[str, Any]]:
    """What the DAG run does at this moment."""
    query = select(TaskInstance).where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
    query = query.where(TaskInstance.state.in_(_BUSY)).limit(most)
    tasks = session.scalars(query)
    return [{"task": task.task_id, "index": task.map_index, "state": str(task.state)} for task in tasks]


@cached(TTLCache(maxsize=256, ttl=_DAG_KEPT), lock=Lock())
def search_dag(dag_id: str) -> SearchDag:
    """A search's DAG; looked up once in some seconds. It is read as JSON, for to build the whole DAG takes long."""
    row = SerializedDagModel.get(dag_id)
    dag = row.data["dag"] if row and row.data else {}
    stores = [task.get("__var", {}).get("store") for task in dag.get("tasks", [])]
    params = dict(dag.get("params", []))
    schema = params.get("iterations", {}).get("schema", {})
    schema = schema.get("__var", schema)
    return SearchDag(
        store=next((store for store in stores if isinstance(store, str)), None),
        most_iterations=schema.get("maximum", 1),
        is_fleet="partitions" in params,
    )


def _place(run: DagRun) -> str:
    """When a run was due, in microseconds since 1970, and its number."""
    return f"{(run.run_after - _BEGINNING) // timedelta(microseconds=1)}-{run.id}"


def _moment(place: str) -> tuple[datetime, int]:
    due, number = map(int, place.split("-"))
    return _BEGINNING + timedelta(microseconds=due), number


def _is_search() -> Any:
    return DagRun.dag_id.in_(select(DagTag.dag_id).where(DagTag.name == TAG))


def _first_starts(session: Session, runs: Sequence[DagRun]) -> dict[tuple[str, str], datetime]:
    """When the first task of each run started: clearing a task makes Airflow forget when the run did."""
    starts: dict[tuple[str, str], datetime] = {}
    for table in (TaskInstance, TaskInstanceHistory):
        query = select(table.dag_id, table.run_id, func.min(table.start_date)).group_by(table.dag_id, table.run_id)
        query = query.where(table.start_date.is_not(None), table.run_id.in_({run.run_id for run in runs}))
        query = query.where(table.dag_id.in_({run.dag_id for run in runs}))
        for dag_id, run_id, start in session.execute(query):
            if start is not None:
                starts[dag_id, run_id] = min(start, starts.get((dag_id, run_id), start))
    return starts


def _run(dag_run: DagRun, first_starts: Mapping[tuple[str, str], datetime]) -> Run:
    conf = dag_run.conf if isinstance(dag_run.conf, dict) else {}
    starts = [dag_run.start_date, first_starts.get((dag_run.dag_id, dag_run.run_id))]
    started = min(filter(None, starts), default=None)
    return Run(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        ledger=safe_name(name_of(str(conf.get("resume") or dag_run.run_id))),
        state=str(dag_run.state),
        started=started.timestamp() if started else None,
        ended=dag_run.end_date.timestamp() if dag_run.end_date else None,
        conf=conf,
    )
