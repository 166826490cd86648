"""Run a search or a fleet without Airflow, by the very stages that its DAG performs, and report.

A run that was cut short, by Ctrl-C or a crash, is gone on with by the same command. Exit codes: 0, or 1 where the run
failed, 2 where the command is wrong, 128 and the signal's number where one ended it.
"""

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from windtunnel.errors import SearchError, Stopped, WindtunnelError

if TYPE_CHECKING:
    from windtunnel.definition import Definition
    from windtunnel.engine.runs import Choice
    from windtunnel.ledger import Ledger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from windtunnel.engine import command

    command.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run a search; the exit code is 0 only where it succeeded."""
    from windtunnel.definition import Fleet, load_any
    from windtunnel.engine.command import (
        WRONG,
        choices_of,
        choose_run,
        definition_file,
        store_of,
    )
    from windtunnel.host.signals import heed_signals
    from windtunnel.text import printable

    heed_signals()
    try:
        file = definition_file(arguments.search)
        if arguments.data is not None:
            os.environ["WINDTUNNEL_DATA"] = str(arguments.data.resolve())
        definition, choices = load_any(file), choices_of(arguments)
        if isinstance(definition, Fleet):
            from windtunnel.engine.fleet_command import run_fleet

            return run_fleet(definition, store_of(file, definition), arguments, choices)
        ledger, how = choose_run(arguments, choices, definition, store_of(file, definition))
        return _perform(arguments.search, definition, choices, ledger, how)
    except WindtunnelError as error:
        print(printable(str(error)), file=sys.stderr)
        return WRONG


def _perform(search: str, definition: "Definition", choices: dict[str, Any], ledger: "Ledger", how: "Choice") -> int:
    from windtunnel.definition.choices import chosen, origin
    from windtunnel.engine.command import AGAIN, FAILED, ask, greeting
    from windtunnel.engine.runs import link_latest
    from windtunnel.engine.session import begin, perform_shown
    from windtunnel.report import RunReader, summary, write_report
    from windtunnel.stages.question import QUESTION, describe_finalists
    from windtunnel.text import printable

    began = time.time()
    engine = begin(
        chosen(definition, choices),
        ledger,
        lambda line: print(printable(line), file=sys.stderr, flush=True),
        origin=origin(choices),
        retry_failed=bool(choices.get("retry_failed")),
        written=definition.iterations,
        named=definition.warm_start,
    )
    latest, reader, failed = link_latest(ledger), RunReader(ledger), None
    try:
        perform_shown(
            engine,
            greeting(ledger, definition, how),
            lambda display, plan: ask(display, QUESTION, describe_finalists(engine.search)),
        )
    except Stopped:
        print(f"Nothing runs any more. The same command goes on with run {ledger.run}.")
        raise
    except SearchError as error:
        failed = str(error)
    write_report(ledger)
    if failed is not None:
        print(printable("\n".join(summary.failure(reader) or [failed])), file=sys.stderr)
        print(f"The run failed. The report so far: {ledger.url}/report.html\n{AGAIN}", file=sys.stderr)
        return FAILED
    lines = summary.results(reader.read(), time.time() - began) + summary.where(ledger, latest)
    print(printable("\n".join([*lines, f"More iterations of this run: windtunnel run {search} --extend"])))
    return 0
