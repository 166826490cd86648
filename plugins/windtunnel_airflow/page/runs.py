"""Airflow's side of a run: its DAG run, what that does now, and where its ledger is."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from windtunnel.ledger.ids import safe_name

TAG = "windtunnel"
PLACE = r"^([0-9]{1,16}-[0-9]{1,18})?$"  # what `before` may be
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY = ("running", "deferred", "queued", "restarting", "up_for_retry", "up_for_reschedule", "awaiting_input")
_ACTIVE = ("running", "queued")
_DAG_KEPT = 10.0  # seconds for which a DAG is not looked up again


@dataclass(frozen=True, slots=True)
class Run:
    """A DAG run of a search.

    Attributes:
        dag_id: of the search.
        run_id: of the DAG run.
        ledger: the run's name in the search's ledgers: that of the run it resumes, or its own.
        state: of the DAG run.
        started: and `ended`, in seconds since 1970.
        ended: None while it runs.
        conf: that it was triggered with.
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
        return self.state in _ACTIVE

    def to_json(self) -> dict[str, Any]:
        """What a page shows of it."""
        names = ("dag_id", "run_id", "ledger", "state", "started", "ended", "conf", "active")
        return {name: getattr(self, name) for name in names}


def find_run(session: Session, dag_id: str, run_id: str) -> Run | None:
    """The DAG run, if there is one and its DAG is a search."""
    query = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id).where(_is_search())
    found = session.scalar(query)
    return _run(found) if found else None


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
    found = list(session.scalars(query.limit(most + 1)))
    shown = found[:most]
    return [_run(each) for each in shown], _place(shown[-1]) if len(found) > most else ""


def list_searches(session: Session, dag_ids: set[str]) -> list[dict[str, Any]]:
    """Those of these DAGs that are searches, by name."""
    query = select(DagModel).join(DagTag, DagTag.dag_id == DagModel.dag_id).where(DagTag.name == TAG)
    found = session.scalars(query.where(DagModel.dag_id.in_(dag_ids)).order_by(DagModel.dag_id))
    return [{"dag_id": dag.dag_id, "description": dag.description or "", "paused": dag.is_paused} for dag in found]


def busy_tasks(session: Session, run: Run, most: int = 50) -> list[dict[str, Any]]:
    """What the DAG run does at this moment."""
    query = select(TaskInstance).where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
    query = query.where(TaskInstance.state.in_(_BUSY)).limit(most)
    return [
        {"task": found.task_id, "index": found.map_index, "state": str(found.state)} for found in session.scalars(query)
    ]


def store_of(dag_id: str) -> str | None:
    """Where the search's ledgers live, as its tasks have it; None of a DAG that is no search."""
    return _told(dag_id, int(time.monotonic() / _DAG_KEPT))[0]


def most_iterations(dag_id: str) -> int:
    """How many iterations a DAG run of the search may be asked for, as its trigger form has it."""
    return _told(dag_id, int(time.monotonic() / _DAG_KEPT))[1]


@lru_cache(maxsize=256)
def _told(dag_id: str, _moment: int) -> tuple[str | None, int]:
    """The store and the iterations of a DAG as it is serialized: to make it whole again would take long."""
    serialized = SerializedDagModel.get(dag_id)
    dag = ((serialized.data or {}) if serialized else {}).get("dag", {})
    stores = (task.get("__var", {}).get("store") for task in dag.get("tasks", []))
    schema = dict(dag.get("params", [])).get("iterations", {}).get("schema", {})
    return next((store for store in stores if isinstance(store, str)), None), schema.get("__var", schema).get(
        "maximum", 1
    )


def _place(run: DagRun) -> str:
    """When a run was due, in microseconds since 1970, and its number."""
    return f"{(run.run_after - _BEGINNING) // timedelta(microseconds=1)}-{run.id}"


def _moment(place: str) -> tuple[datetime, int]:
    due, number = map(int, place.split("-"))
    return _BEGINNING + timedelta(microseconds=due), number


def _is_search() -> Any:
    return DagRun.dag_id.in_(select(DagTag.dag_id).where(DagTag.name == TAG))


def _run(found: DagRun) -> Run:
    conf = found.conf if isinstance(found.conf, dict) else {}
    return Run(
        dag_id=found.dag_id,
        run_id=found.run_id,
        ledger=safe_name(str(conf.get("resume") or found.run_id)),
        state=str(found.state),
        started=found.start_date.timestamp() if found.start_date else None,
        ended=found.end_date.timestamp() if found.end_date else None,
        conf=conf,
    )
