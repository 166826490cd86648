"""Kills processes of a search at random moments, and checks that nothing comes of it.

    python -m tests.kills [--kills 20] [--seed 0] [--engine test|scheduler]

A small search of digits runs once undisturbed. Then it runs again while a task, a job or a trial is killed with
SIGKILL every few seconds. Under `test`, the engine of `make run`, the same command is given again whenever it was hit;
under `scheduler` nobody does anything. However often it was hit, the run must end with the undisturbed run's front, and
no finished trial may have been started again.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from tests.airflow.standalone import FINISHED, Standalone
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

SEARCH = {
    "workload": "windtunnel_trainer.workloads.cnn",
    "data": {"dataset": "digits"},
    "settings": {"image_size": 8, "batch_size": 32, "lr": 5e-3},
    "space": {
        "nb_layers": {"type": "int", "low": 1, "high": 4},
        "kernel_size": [1, 3, 5],
        "hidden_dim": [8, 16, 32],
    },
    "objectives": {"val_acc": "maximize", "flops": "minimize"},
    "iterations": 3,
    "trials": {"initial": 6, "per_iteration": 6},
    "epochs": {"partial": 2, "full": 5},
    "finalists": {"max": 3},
    # A process that is killed for no fault of its own may be hit many times.
    "limits": {"parallel": 2, "trial_retries": 50},
    "seed": 3,
}
KINDS = ("task", "job", "trial")
PATIENCE = 600  # seconds for one run, however often it is hit


class Killer:
    """Picks victims among the processes of a store's runs, and remembers what it did."""

    def __init__(self, seed: int, kills: int, store: Path, tasks: Callable[[], list[psutil.Process]]) -> None:
        self.left = kills
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._store = str(store)
        self._tasks = tasks
        self._choose()

    def strike(self) -> None:
        """If it is time, kill a process of the chosen kind, or wait until there is one."""
        if not self.left or time.monotonic() < self._next:
            return
        found = self._tasks() if self._kind == "task" else self._trainers()[self._kind]
        if not found:
            return
        with suppress(psutil.NoSuchProcess):
            self._random.choice(found).kill()
            self.left -= 1
            self.done[self._kind] += 1
            print(f"  killed a {self._kind} ({self.left} left)", flush=True)
        self._choose()

    def _choose(self) -> None:
        """Whom to kill next, and when: each kind as often as the others, for they do not live equally long."""
        self._kind = self._random.choice(KINDS)
        self._next = time.monotonic() + self._random.uniform(0.2, 4)

    def _trainers(self) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {"job": [], "trial": []}
        for process in matching("-m windtunnel_trainer", self._store):
            with suppress(psutil.NoSuchProcess):
                forked = (parent := process.parent()) is not None and parent.cmdline() == process.cmdline()
                found["trial" if forked else "job"].append(process)
        return found


