"""What the commands that run a search share: `windtunnel run`, and with Airflow `make run`."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from windtunnel.definition import Definition, Fleet
from windtunnel.engine.runs import Choice, choose
from windtunnel.errors import Stopped, WindtunnelError
from windtunnel.ledger import Ledger, Spec
from windtunnel.report.display import Display
from windtunnel.stores import open_store
from windtunnel.text import printable

SEARCHES = Path("include/searches")
FAILED, WRONG, BUSY = 1, 2, 3  # exit codes: the run failed; the command is wrong; another one is at work
AGAIN = "The same command goes on with this run, or begins anew if it was hopeless; --fresh always does."
_GREETING = {
    "new": "{name}: run {run}",
    "resumed": "{name}: run {run} goes on where it was cut short (--fresh begins anew)",
    "extended": "{name}: run {run} is extended",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what may be said of a search that is to be run."""
    parser.add_argument("search", help=f"a definition's file, or the name of one in {SEARCHES}")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the workload finds its raw data")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--fresh", action="store_true", help="begin a new run even if the last one was cut short")
    which.add_argument("--extend", action="store_true", help="perform more iterations of the last run")
    which.add_argument("--resume", metavar="RUN", help="go on with this run, by its name or URL, not with the last one")
    parser.add_argument("--approve", action="store_true", help="ask before the finalists are trained fully")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="choices",
        help="one of the trigger form's choices, such as seed=1 or epochs_full=20; the value is JSON or else text",
    )


def choices_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The choices by name, of `add_arguments`.

    Raises:
        WindtunnelError: one is not NAME=VALUE.
    """
    choices: dict[str, Any] = {}
    for setting in arguments.choices:
        name, equals, value = setting.partition("=")
        if not equals:
            raise WindtunnelError(f"--set {setting}: give NAME=VALUE")
        try:
            choices[name] = json.loads(value)
        except ValueError:
            choices[name] = value
    return choices | ({"approval": True} if arguments.approve else {})


def definition_file(search: str) -> Path:
    """The file that a command's argument means.

    Raises:
        WindtunnelError: it is the name of no search.
    """
    if search.endswith((".yaml", ".yml")):
        return Path(search).resolve()
    file = (SEARCHES / f"{search}.yaml").resolve()
    if not file.is_file():
        there = ", ".join(sorted(each.stem for each in SEARCHES.glob("*.y*ml"))) or "none"
        raise WindtunnelError(f"there is no search {search!r}: {SEARCHES} has {there}; or give a definition's file")
    return file


def project_of(file: Path) -> Path | None:
    """The folder above the folder `include/searches` that a definition lies in; None where it lies elsewhere."""
    return file.parents[2] if file.parent.match(str(SEARCHES)) else None


def store_of(file: Path, definition: Definition | Fleet) -> str:
    """Where a definition's runs are kept; a relative path counts from its project, else from the working directory."""
    store = definition.store or os.environ.get("WINDTUNNEL_STORE") or "runs"
    return store if "://" in store else str((project_of(file) or Path.cwd()) / Path(store).expanduser())


def choose_run(
    arguments: argparse.Namespace, choices: dict[str, Any], definition: Definition | Fleet, store: str
) -> tuple[Ledger, Choice]:
    """The run that a command works on.

    Raises:
        LedgerError: there is no such run to resume.
    """
    opened = open_store(store)
    opened.on_wait = lambda line: print(printable(line), file=sys.stderr, flush=True)  # noqa: T201
    return choose(
        opened,
        definition.name,
        fresh=arguments.fresh,
        extend=arguments.extend,
        resume=arguments.resume or choices.get("resume"),
        failed_trials=None if isinstance(definition, Fleet) else definition.limits.failed_trials,
    )


def greeting(ledger: Ledger, definition: Definition | Fleet, how: Choice) -> str:
    """The first line of a command's output."""
    return _GREETING[how].format(name=definition.name, run=ledger.run)


def spec_to_cancel(definition: Definition | Fleet) -> Spec:
    """What tells where a definition's jobs run, and for how long they may wait; nothing is launched by it."""
    return Spec(definition=definition.model_dump(mode="json"), code="")


def ask(display: Display, subject: str, body: str) -> bool:
    """Put a question to whoever sits at the terminal.

    Args:
        display: that the question interrupts.
        subject: the question.
        body: what is to be known before, in Markdown.

    Raises:
        Stopped: nobody answers any more.
    """
    from rich.markdown import Markdown

    with display.paused() as console:
        console.print(Markdown(printable(body)))
        while True:
            try:
                answer = console.input(f"{printable(subject)} (y/n) ", markup=False).strip().lower()[:1]
            except EOFError:
                raise Stopped(signal.SIGHUP) from None
            if answer in ("y", "n"):
                return answer == "y"
