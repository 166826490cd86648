"""What `windtunnel run` does with a fleet's file."""

import argparse
import sys
from typing import Any

from windtunnel.definition import Fleet
from windtunnel.engine.command import FAILED, choose_run, greeting
from windtunnel.engine.fleet import FleetEngine
from windtunnel.engine.runs import link_latest
from windtunnel.errors import DefinitionError, FleetError, Stopped
from windtunnel.fleet.gathering import gathered
from windtunnel.fleet.monitor import FleetProgress
from windtunnel.fleet.planning import RunChoice, chosen
from windtunnel.fleet.publishing import summary, why_failed
from windtunnel.fleet.records import read_plan
from windtunnel.report import write_report
from windtunnel.text import printable


def run_fleet(fleet: Fleet, store: str, arguments: argparse.Namespace, choices: dict[str, Any]) -> int:
    """Perform a fleet and say what came of it: the run that was cut short, or a new one.

    Args:
        fleet: its definition.
        store: where its runs are kept.
        arguments: of the command: `fresh`, `resume`.
        choices: by name: `partitions`, `only_failed`, `force`, `parallel`.

    Returns:
        The exit code: 0 only where it succeeded.

    Raises:
        DefinitionError: a choice is wrong, or there is no such.
    """
    fleet, choice = chosen_by_set(fleet, choices)
    ledger, how = choose_run(arguments, choices, fleet, store)
    _say("\n".join((greeting(ledger, fleet, how), *(f"warning: {each}" for each in fleet.warnings))))
    link_latest(ledger)
    shown = ""

    def look(progress: FleetProgress) -> None:
        nonlocal shown
        if progress.accounts.message != shown:
            shown = progress.accounts.message
            _say(progress.message)

    try:
        FleetEngine(fleet, ledger, choice, look, _warn).perform()
    except Stopped:
        _say(f"Nothing runs any more. The same command goes on with run {ledger.run}.")
        raise
    except FleetError as error:
        write_report(ledger)
        what = read_plan(ledger)
        lines = [str(error), *(why_failed(ledger, what) if what is not None else [])]
        _warn("\n".join([*lines, f"What there is: {ledger.url}/gathered/batches.csv"]))
        return FAILED
    write_report(ledger)
    what, there = read_plan(ledger), gathered(ledger) or {}
    files = [*there.get("files", []), "report.html"]
    lines = summary(ledger, what) if what is not None else []
    _say("\n".join([*lines, *(f"{ledger.url}/{name}" for name in files)]))
    return 0


def chosen_by_set(fleet: Fleet, choices: dict[str, Any]) -> tuple[Fleet, RunChoice]:
    """The fleet as the command's `--set` has it, and the choice.

    Raises:
        DefinitionError: a choice is wrong, or there is no such.
    """
    try:
        return chosen(fleet, choices)
    except DefinitionError as error:
        raise DefinitionError("\n".join(f"--set {fault}" for fault in error.faults)) from None


def _say(text: str) -> None:
    print(printable(text), flush=True)  # noqa: T201


def _warn(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201
