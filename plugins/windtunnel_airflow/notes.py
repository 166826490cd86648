"""Keeps a failed run's note: the scheduler calls it whenever a DAG run ends."""

from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from sqlalchemy.orm import object_session

from windtunnel_airflow.failures import recorded_failures

_BEGIN = "Failed: "
_MOST = 1000  # characters that a note may have


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Note why the run failed, unless a person has written a note."""
    session = object_session(dag_run)
    if session is None or not _is_ours(dag_run.note):
        return
    with session.no_autoflush:
        found = recorded_failures(session, dag_run.dag_id, dag_run.run_id)
    causes = {task: words for task, words in found.items() if task != "clean_up"} or found
    if causes:
        said = "; ".join(f"{task}: {words}" for task, words in causes.items())
        dag_run.note = f"{_BEGIN}{said}"[:_MOST]


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Take the note back where a task was cleared and the run has ended well."""
    if dag_run.note and _is_ours(dag_run.note):
        dag_run.note = ""


def _is_ours(note: str | None) -> bool:
    return not note or note.startswith(_BEGIN)
