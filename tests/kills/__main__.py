"""Kills processes of a search or a fleet at random moments, and checks that nothing comes of it.

    python -m tests.kills [--kind search|fleet] [--kills 20] [--seed 0] [--engine python|test|scheduler]
        [--per-run 15] [--set trials={…} …]

A small search of digits, or a fleet of tenants, runs once undisturbed. Then it runs again while a task, a job, or a
process that a job has forked for its work is killed with SIGKILL whenever the run's folder has grown by some files: so
kills are spread over the stages, whatever the time that each takes. Under `python`, the engine without Airflow, and
`test`, the engine of `make run`, the same command is given again whenever it was hit; under `scheduler` nobody does
anything. However often it was hit, the run must end with the undisturbed run's front, or a fleet's with all that it
gathers byte for byte; every trial or mini-batch must have one result, no claim may be left, and nothing may have been
begun again once it was finished. Of a continuous search no front is compared: what it suggests depends on what ends
first.
"""

import argparse
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import yaml

from tests.airflow.standalone import FINISHED, Standalone
from tests.kills import fleet, search
from windtunnel.engine.runs import finished
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

SUBJECTS = {"search": search, "fleet": fleet}
KINDS = ("task", "job", "worker")
PATIENCE = 1800  # seconds for one run, however often it is hit

Run = Callable[["Killer | None"], Ledger]
Processes = Callable[[], list[psutil.Process]]


class Killer:
    """Picks victims among the processes of a store's runs, and remembers what it did.

    Attributes:
        subject: of `SUBJECTS`.
        store: the folder.
        left: how many are still to be killed.
        done: how many of each kind were, and in which stage.
    """

    def __init__(self, subject: ModuleType, seed: int, kills: int, per_run: int, store: Path, tasks: Processes) -> None:
        """Nobody is killed yet.

        Args:
            subject: of `SUBJECTS`.
            seed: of whom is killed, and when.
            kills: how many to kill.
            per_run: how many of them in one run, in the mean.
            store: whose jobs and their workers are victims.
            tasks: finds the processes that are victims as tasks.
        """
        self.subject = subject
        self.left = kills
        self._per_run = per_run
        self._files = 0  # of an undisturbed run
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)
        self.store = store
        self._tasks = tasks

    def begin(self, files: int) -> None:
        """A run begins that is to be disturbed; undisturbed it has so many files in the end."""
        self._files, self._before = files, len(files_of(self.store))
        self._seen, self._at = 0, math.inf
        self._choose(0)

    def strike(self) -> None:
        """If the run has grown so far, kill a process of the chosen kind, or wait until there is one."""
        if not self.left:
            return
        paths = files_of(self.store)
        grown = len(paths) - self._before
        self._seen = max(self._seen, grown)
        if self._at == math.inf and self._seen >= self._next:
            self._at = time.monotonic() + self._random.uniform(0, 0.5)  # or a burst of writes were always whole
        if time.monotonic() < self._at:
            return
        found = self._tasks() if self._kind == "task" else self._trainers()[self._kind]
        if not found:
            return
        with suppress(psutil.NoSuchProcess):
            self._random.choice(found).kill()
            self.left -= 1
            stage = self.subject.last_stage(paths[self._before :])
            self.done[self._kind] += 1
            self.done[f"in {stage}"] += 1
            print(f"  killed a {self._kind} in {stage} ({self.left} left)", flush=True)
        self._choose(self._seen)

    def _choose(self, now: int) -> None:
        """Whom to kill next, and when: each kind as often as the others, for they do not live equally long."""
        self._kind = self._random.choice(KINDS)
        self._next = now + self._random.uniform(0.1, 1.9) * self._files / self._per_run
        self._at = math.inf

    def _trainers(self) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {"job": [], "worker": []}
        for process in matching("-m windtunnel_trainer", str(self.store)):
            with suppress(psutil.NoSuchProcess):
                forked = (parent := process.parent()) is not None and parent.cmdline() == process.cmdline()
                found["worker" if forked else "job"].append(process)
        return found


