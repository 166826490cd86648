"""Why a DAG run failed: each task that fails for good says so in an XCom, which `clean_up` and the page read."""

from typing import Any

WHY = "why"  # key of the XCom
_MOST = 1000  # characters of a message


def tell_failure(context: Any) -> None:
    """Say why the task at work has failed for good: an `on_failure_callback`."""
    error = context.get("exception")
    words = " ".join(str(error).split()) if error is not None else "it failed"
    context["ti"].xcom_push(key=WHY, value=words[:_MOST])


def failures(context: Any) -> list[str]:
    """Why tasks of the DAG run at work failed, in sentences such as `prepare_data.begin: there is no such run`."""
    tasks = [task.task_id for task in context["dag"].tasks if not task.is_teardown]
    found = {task: context["ti"].xcom_pull(task_ids=task, key=WHY, map_indexes=-1) for task in tasks}
    return [f"{task}: {words}" for task, words in found.items() if words]
