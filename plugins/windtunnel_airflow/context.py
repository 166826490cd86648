"""From an Airflow task to the search that it works on."""

import logging
from collections.abc import Collection, Sequence
from typing import Any

from airflow.sdk import get_current_context

from windtunnel.launchers import get_launcher
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.ids import config_of, is_trial, trial_of
from windtunnel.stages import Search
from windtunnel.stores import open_store
from windtunnel_airflow.cluster import use_cluster
from windtunnel_airflow.connection import use_connection

_log = logging.getLogger(__name__)

_LABELLED = 4  # trials named in a label; Airflow cuts labels at 250 characters


def current_ledger(store: str, context: Any = None) -> Ledger:
    """The ledger of the DAG run: of the run named by the Param `resume`, or of its own.

    Args:
        store: where the search's ledgers live.
        context: of the task; by default that of the task at work.
    """
    context = context or get_current_context()
    use_cluster()
    use_connection()
    return Ledger(open_store(store), context["dag"].dag_id, context["params"].get("resume") or context["run_id"])


def current_search(store: str, context: Any = None) -> Search:
    """The search as the DAG run performs it.

    Raises:
        LedgerError: the DAG run has not begun it.
    """
    context = context or get_current_context()
    return Search.open(current_ledger(store, context), context["run_id"])


def live_jobs(search: Search) -> Collection[str]:
    """Names of the run's jobs that live."""
    return get_launcher(search.definition.launcher).live(search.ledger)


def label(units: Sequence[str]) -> str:
    """A job's units in a few words, for the grid: `3: 0a1b2c3d-e1, …`."""
    if not units:
        return "nothing to do"
    short = [_shortened(unit) for unit in units[:_LABELLED]]
    return f"{len(units)}: {', '.join(short)}{', …' if len(units) > _LABELLED else ''}"


def set_label(job: Job) -> None:
    """Name the mapped task at work by its job's units; the template is `{{ trials }}`."""
    get_current_context()["trials"] = label(job.units)  # type: ignore[typeddict-unknown-key]


def skip_iterations(first: int) -> None:
    """End the task at work, and skip the iterations from the `first` on, where there are any, all their tasks at once.

    A short-circuit skips the next task only; what follows is skipped one task after another, each in a round of the
    scheduler's, and `airflow dags test` takes a second a round.
    """
    context = get_current_context()
    short_circuit: Any = context["task"]
    later = [task for task in context["dag"].tasks if _iteration_of(task.task_id) >= first]
    if later:
        short_circuit.skip(context["ti"], later)


def tell(text: str) -> None:
    """Write lines to the task's log."""
    for line in text.splitlines():
        _log.info("%s", line)


def _iteration_of(task_id: str) -> int:
    """The group that a task is in, from 1; 0 outside of the iterations."""
    group, _, _ = task_id.partition(".")
    name, _, number = group.partition("_")
    return int(number) if name == "iteration" else 0


def _shortened(unit: str) -> str:
    """A trial with half of its hexadecimal digits: enough to find it by."""
    trial = trial_of(unit)
    config = config_of(trial)
    return unit.replace(config, config[:8], 1) if is_trial(trial) else unit