def files_of(store: Path) -> list[Path]:
    """All files of a store, the latest last."""
    found = []
    for path in store.rglob("*"):
        with suppress(OSError):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def matching(*words: str) -> list[psutil.Process]:
    """Living processes whose command line has all these words."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            if all(word in command for word in words) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


class ByCommand:
    """Runs the definition by a command that is given again until it ends well."""

    def __init__(self, engine: str, folder: Path, fields: dict[str, Any], choices: dict[str, Any]) -> None:
        """Nothing is run yet.

        Args:
            engine: `python` or `test`.
            folder: of all that is written.
            fields: of the definition.
            choices: of each run, by name.
        """
        self.store = folder / "runs"
        self._engine, self._folder = engine, folder
        self._file = folder / "kills.yaml"
        self._file.write_text(yaml.safe_dump(fields))
        self._choices = [f"--set={name}={json.dumps(value)}" for name, value in choices.items()]
        self._runs = count(1)

    def __call__(self, killer: Killer | None) -> Ledger:
        """A run from its beginning to its end."""
        own = {"WINDTUNNEL_STORE": str(self.store), "XDG_CACHE_HOME": str(self._folder / "cache")}
        deadline = time.monotonic() + PATIENCE
        number, tries, said = next(self._runs), count(), ""
        while time.monotonic() < deadline:
            with tempfile.TemporaryFile() as output:
                command = self._command(number, fresh=next(tries) == 0)
                with subprocess.Popen(command, env=os.environ | own, stdout=output, stderr=output) as process:
                    while process.poll() is None and time.monotonic() < deadline:
                        time.sleep(0.05)
                        if killer is not None:
                            killer.strike()
                    process.kill()
                output.seek(0)
                said = output.read().decode(errors="replace")
            if process.returncode == 0 or self._has_finished(number):
                return self._ledger(number)
            if killer is None:
                raise AssertionError(f"the undisturbed run failed:\n{said}")
        raise AssertionError(f"no end after {PATIENCE} s; the last words were\n{said}")

    def _has_finished(self, number: int) -> bool:
        """Whether the command was killed after its last write: given again, it would add iterations to the run."""
        return self._engine == "python" and finished(self._ledger(number))

    def tasks(self) -> list[psutil.Process]:
        """The command that works in the folder, and the process of its Airflow."""
        found = matching("tests.performs" if self._engine == "python" else "windtunnel_airflow.run ", str(self._folder))
        ids = {process.pid for process in found}
        return found + [process for process in matching("windtunnel_airflow.run.worker") if process.ppid() in ids]

    def _command(self, number: int, *, fresh: bool) -> list[str]:
        if self._engine == "python":
            return [sys.executable, "-m", "tests.performs", str(self._file), str(self.store), f"run-{number}"]
        command = [sys.executable, "-m", "windtunnel_airflow.run", str(self._file), *self._choices]
        return [*command, "--fresh"] if fresh else command

    def _ledger(self, number: int) -> Ledger:
        if self._engine == "python":
            return Ledger(open_store(str(self.store)), "kills", f"run-{number}")
        return Ledger.open(str((self.store / "latest").resolve()))


def run_by_scheduler(airflow: Standalone, choices: dict[str, Any], killer: Killer | None) -> Ledger:
    """Trigger the DAG in a running Airflow, and leave it alone until it ends."""
    run = airflow.trigger("kills", **choices)

    def ended() -> str | None:
        if killer is not None:
            killer.strike()
        state = airflow.state("kills", run)
        return state if state in FINISHED else None

    state = airflow.until(ended, PATIENCE, "the run does not end")
    tasks = airflow.tasks("kills", run).items()
    failed = [f"{name} at try {ti['try_number']}" for name, ti in tasks if ti["state"] in ("failed", "upstream_failed")]
    assert state == "success", f"{run}: {state}: {', '.join(failed)}"
    return Ledger(open_store(airflow.environment["WINDTUNNEL_STORE"]), "kills", run)


def torment_scheduler(folder: Path, fields: dict[str, Any], subject: ModuleType, *plan: int) -> None:
    """Run the definition under Airflow's real scheduler; its tasks are processes that name their task instance.

    Args:
        folder: of all that is written.
        fields: of the definition.
        subject: of `SUBJECTS`.
        plan: the seed, how many kills, and how many in one run.
    """
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "searches" / "kills.yaml").write_text(yaml.safe_dump(fields))
    (folder / "dags" / "searches.py").write_text(
        'from windtunnel_airflow import load_searches  # airflow dag\n\nload_searches("../searches", globals())\n'
    )
    with Standalone(folder / "airflow", folder / "dags", folder / "runs") as airflow:
        mine = psutil.Process(airflow.process.pid)

        def tasks() -> list[psutil.Process]:
            family = set(mine.children(recursive=True))
            return [process for process in matching("airflow worker -- ") if process in family and is_task(process)]

        run = partial(run_by_scheduler, airflow, subject.CHOICES)
        torment(run, Killer(subject, *plan, folder / "runs", tasks))


def is_task(process: psutil.Process) -> bool:
    """Whether a process of the executor is running a task, rather than waiting for one."""
    with suppress(psutil.NoSuchProcess):
        return re.search(r"airflow worker -- [0-9a-f]{8}-", " ".join(process.cmdline())) is not None
    return False


def torment(run: Run, killer: Killer) -> None:
    """Run undisturbed, then disturbed until all kills are used, and compare."""
    subject, began = killer.subject, time.monotonic()
    ledger = run(None)
    expected, files = subject.outcome(ledger), len(files_of(killer.store))
    print(f"undisturbed: {files} files in {time.monotonic() - began:.0f} s", flush=True)
    while killer.left:
        shutil.rmtree(ledger.url)  # or each look at the store would take longer than the last
        began = time.monotonic()
        killer.begin(files)
        ledger = run(killer)
        subject.check(ledger, expected)
        print(f"disturbed: the same in {time.monotonic() - began:.0f} s; {subject.starts(ledger)}", flush=True)
    print("killed:", ", ".join(f"{count} {what}" for what, count in sorted(killer.done.items())))


def main() -> None:
    """Parse the command line, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=list(SUBJECTS), default="search")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["python", "test", "scheduler"], default="test")
    parser.add_argument("--per-run", type=int, default=15, help="kills in one run, in the mean")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=YAML", help="a field of the definition")
    options = parser.parse_args()
    subject = SUBJECTS[options.kind]
    plan = options.seed, options.kills, options.per_run
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="windtunnel-kills-"))
        stack.push(lambda kind, *_: shutil.rmtree(folder) if kind is None else print(f"all of it is in {folder}"))
        own = {field: yaml.safe_load(value) for field, _, value in (one.partition("=") for one in options.set)}
        fields = subject.definition(folder, options.kills) | own
        if options.engine == "scheduler":
            torment_scheduler(folder, fields, subject, *plan)
        else:
            run = ByCommand(options.engine, folder, fields, subject.CHOICES)
            torment(run, Killer(subject, *plan, run.store, run.tasks))


if __name__ == "__main__":
    main()
