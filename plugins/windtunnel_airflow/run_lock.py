"""Whether another DAG run is at work, be it under the scheduler or under `airflow dags test`."""

import fcntl
import logging
from pathlib import Path
from typing import IO, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from windtunnel.ledger.ids import safe_name

_log = logging.getLogger(__name__)
_held: list[IO[str]] = []  # this process's locks, until it ends


def hold_lock(context: Any) -> None:
    """Under `airflow dags test`, hold a lock as long as this process lives.

    Nobody ends a run of `dags test` that is killed: for Airflow it runs for ever. The lock tells.
    """
    if context["dag_run"].triggering_user_name != "dag_test":
        return
    lock = _lock_of(context["dag"].dag_id, context["run_id"])
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = lock.open("w")
    _try_lock(file)
    _held.append(file)


def is_at_work(context: Any, run: str) -> bool | None:
    """Whether another DAG run of the task's DAG is at work; None where this Airflow does not know the run."""
    from airflow.sdk.api.client import ServerResponseError

    dag_id = context["dag"].dag_id
    try:
        if context["ti"].get_dagrun_state(dag_id, run) not in ("running", "queued"):
            return False
    except (AirflowRuntimeError, ServerResponseError):  # deleted, or of another Airflow
        _log.warning("This Airflow knows no DAG run %s: whether it is at work is seen by its heartbeat", run)
        return None
    lock = _lock_of(dag_id, run)
    if not lock.exists():
        return True
    with lock.open("a") as file:
        return not _try_lock(file)


def _lock_of(dag_id: str, run: str) -> Path:
    from airflow.configuration import AIRFLOW_HOME

    return Path(AIRFLOW_HOME) / "dags_test" / f"{safe_name(dag_id)}-{safe_name(run)}.lock"


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
