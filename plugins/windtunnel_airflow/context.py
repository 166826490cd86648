"""From an Airflow task to the search that it works on."""

import logging
from collections.abc import Sequence
from typing import Any

from airflow.sdk import get_current_context

from windtunnel.definition import Definition, Fleet, fleet_of
from windtunnel.definition.program import program_of
from windtunnel.errors import LedgerError
from windtunnel.fleet.beginning import opened
from windtunnel.ledger import Ledger, Spec
from windtunnel.ledger.ids import config_of, is_trial, trial_of
from windtunnel.ledger.sources import open_own
from windtunnel.stages import Search
from windtunnel.stores import open_store
from windtunnel.text import printable
from windtunnel.workload.files import code_digest
from windtunnel_airflow.cluster import use_cluster
from windtunnel_airflow.connection import use_connection

_log = logging.getLogger(__name__)

DEFINITION = "definition"  # the DAG's definition, among its macros: of the DAG as this process has read it
_BEGIN = "prepare_data.begin"
_KEY = "spec"  # of the XCom of `begin`
_LABELLED = 4  # trials named in a label; Airflow cuts labels at 250 characters


def current_ledger(store: str, context: Any = None) -> Ledger:
    """The ledger of the DAG run: of the run named by the Param `resume`, or of its own.

    Args:
        store: where the search's ledgers live.
        context: of the task; by default that of the task at work.

    Raises:
        LedgerError: `resume` is the URL of another search's run, or of another store's.
    """
    context = context or get_current_context()
    use_cluster()
    use_connection()
    opened = open_store(store)
    opened.on_wait = tell
    run = context["params"].get("resume") or context["run_id"]
    return open_own(run, opened, context["dag"].dag_id)


def current_search(store: str, context: Any = None) -> Search:
    """The search as the DAG run performs it, by what `begin` has told, whatever the ledger says; its heart beats.

    Raises:
        LedgerError: the DAG run has not begun it, another one has taken the run over, or the definition is not the one
            that it began with any more.
    """
    context = context or get_current_context()
    begun, written = _begun(context), _as_written(context)
    ledger = current_ledger(store, context).with_spec(begun["digest"])
    if begun["written"] != written.digest:
        mend = "resume the run, or put the definition back to what it was"
        if written.code and written.code != ledger.spec.code:
            mend = "the workload's source is another one: put it back and resume the run, or begin a new run"
        raise LedgerError(f"the definition changed since {context['run_id']} began: {mend}")
    search = Search.open(ledger, context["run_id"])
    if search.ledger.turn is not None:
        search.ledger.turn.beat()
    return search


def search_to_end(store: str) -> Search | None:
    """The search, only to end what runs of it: whatever has become of the definition or the ledger since it began.

    Returns:
        None where no DAG run has ever begun the run.

    Raises:
        LedgerError: this DAG run is no session of it.
    """
    context = get_current_context()
    ledger = current_ledger(store, context)
    try:
        return Search.open(ledger.with_spec(_begun(context)["digest"]), context["run_id"])
    except LedgerError:
        if ledger.begun() is None:
            return None
        return Search.open(ledger.with_spec(_as_written(context)), context["run_id"])


def current_fleet(store: str, context: Any = None) -> tuple[Ledger, Fleet]:
    """The fleet's run as the DAG run performs it, by what `begin` has told, and what it performs; its heart beats.

    Raises:
        LedgerError: the DAG run has not begun it, or another one has taken the run over.
    """
    context = context or get_current_context()
    ledger = opened(current_ledger(store, context).with_spec(_begun(context)["digest"]), context["run_id"])
    return ledger, fleet_of(ledger)


def tell_fleet(ledger: Ledger, context: Any) -> None:
    """Tell the DAG run's other tasks what they are to run."""
    context["ti"].xcom_push(key=_KEY, value={"digest": ledger.digest})


def tell_spec(search: Search, context: Any) -> None:
    """Tell the DAG run's other tasks what they are to run, by Airflow's own database."""
    digests = {"digest": search.ledger.digest, "written": _as_written(context).digest}
    context["ti"].xcom_push(key=_KEY, value=digests)


def _begun(context: Any) -> dict[str, str]:
    """What `begin` has told."""
    digests: dict[str, str] | None = context["ti"].xcom_pull(task_ids=_BEGIN, key=_KEY, map_indexes=-1)
    if digests is None:
        raise LedgerError(f"{context['run_id']} has not begun: {_BEGIN} has told no digest; resume the run")
    return digests


def _as_written(context: Any) -> Spec:
    """The definition as the DAG's file has it now, and its workload's source, which tasks import.

    A script's files are not compared: no task reads them, and jobs have those that the run began with.
    """
    definition: Definition = context["dag"].user_defined_macros[DEFINITION]
    code = code_digest(program_of(definition)) if definition.script is None else ""
    return Spec(definition=definition.model_dump(mode="json"), code=code)


def label(units: Sequence[str]) -> str:
    """Units in a few words, for the grid: `3: 0a1b2c3d-e1, …`."""
    if not units:
        return "nothing to do"
    short = [_shortened(unit) for unit in units[:_LABELLED]]
    return f"{len(units)}: {', '.join(short)}{', …' if len(units) > _LABELLED else ''}"


def set_label(text: str) -> None:
    """Name the mapped task at work; the template is `{{ trials }}`."""
    get_current_context()["trials"] = text  # type: ignore[typeddict-unknown-key]


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
    """Write lines to the task's log, which `airflow dags test` shows on a terminal."""
    for line in text.splitlines():
        _log.info("%s", printable(line, keep="\t"))


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
