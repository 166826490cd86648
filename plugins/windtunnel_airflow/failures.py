"""Why a DAG run failed: each task that fails for good says so in an XCom, for `clean_up`, the page and the note."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_KEY = "why"  # of the XCom
_MOST = 1000  # characters of a message


def tell_failure(context: Any) -> None:
    """Say why the task at work has failed for good: an `on_failure_callback`."""
    error = context.get("exception")
    words = " ".join(str(error).split()) if error is not None else "it failed"
    context["ti"].xcom_push(key=_KEY, value=words[:_MOST])


def failures(context: Any) -> list[str]:
    """Why tasks of the DAG run at work failed, each such as `prepare_data.begin: there is no such run`."""
    ti, dag = context["ti"], context["dag"]
    states = ti.get_task_states(dag_id=dag.dag_id, run_ids=[context["run_id"]]).get(context["run_id"], {})
    red = {name for task, state in states.items() if state == "failed" for name in (task, task.rpartition("_")[0])}
    # Only those are asked that have failed: each question without an answer is an error in the log.
    failed = [task.task_id for task in dag.tasks if task.task_id in red and not task.is_teardown]
    reasons = {task: _each(ti.xcom_pull(task_ids=task, key=_KEY)) for task in failed if not task.endswith(".collect")}
    return [f"{task}: {words or 'it was marked failed'}" for task, words in reasons.items()]


def _each(reasons: str | list[str | None] | None) -> str:
    """What a task told, or the first of the many that a mapped task is, and how many told something."""
    words = [reasons] if isinstance(reasons, str) else [one for one in reasons or () if one]
    return f"{words[0]} (and {len(words) - 1} more)" if len(words) > 1 else "".join(words)


def recorded_failures(session: "Session", dag_id: str, run_id: str) -> dict[str, str]:
    """The same from Airflow's database, for those who may read it: by task, in the order in which they failed.

    Args:
        session: of Airflow's database.
        dag_id: of the search.
        run_id: of the DAG run.
    """
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    query = select(XComModel).where(XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == _KEY)
    rows = session.scalars(query.order_by(XComModel.timestamp))
    return {row.task_id: str(XComModel.deserialize_value(row)) for row in rows}
