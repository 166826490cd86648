"""The command: choose the run, let Airflow perform it, show how far it is, and say at the end what was found."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from windtunnel.definition import Definition, Fleet, load_any
from windtunnel.errors import WindtunnelError
from windtunnel.fleet.publishing import REPORT
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger, Spec
from windtunnel.report.display import Display
from windtunnel.report.reader import RunReader
from windtunnel.stores import open_store
from windtunnel.text import printable
from windtunnel_airflow.environment import airflow_environment
from windtunnel_airflow.home import BusyError, home_of, only_one, private_home
from windtunnel_airflow.run import summary
from windtunnel_airflow.run.fleet import FleetDisplay, failure_of_fleet, results_of_fleet
from windtunnel_airflow.run.process import AirflowProcess
from windtunnel_airflow.run.runs import choose, link_latest
from windtunnel_airflow.run.worker import dag_file

_SEARCHES = Path("include/searches")
_FAILED, _WRONG, _BUSY = 1, 2, 3  # exit codes: the run failed; the command is wrong; another one is at work
_GREETING = {
    "new": "{name}: run {run}",
    "resumed": "{name}: run {run} goes on where it was cut short (--fresh begins anew)",
    "extended": "{name}: run {run} is extended",
}


class Stopped(BaseException):
    """A signal asks the command to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True)
class Place:
    """Where a search's parts are.

    Attributes:
        definition: the search's file.
        home: folder of the Airflow that performs it.
        store: where ledgers live.
    """

    definition: Path
    home: Path
    store: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a search or a fleet; the exit code is 0 only where it succeeded."""
    began = time.time()
    chosen = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        file = _definition_file(chosen.search)
        definition = load_any(file)
        place = _place(file, definition)
        private_home(place.home)
        with only_one(place.home) as lock:
            return _perform(chosen, definition, place, lock, began)
    except WindtunnelError as error:
        print(printable(str(error)), file=sys.stderr)
        return _BUSY if isinstance(error, BusyError) else _WRONG
    except Stopped as stopped:
        return 128 + stopped.number


def _perform(chosen: argparse.Namespace, definition: Definition | Fleet, place: Place, lock: int, began: float) -> int:
    params = _params(chosen)
    is_fleet = isinstance(definition, Fleet)
    if is_fleet and (chosen.extend or chosen.approve):
        raise WindtunnelError(f"{definition.name} is a fleet: it has no iterations to add, and no finalists to approve")
    store = open_store(place.store)
    store.on_wait = lambda line: print(printable(line), file=sys.stderr, flush=True)
    ledger, how = choose(
        store,
        definition.name,
        fresh=chosen.fresh,
        extend=chosen.extend,
        resume=chosen.resume or params.get("resume"),
        failed_trials=None if isinstance(definition, Fleet) else definition.limits.failed_trials,
    )
    params["resume"] = ledger.run
    _clear_leftovers(place.home, ledger, definition)
    latest = link_latest(ledger)
    log = place.home / "logs" / f"{definition.name}-{ledger.run}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log_begin = log.stat().st_size if log.is_file() else 0
    (place.home / "dags").mkdir(exist_ok=True)
    (place.home / "dags" / "search.py").write_text(dag_file(place.definition))
    at = datetime.now(UTC)
    launcher, ledger, reader = get_launcher(definition.launcher), ledger.with_spec(_spec(definition)), RunReader(ledger)
    try:
        with AirflowProcess(
            place.definition, params, at, environment=_environment(chosen, place), log=log, hold=lock
        ) as airflow:
            greeting = _GREETING[how].format(name=definition.name, run=ledger.run)
            with FleetDisplay(ledger, greeting) if is_fleet else Display(reader, greeting) as display:
                ended, answering = _follow(airflow, display)
    except Stopped:
        _ignore_signals()
        print("Stopping: ending what runs …", flush=True)
        launcher.cancel(ledger)
        _note(place.home).unlink()
        print(f"Nothing runs any more. The same command goes on with run {ledger.run}.")
        raise
    if ended is None:
        launcher.cancel(ledger)
        return _explain_failure("Airflow's process ended without a word", reader, log, log_begin, fleet=is_fleet)
    if ended["state"] != "success":
        return _explain_failure("The run failed", reader, log, log_begin, fleet=is_fleet)
    _note(place.home).unlink()
    if is_fleet:
        print(printable("\n".join(results_of_fleet(ledger, time.time() - began, latest))))
        return 0
    snapshot, now = reader.read(), time.time()
    lines = summary.results(snapshot, now - began - answering) + summary.where(ledger, latest)
    lines += summary.times(snapshot, (began, now), ended["tasks"], answering)
    lines.append(f"More iterations of this run: make run SEARCH={chosen.search} ARGS=--extend")
    print(printable("\n".join(lines)))
    return 0


def _follow(airflow: AirflowProcess, display: Display | FleetDisplay) -> tuple[dict[str, Any] | None, float]:
    """Show the run until it ends; how it ended, and how many seconds a person took to answer."""
    answering = 0.0
    while True:
        gone = airflow.exit_code is not None  # asked before its last words are read
        for event in airflow.events(0.2):
            if event["event"] == "ended":
                display.update(now=True)
                return event, answering
            if event["event"] == "question" and isinstance(display, Display):
                began = time.time()
                airflow.answer(_ask(display, event))
                answering += time.time() - began
        if gone:
            return None, answering
        display.update()


def _ask(display: Display, question: dict[str, Any]) -> str:
    """Put a task's question to whoever sits at the terminal: yes is its first option, no the last."""
    from rich.markdown import Markdown

    answers = {"y": question["options"][0], "n": question["options"][-1]}
    with display.paused() as console:
        console.print(Markdown(printable(question["body"] or "")))
        while True:
            try:
                answer = console.input(f"{printable(question['subject'])} (y/n) ", markup=False).strip().lower()[:1]
            except EOFError:
                raise Stopped(signal.SIGHUP) from None
            if answer in answers:
                return str(answers[answer])


