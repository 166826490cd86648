"""The user's evaluation: a function over the gathered table, once all partitions are done."""

import csv
import importlib
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windtunnel.definition import Fleet, fleet_of
from windtunnel.errors import WorkloadError
from windtunnel.fleet.beginning import EVALUATION
from windtunnel.fleet.entry import fetch_script
from windtunnel.fleet.gathering import FOLDER
from windtunnel.host.machine import now
from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.failures import LOG_TAIL, record_failure
from windtunnel.text import allow_long_fields, error_text, unquoted
from windtunnel.validation import shown
from windtunnel.workload.contract import number
from windtunnel.workload.source import fetch_source
from windtunnel_trainer.fleet.contract import load
from windtunnel_trainer.fleet.partition import frame

if TYPE_CHECKING:
    import pandas as pd


class Table:
    """The gathered table.

    Attributes:
        path: of its CSV file, on this host.
        leaderboard: of the CSV file of all partitions with their metrics, on this host.
    """

    def __init__(self, path: Path | None, leaderboard: Path) -> None:
        """A table in a file; None where the fleet gathers no rows."""
        self.path = path
        self.leaderboard = leaderboard

    def rows(self) -> list[dict[str, str]]:
        """All rows, by column."""
        allow_long_fields()
        with (self.path or self.leaderboard).open(encoding="utf-8", newline="") as file:
            return [{unquoted(name): unquoted(cell) for name, cell in row.items()} for row in csv.DictReader(file)]

    def frame(self) -> "pd.DataFrame":
        """All rows as a pandas frame."""
        table = frame([self.path or self.leaderboard]).rename(columns=unquoted)
        return table.map(lambda cell: unquoted(cell) if isinstance(cell, str) else cell)


def run_evaluation(ledger: Ledger) -> int:
    """Call the evaluation, if there is one, and record the numbers that it returns; returns the exit code."""
    fleet = fleet_of(ledger)
    try:
        with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
            evaluate = _function(ledger, fleet)
            returned = evaluate(_table(ledger, fleet, Path(folder))) if evaluate is not None else None
        metrics = _numbers(returned)
    except (Exception, SystemExit) as error:
        trace = traceback.format_exc()
        record_failure(ledger, EVALUATION, "error", error_text(error), log_tail=trace[-LOG_TAIL:])
        return 1
    ledger.record(Result(trial=EVALUATION, state=State.COMPLETED, metrics=metrics, ended=now()))
    return 0


def _numbers(returned: Any) -> dict[str, float | None]:
    """What an evaluation returned, by name; nothing where it returned nothing.

    Raises:
        WorkloadError: it is no mapping, or a value is no number.
    """
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        raise WorkloadError(f"the evaluation returned {type(returned).__name__}; allowed: numbers by name, or nothing")
    metrics: dict[str, float | None] = {}
    for name, value in returned.items():
        try:
            metrics[str(name)] = number(value)
        except (TypeError, ValueError) as error:
            raise WorkloadError(f"the evaluation returned {name}: {shown(value)}; allowed: a number") from error
    return metrics


def _function(ledger: Ledger, fleet: Fleet) -> Callable[[Any], Any] | None:
    """The definition's function, or that of the entry; None where there is neither."""
    script = None
    if fleet.entry_script is not None:
        script = fetch_script(ledger, fleet)
    else:
        fetch_source(ledger)
    if fleet.evaluation is None and fleet.script is not None:
        return None
    if fleet.evaluation is None:
        outputs = {name: Path(tempfile.gettempdir()) for name in fleet.gather.outputs}
        return load(fleet, script, outputs).evaluate
    module, _, name = fleet.evaluation.partition(":")
    if script is not None:
        import sys

        sys.path.insert(0, str(script.parent))
    function = getattr(importlib.import_module(module), name, None)
    if not callable(function):
        raise WorkloadError(f"evaluation: {module} has no function {name}")
    return function  # type: ignore[no-any-return]


def _table(ledger: Ledger, fleet: Fleet, folder: Path) -> Table:
    leaderboard = folder / "leaderboard.csv"
    ledger.store.download(ledger.path(f"{FOLDER}/leaderboard.csv"), leaderboard)
    if fleet.gather.append_row_to is None:
        return Table(None, leaderboard)
    table = folder / fleet.gather.append_row_to
    ledger.store.download(ledger.path(f"{FOLDER}/{fleet.gather.append_row_to}"), table)
    return Table(table, leaderboard)
