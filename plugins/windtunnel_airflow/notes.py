"""Keeps a failed run's note: Airflow calls it, in the scheduler or in `dag.test()`, whenever a DAG run ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from windtunnel_airflow.failures import recorded_failures

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_BEGIN = "Failed: "
_MOST = 1000  # characters that a note may have


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Note why the run failed, unless a person has written a note."""
    with _session_of(dag_run) as session:
        failures = recorded_failures(session, dag_run.dag_id, dag_run.run_id)
        causes = {task: words for task, words in failures.items() if task != "clean_up"} or failures
        if causes:
            text = "; ".join(f"{task}: {words}" for task, words in causes.items())
            _write(session, dag_run, f"{_BEGIN}{text}"[:_MOST])


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Take the note back where a task was cleared and the run has ended well."""
    with _session_of(dag_run) as session:
        _write(session, dag_run, "")


def _write(session: "Session", dag_run: Any, words: str) -> None:
    from airflow.models.dagrun import DagRunNote

    note = session.get(DagRunNote, dag_run.id)
    if note is None and words:
        fresh = DagRunNote(content=words)  # type: ignore[no-untyped-call]
        fresh.dag_run_id = dag_run.id
        session.add(fresh)
    elif note is not None and (not note.content or note.content.startswith(_BEGIN)):  # else a person's
        note.content = words


@contextmanager
def _session_of(dag_run: Any) -> Iterator["Session"]:
    """The session that the run is of, whose changes the scheduler commits; in `dag.test()` it is of none."""
    from airflow.utils.session import create_session
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        with create_session() as own:
            yield own
        return
    with session.no_autoflush:
        yield session
