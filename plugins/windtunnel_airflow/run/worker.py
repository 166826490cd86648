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
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG

_ASKING = 0.5  # seconds between looks for a question


def main() -> None:
    """Carry out the order."""
    # Airflow builds large, lasting structures as it starts: fewer collections save about a sixth of its start.
    gc.set_threshold(200_000, 20, 50)
    order = json.loads(sys.stdin.readline())
    with os.fdopen(order["events"], "w") as events:
        answers = threading.Thread(target=_listen, args=(order, events), daemon=True)
        answers.start()
        _migrate(Path(os.environ["AIRFLOW_HOME"]))
        dag = _build(order["definition"])
        _forget_dead_runs(dag.dag_id)
        _say(events, event="ready")
        at = datetime.fromisoformat(order["at"])
        run = dag.test(run_after=at, logical_date=at, run_conf=order["params"])
        _say(events, event="ended", state=str(run.state), tasks=_tasks(run))
    # What was imported and opened is left to the system: tidying it up takes a second.
    sys.stdout.flush()
    os._exit(0)


def session_of(at: datetime) -> str:
    """The DAG run id that `dag.test()` gives to a run at that time."""
    return f"manual__{at.isoformat()}"


def dag_file(definition: Path) -> str:
    """A DAG file of one search, so that Airflow reads no other."""
    return f'''"""The search that is under way: a dag for airflow."""

from windtunnel.definition import load_definition
from windtunnel_airflow.dag import search_dag

search = search_dag(load_definition({str(definition)!r}))
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
    from windtunnel.definition import load_definition
    from windtunnel_airflow.dag import search_dag

    return search_dag(load_definition(definition))


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


def _listen(order: dict[str, Any], events: IO[str]) -> None:
    """Pass on a task's question, and the answer to it; end the process when nobody listens any more."""
    if order["params"].get("approval"):
        threading.Thread(target=_ask, args=(order, events), daemon=True).start()
    for line in sys.stdin:
        _answer(order, json.loads(line)["option"])
    os._exit(1)


def _ask(order: dict[str, Any], events: IO[str]) -> None:
    while (waiting := _waiting(order)) is None:
        time.sleep(_ASKING)
    _say(events, event="question", **waiting)


def _waiting(order: dict[str, Any]) -> dict[str, Any] | None:
    if not (Path(os.environ["AIRFLOW_HOME"]) / "schema-of").is_file():
        return None
    from airflow.utils.session import create_session

    with create_session() as session:
        asked = _question(order, session)
        detail = asked.hitl_detail if asked is not None else None
        return detail and {"subject": detail.subject, "body": detail.body, "options": detail.options}


def _answer(order: dict[str, Any], option: str) -> None:
    """Answer as the user interface does: note the response, and let the task go on."""
    import getpass

    from airflow.models.trigger import handle_event_submit
    from airflow.sdk import timezone
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        asked = _question(order, session)
        if asked is None:
            return
        detail = asked.hitl_detail
        detail.responded_by = {"id": "terminal", "name": getpass.getuser()}
        detail.responded_at = timezone.utcnow()
        detail.chosen_options = [option]
        detail.params_input = {}
        event = TriggerEvent(detail.as_resume_event_payload())  # type: ignore[no-untyped-call]
        handle_event_submit(event, task_instance=asked, session=session)


def _question(order: dict[str, Any], session: Any) -> Any:
    """The task instance that waits for a person, if one does."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    return session.scalar(
        select(TaskInstance).where(
            TaskInstance.run_id == session_of(datetime.fromisoformat(order["at"])),
            TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
        )
    )


def _say(events: IO[str], **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


if __name__ == "__main__":
    main()
