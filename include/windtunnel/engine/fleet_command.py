"""What `windtunnel run` does with a fleet's file."""

import sys
from typing import Any

from windtunnel.definition import Fleet
from windtunnel.engine.command import FAILED
from windtunnel.engine.fleet import FleetEngine, summary
from windtunnel.errors import DefinitionError, FleetError
from windtunnel.fleet.monitor import FleetProgress
from windtunnel.fleet.planning import Choice
from windtunnel.fleet.publishing import why_failed
from windtunnel.fleet.records import read_plan
from windtunnel.ledger import Ledger
from windtunnel.report import write_report
from windtunnel.text import printable
from windtunnel.validation import unknown

_CHOICES = ("partitions", "only_failed", "force", "parallel")


def run_fleet(fleet: Fleet, ledger: Ledger, how: str, choices: dict[str, Any]) -> int:
    """Perform a run of a fleet and say what came of it.

    Args:
        fleet: its definition.
        ledger: of the run.
        how: the first line that is said.
        choices: by name: `partitions`, `only_failed`, `force`, `parallel`.

    Returns:
        The exit code: 0 only where it succeeded.

    Raises:
        DefinitionError: there is no such choice.
    """
    wrong = [name for name in choices if name not in _CHOICES]
    if wrong:
        raise DefinitionError(f"--set {wrong[0]}: {unknown(wrong[0], _CHOICES, 'choice')}")
    parallel = choices.pop("parallel", None)
    if parallel is not None:
        fleet = fleet.model_copy(update={"limits": fleet.limits.model_copy(update={"parallel": int(parallel)})})
    heads = (how, *(f"warning: {each}" for each in fleet.warnings))
    print(printable("\n".join(heads)), flush=True)  # noqa: T201
    shown = ""

    def look(progress: FleetProgress) -> None:
        nonlocal shown
        if progress.accounts.message != shown:
            shown = progress.accounts.message
            print(printable(progress.message), flush=True)  # noqa: T201

    try:
        outcome = FleetEngine(fleet, ledger, Choice(**choices), look).perform()
    except FleetError as error:
        write_report(ledger)
        what = read_plan(ledger)
        lines = [str(error), *(why_failed(ledger, what) if what is not None else [])]
        print(printable("\n".join([*lines, f"What there is: {ledger.url}/gathered/batches.csv"])), file=sys.stderr)  # noqa: T201
        return FAILED
    write_report(ledger)
    print(printable("\n".join([*summary(outcome), f"{ledger.url}/report.html"])))  # noqa: T201
    return 0
