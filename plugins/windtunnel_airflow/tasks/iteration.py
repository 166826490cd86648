"""One iteration: suggest trials, train them, select."""

from typing import Any

from airflow.sdk import TaskGroup, task
from airflow.sdk.exceptions import AirflowFailException

from windtunnel import stages
from windtunnel.ledger import Selection
from windtunnel.text import counted
from windtunnel_airflow.context import current_search, skip_iterations, tell
from windtunnel_airflow.tasks.training import lanes_of, run_jobs


def iteration(group: int, store: str, *, last: bool) -> tuple[Any, Any, Any]:
    """The session's `group`-th iteration: suggest → train[lane] → await_results → select.

    Args:
        group: counted from 1; which of the ledger's iterations it performs, the session's offset says.
        store: where the search's ledgers live.
        last: of the DAG; otherwise selection skips the next iteration where the search ends early.

    Returns:
        The tasks `suggest`, `select` and `collect`.
    """
    # Only the next iteration is skipped; what comes after it goes by its own trigger rule, as the finalists do.
    selecting = task if last else task.short_circuit(ignore_downstream_trigger_rules=False)
    with TaskGroup(f"iteration_{group}", tooltip="Suggest trials, train them in parallel, select the front"):
        jobs = suggest(group, store)
        wait, collected = run_jobs(jobs, store)
        selected = selecting(select)(group, store)
        wait >> selected
    return jobs, selected, collected


@task
def suggest(group: int, store: str) -> list[dict[str, str]]:
    """Fix the iteration's trials, and name the lanes that they need."""
    search = current_search(store)
    k = search.iteration(group)
    plan = stages.suggest(search, k)
    parts = lanes_of(search, plan)
    tell(
        f"Iteration {k}: {counted(len(plan.requests), 'trial')} for {counted(len(parts), 'lane')}. {plan.note}".strip()
    )
    if plan.left_out:
        tell(plan.left_out)
    return parts


def select(group: int, store: str) -> bool:
    """Fix what the iteration's selection knows; whether the search goes on to another iteration."""
    search = current_search(store)
    selection = stages.select(search, search.iteration(group))
    tell("\n".join(_described(selection)))
    if selection.failure:
        raise AirflowFailException(f"The search ends, for it only fails: {selection.failure}")
    going_on = stages.goes_on(search, group + 1)
    if not going_on:
        skip_iterations(group + 1)
    return going_on


def _described(selection: Selection) -> list[str]:
    volume = "none" if selection.hypervolume is None else f"{selection.hypervolume:.6g}"
    return [f"Iteration {selection.stage}: hypervolume {volume}", *map(str, selection.decisions)]
