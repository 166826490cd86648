"""Airflow's part of `make run`: one DAG run under `dag.test()`, in a process of its own that talks over pipes.

The process reads one order and then answers to questions, as lines of JSON, from its standard input; when that closes,
whoever started it is gone, and it ends. Events go to the descriptor named in the order.
"""

import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.hitl import HITLDetail
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

_ASKING = 0.5  # seconds between looks for a question


def main() -> None:
    """Carry out the order."""
    # Airflow builds large, lasting structures as it starts: fewer collections save about a sixth of its start.
    gc.set_threshold(200_000, 20, 50)
    order = json.loads(sys.stdin.readline())
    at = datetime.fromisoformat(order["at"])
    with os.fdopen(order["events"], "w") as events:
        _beside(_listen, session_of(at))
        _migrate(Path(os.environ["AIRFLOW_HOME"]))
        dag = _build(order["definition"])
        _forget_dead_runs(dag.dag_id)
        if order["params"].get("approval", dag.params.get("approval")):
            _beside(_ask, session_of(at), events)
        run = dag.test(run_after=at, logical_date=at, run_conf=order["params"])
        _send(events, event="ended", state=str(run.state), tasks=_tasks(run))
    # What was imported and opened is left to the system: tidying it up takes a second.
    sys.stdout.flush()
    os._exit(0)


def session_of(at: datetime) -> str:
    """The DAG run id that `dag.test()` gives to a run at that time."""
    return f"manual__{at.isoformat()}"


def dag_file(definition: Path) -> str:
    """A DAG file of one search or fleet, so that Airflow reads no other."""
    return f'''"""The search that is under way: a dag for airflow."""

from windtunnel.definition import load_any
from windtunnel_airflow.dag import dag_of

search = dag_of(load_any({str(definition)!r}))
'''


def _migrate(home: Path) -> None:
    """Bring the database to this Airflow's schema; a mark tells that it is there already."""
    from airflow import __version__

    mark = home / "schema-of"
    if mark.is_file() and mark.read_text() == __version__ and (home / "airflow.db").is_file():
        return
    from airflow.utils.db import upgradedb

    upgradedb()
    mark.write_text(__version__)


def _build(definition: str) -> "DAG":
    from windtunnel.definition import load_any
    from windtunnel_airflow.dag import dag_of

    return dag_of(load_any(definition))


def _forget_dead_runs(dag_id: str) -> None:
    """Earlier runs that were killed still count as running; nobody else works here, so they are not."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import update

    alive = (DagRunState.RUNNING, DagRunState.QUEUED)
    with create_session() as session:
        dead = update(DagRun).where(DagRun.dag_id == dag_id, DagRun.state.in_(alive)).values(state=DagRunState.FAILED)
        session.execute(dead)


def _tasks(run: Any) -> list[dict[str, Any]]:
    """When each task ran, and how it ended."""
    return [
        {
            "task": ti.task_id,
            "map_index": ti.map_index,
            "state": str(ti.state),
            "start": ti.start_date.timestamp() if ti.start_date else None,
            "end": ti.end_date.timestamp() if ti.end_date else None,
        }
        for ti in run.get_task_instances()
    ]


def _beside(work: Callable[..., None], *arguments: Any) -> None:
    """Do something in a thread, and end the process if that fails: nobody else would notice."""

    def guarded() -> None:
        try:
            work(*arguments)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    threading.Thread(target=guarded, daemon=True).start()


def _listen(session: str) -> None:
    """Pass on answers until whoever gives them is gone; then the run is over."""
    for line in sys.stdin:
        _answer(session, json.loads(line)["option"])
    os._exit(1)


def _ask(session: str, events: IO[str]) -> None:
    """Pass on the question of the task that waits for a person, once there is one."""
    from airflow.utils.session import create_session

    while True:
        with create_session() as database:
            question = _question(session, database)
            if question is not None:
                _send(events, event="question", subject=question.subject, body=question.body, options=question.options)
                return
        time.sleep(_ASKING)


def _answer(session: str, option: str) -> None:
    """Answer as the user interface does: note the response, and let the task go on."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.sdk import timezone
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session

    from windtunnel.host.machine import user

    with create_session() as database:
        question = _question(session, database)
        if question is None:
            return
        question.responded_by = {"id": "terminal", "name": user() or "terminal"}
        question.responded_at = timezone.utcnow()
        question.chosen_options = [option]
        question.params_input = {}
        event = TriggerEvent(question.as_resume_event_payload())  # type: ignore[no-untyped-call]
        task = database.get(TaskInstance, question.ti_id)
        assert task is not None
        handle_event_submit(event, task_instance=task, session=database)


def _question(session: str, database: "Session") -> "HITLDetail | None":
    """What the run's waiting task asks, if one waits for a person."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    return database.scalar(
        select(HITLDetail)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(TaskInstance.run_id == session, TaskInstance.state == TaskInstanceState.AWAITING_INPUT)
    )


def _send(events: IO[str], **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


if __name__ == "__main__":
    main()