def _explain_failure(what: str, reader: RunReader, log: Path, begin: int, *, fleet: bool) -> int:
    """Say why the run failed; its log begins at `begin`."""
    logged = log.read_bytes()[begin:]
    lines = failure_of_fleet(reader.ledger, logged) if fleet else summary.failure(reader, logged)
    print(printable("\n".join(lines)), file=sys.stderr)
    report = REPORT if fleet else "report.html"
    again = "The same command goes on with this run, or begins anew if it was hopeless; --fresh always does."
    print(f"{what}. Airflow's log: {log}; the report so far: {reader.ledger.url}/{report}\n{again}", file=sys.stderr)
    return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m windtunnel_airflow.run", description=__doc__)
    parser.add_argument("search", help=f"a search's or fleet's file, or the name of one in {_SEARCHES}")
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
        dest="params",
        help="one of the trigger form's choices, such as seed=1 or epochs_full=20; the value is JSON or else text",
    )
    return parser


def _definition_file(search: str) -> Path:
    if search.endswith((".yaml", ".yml")):
        return Path(search).resolve()
    file = (_SEARCHES / f"{search}.yaml").resolve()
    if not file.is_file():
        there = ", ".join(sorted(each.stem for each in _SEARCHES.glob("*.y*ml"))) or "none"
        raise WindtunnelError(f"there is no search {search!r}: {_SEARCHES} has {there}; or give a definition's file")
    return file


def _place(file: Path, definition: Definition | Fleet) -> Place:
    """Where all is of a definition's project: that is its own folder, or that above a folder `include/searches`.

    So searches of different projects run side by side.
    """
    project = file.parents[2] if file.parent.match(str(_SEARCHES)) else None
    store = definition.store or os.environ.get("WINDTUNNEL_STORE") or "runs"
    if "://" not in store:
        store = str((project or Path.cwd()) / Path(store).expanduser())
    return Place(file, project / ".airflow" / "run" if project else home_of(file.parent), store)


def _params(chosen: argparse.Namespace) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for setting in chosen.params:
        name, equals, value = setting.partition("=")
        if not equals:
            raise WindtunnelError(f"--set {setting}: give NAME=VALUE")
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    return params | ({"approval": True} if chosen.approve else {})


def _environment(chosen: argparse.Namespace, place: Place) -> dict[str, str]:
    environment = airflow_environment(place.home, place.home / "dags", store=place.store)
    environment |= {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    if chosen.data is not None:
        environment["WINDTUNNEL_DATA"] = str(chosen.data.resolve())
    return environment


def _clear_leftovers(home: Path, ledger: Ledger, definition: Definition | Fleet) -> None:
    """End the jobs of a killed command, unless they are this run's own, which are taken over as they are."""
    note = _note(home)
    if note.is_file():
        try:
            earlier = json.loads(note.read_text())
            earlier["ledger"], earlier["launcher"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise WindtunnelError(
                f"{note} cannot be read, which names the run whose jobs may still run; if none does, delete it"
            ) from error
        if earlier["ledger"] != ledger.url:
            try:
                left = Ledger.open(earlier["ledger"])
                spec = earlier.get("spec")  # an earlier version's note has none, and local jobs need none
                get_launcher(earlier["launcher"]).cancel(left.with_spec(Spec.model_validate(spec)) if spec else left)
            except WindtunnelError as error:
                raise WindtunnelError(
                    f"jobs of {earlier['ledger']}, which was interrupted, may still run and cannot be ended: {error}; "
                    f"if none does, delete {note}"
                ) from error
    fresh = note.with_suffix(".tmp")
    spec = _spec(definition).model_dump(mode="json")
    fresh.write_text(json.dumps({"ledger": ledger.url, "launcher": definition.launcher, "spec": spec}))
    fresh.replace(note)


def _spec(definition: Definition | Fleet) -> Spec:
    """What tells where jobs run, and for how long they may wait; nothing is launched by it."""
    return Spec(definition=definition.model_dump(mode="json"), code="")


def _note(home: Path) -> Path:
    """Where it stands which run may have left jobs behind; gone once a run has ended well."""
    return home / "run.json"


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