def matching(*words: str) -> list[psutil.Process]:
    """Living processes whose command line has all these words."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            if all(word in command for word in words) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def run_by_command(folder: Path, killer: Killer | None) -> Ledger:
    """Perform the search by the command of `make run`, given again until it ends well."""
    file = folder / "kills.yaml"
    file.write_text(yaml.safe_dump(SEARCH))
    environment = os.environ | {"WINDTUNNEL_STORE": str(folder / "runs"), "XDG_CACHE_HOME": str(folder / "cache")}
    deadline = time.monotonic() + PATIENCE
    option = ["--fresh"]
    while time.monotonic() < deadline:
        command = [sys.executable, "-m", "windtunnel_airflow.run", str(file), *option]
        option = []
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                time.sleep(0.1)
                if killer is not None:
                    killer.strike()
            assert process.stdout is not None
            said = process.stdout.read().decode()
        if process.returncode == 0:
            return Ledger.open(str((folder / "runs" / "latest").resolve()))
        if killer is None:
            raise AssertionError(f"the undisturbed run failed:\n{said}")
    raise AssertionError(f"no end after {PATIENCE} s; the last words were\n{said}")


def commands(folder: str) -> list[psutil.Process]:
    """The command that works in the folder, and the process of its Airflow."""
    found = matching("windtunnel_airflow.run ", folder)
    ids = {process.pid for process in found}
    return found + [process for process in matching("windtunnel_airflow.run.worker") if process.ppid() in ids]


def run_by_scheduler(airflow: Standalone, killer: Killer | None) -> Ledger:
    """Trigger the search in a running Airflow, and leave it alone until it ends."""
    run = airflow.trigger("kills")

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


def torment_scheduler(folder: Path, seed: int, kills: int) -> None:
    """Run the search under Airflow's real scheduler; its tasks are processes that name their task instance."""
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "searches" / "kills.yaml").write_text(yaml.safe_dump(SEARCH))
    (folder / "dags" / "searches.py").write_text(
        'from windtunnel_airflow import load_searches  # airflow dag\n\nload_searches("../searches", globals())\n'
    )
    with Standalone(folder / "airflow", folder / "dags", folder / "runs") as airflow:
        mine = psutil.Process(airflow.process.pid)

        def tasks() -> list[psutil.Process]:
            family = set(mine.children(recursive=True))
            return [process for process in matching("airflow worker -- ") if process in family and is_task(process)]

        torment(lambda killer: run_by_scheduler(airflow, killer), Killer(seed, kills, folder / "runs", tasks))


def is_task(process: psutil.Process) -> bool:
    """Whether a process of the executor is running a task, rather than waiting for one."""
    with suppress(psutil.NoSuchProcess):
        return re.search(r"airflow worker -- [0-9a-f]{8}-", " ".join(process.cmdline())) is not None
    return False


def front(ledger: Ledger) -> dict[str, dict[str, float]]:
    """The run's front, and its models' values: what must not depend on who was killed."""
    pareto, models = ledger.read_json("pareto.json"), ledger.read_json("models.json")
    assert pareto is not None and models is not None
    return {trial["trial"]: trial["objectives"] for trial in [*pareto["trials"], *models["models"]]}


def trained_twice(ledger: Ledger) -> list[str]:
    """Trials that were started again after they had a result."""
    found = []
    for trial in ledger.outcomes():
        result = ledger.result(trial)
        assert result is not None
        found += [trial for attempt in ledger.attempts(trial) if attempt.started > result.ended]
    return found


def check(ledger: Ledger, expected: dict[str, dict[str, float]]) -> None:
    """Hold a disturbed run against the undisturbed one."""
    assert front(ledger) == expected, f"{ledger.url}: another front"
    assert not trained_twice(ledger), f"{ledger.url}: trained twice"
    asked = [
        request.trial
        for stage in ledger.stages()
        for request in ledger.plan(stage).requests  # type: ignore[union-attr]
    ]
    assert set(asked) == set(ledger.outcomes()), f"{ledger.url}: not every trial has a result"


def torment(run: Callable[[Killer | None], Ledger], killer: Killer) -> None:
    """Run the search undisturbed, then disturbed until all kills are used, and compare."""
    began = time.monotonic()
    expected = front(run(None))
    print(f"undisturbed: {len(expected)} models in {time.monotonic() - began:.0f} s", flush=True)
    while killer.left:
        began = time.monotonic()
        ledger = run(killer)
        check(ledger, expected)
        starts = sum(len(ledger.attempts(trial)) for trial in ledger.outcomes())
        trials = len(ledger.outcomes())
        print(
            f"disturbed: the same in {time.monotonic() - began:.0f} s; {starts} starts of {trials} trials", flush=True
        )
    print("killed:", ", ".join(f"{count} {kind}s" for kind, count in sorted(killer.done.items())))


def main() -> None:
    """Parse the command line, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["test", "scheduler"], default="test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windtunnel-kills-") as name:
        folder = Path(name)
        if options.engine == "scheduler":
            torment_scheduler(folder, options.seed, options.kills)
        else:
            killer = Killer(
                options.seed, options.kills, folder / "runs", lambda: matching("windtunnel_airflow.run", name)
            )
            torment(lambda killer: run_by_command(folder, killer), killer)


if __name__ == "__main__":
    main()
