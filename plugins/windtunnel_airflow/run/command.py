"""The command: choose the run, let Airflow perform it, show how far it is, and say at the end what was found."""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windtunnel.definition import Definition, Fleet, load_any
from windtunnel.engine.command import (
    AGAIN,
    BUSY,
    FAILED,
    WRONG,
    add_arguments,
    ask,
    choices_of,
    choose_run,
    definition_file,
    greeting,
    project_of,
    spec_to_cancel,
    store_of,
)
from windtunnel.engine.fleet_command import chosen_by_set
from windtunnel.engine.runs import link_latest
from windtunnel.errors import Stopped, WindtunnelError
from windtunnel.host.signals import heed_signals, ignore_signals
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Ledger, Spec
from windtunnel.report import FleetReader, RunReader, summary
from windtunnel.report.display import Display
from windtunnel.text import printable
from windtunnel_airflow.environment import airflow_environment
from windtunnel_airflow.home import BusyError, home_of, only_one, private_home
from windtunnel_airflow.run.fleet import FleetDisplay, failure_of_fleet, results_of_fleet
from windtunnel_airflow.run.process import AirflowProcess
from windtunnel_airflow.run.times import times
from windtunnel_airflow.run.worker import dag_file

_EXCEPTION = re.compile(r"[\w.]*(Error|Exception)\w*: ")


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
    heed_signals()
    try:
        file = definition_file(chosen.search)
        definition = load_any(file)
        place = _place(file, definition)
        private_home(place.home)
        with only_one(place.home) as lock:
            return _perform(chosen, definition, place, lock, began)
    except WindtunnelError as error:
        print(printable(str(error)), file=sys.stderr)
        return BUSY if isinstance(error, BusyError) else WRONG
    except Stopped as stopped:
        print(printable(stopped.told), file=sys.stderr)
        return stopped.exit_code


def _perform(chosen: argparse.Namespace, definition: Definition | Fleet, place: Place, lock: int, began: float) -> int:
    params = choices_of(chosen)
    if isinstance(definition, Fleet):
        if chosen.extend or chosen.approve:
            raise WindtunnelError(
                f"{definition.name} is a fleet: it has no iterations to add, and no finalists to approve"
            )
        params |= chosen_by_set(definition, params)[1].model_dump(exclude_unset=True)
    ledger, how = choose_run(chosen, params, definition, place.store)
    params["resume"] = ledger.run
    _clear_leftovers(place.home, ledger, definition)
    latest = link_latest(ledger)
    log = place.home / "logs" / f"{definition.name}-{ledger.run}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log_begin = log.stat().st_size if log.is_file() else 0
    (place.home / "dags").mkdir(exist_ok=True)
    (place.home / "dags" / "search.py").write_text(dag_file(place.definition))
    at = datetime.now(UTC)
    reader = FleetReader(ledger) if isinstance(definition, Fleet) else RunReader(ledger)  # nothing is there yet
    launcher, ledger = get_launcher(definition.launcher), ledger.with_spec(spec_to_cancel(definition))
    heading = greeting(ledger, definition, how)
    try:
        with (
            AirflowProcess(
                place.definition, params, at, environment=_environment(chosen, place), log=log, hold=lock
            ) as airflow,
            FleetDisplay(reader, heading) if isinstance(reader, FleetReader) else Display(reader, heading) as display,
        ):
            ended, answering = _follow(airflow, display)
    except Stopped:
        ignore_signals()
        print("Stopping: ending what runs …", flush=True)
        launcher.cancel(ledger)
        _note(place.home).unlink()
        print(f"Nothing runs any more. The same command goes on with run {ledger.run}.")
        raise
    if ended is None:
        launcher.cancel(ledger)
        return _explain_failure("Airflow's process ended without a word", reader, log, log_begin)
    if ended["state"] != "success":
        return _explain_failure("The run failed", reader, log, log_begin)
    _note(place.home).unlink()
    if isinstance(reader, FleetReader):
        print(printable("\n".join(results_of_fleet(ledger, time.time() - began, latest))))
        return 0
    snapshot, now = reader.read(), time.time()
    lines = summary.results(snapshot, now - began - answering) + summary.where(ledger, latest)
    lines += times(snapshot, (began, now), ended["tasks"], answering)
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
                yes = ask(display, event["subject"], event["body"] or "")
                airflow.answer(event["options"][0 if yes else -1])
                answering += time.time() - began
        if gone:
            return None, answering
        display.update()


def _explain_failure(what: str, reader: RunReader | FleetReader, log: Path, begin: int) -> int:
    """Say why the run failed; its log begins at `begin`."""
    why = failure_of_fleet(reader.ledger) if isinstance(reader, FleetReader) else summary.failure(reader)
    why = why or _exceptions(log.read_bytes()[begin:])
    print(printable("\n".join(why)), file=sys.stderr)
    report = f"; the report so far: {reader.ledger.url}/report.html" if reader.ledger.has("report.html") else ""
    print(f"{what}. Airflow's log: {log}{report}\n{AGAIN}", file=sys.stderr)
    return FAILED


def _exceptions(log: bytes) -> list[str]:
    """The exceptions that Airflow's log has, but for those that a longer one ends with; or else the log's end."""
    lines = log.decode(errors="replace").splitlines()
    words = {line: f": {line.partition(': ')[2]}" for line in lines if _EXCEPTION.match(line)}
    own = [line for line in words if not any(_repeats(other, words[line], line) for other in words)]
    return own or lines[-20:]


def _repeats(other: str, words: str, line: str) -> bool:
    return len(other) > len(line) and len(words) > len(": ") and other.endswith(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m windtunnel_airflow.run", description=__doc__)
    add_arguments(parser)
    return parser


def _place(file: Path, definition: Definition | Fleet) -> Place:
    """Where all is of a definition's project: that is its own folder, or that above a folder `include/searches`.

    So searches of different projects run side by side.
    """
    project = project_of(file)
    home = project / ".airflow" / "run" if project else home_of(file.parent)
    return Place(file, home, store_of(file, definition))


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
    spec = spec_to_cancel(definition).model_dump(mode="json")
    fresh.write_text(json.dumps({"ledger": ledger.url, "launcher": definition.launcher, "spec": spec}))
    fresh.replace(note)


def _note(home: Path) -> Path:
    """Where it stands which run may have left jobs behind; gone once a run has ended well."""
    return home / "run.json"
