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

from windtunnel.ledger import Ledger

SEARCH = {
    "workload": "trainer.workloads.cnn",
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
    """Picks victims, and remembers what it did."""

    def __init__(self, seed: int, kills: int, task_words: tuple[str, ...]) -> None:
        self.left = kills
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._task_words = task_words
        self._choose()

    def strike(self, mark: str) -> None:
        """If it is time, kill a process of the chosen kind whose environment names `mark` as its store."""
        if not self.left or time.monotonic() < self._next:
            return
        found = self._victims(mark)[self._kind]
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

    def _victims(self, mark: str) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {kind: [] for kind in KINDS}
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                command = " ".join(process.cmdline())
                if process.environ().get("WINDTUNNEL_STORE") != mark or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if "-m trainer" in command:
                    is_trial = "-m trainer" in " ".join(process.parent().cmdline())  # forked by its job
                    found["trial" if is_trial else "job"].append(process)
                elif any(word in command for word in self._task_words):
                    found["task"].append(process)
        return found


def run_by_command(folder: Path, killer: Killer | None, fresh: bool = False) -> Ledger:
    """Perform the search by the command of `make run`, given again until it ends well."""
    file = folder / "kills.yaml"
    file.write_text(yaml.safe_dump(SEARCH))
    store = str(folder / "runs")
    environment = os.environ | {"WINDTUNNEL_STORE": store, "XDG_CACHE_HOME": str(folder / "cache")}
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        command = [sys.executable, "-m", "windtunnel_airflow.run", str(file), *(["--fresh"] if fresh else [])]
        fresh = False
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                time.sleep(0.1)
                if killer is not None:
                    killer.strike(store)
            assert process.stdout is not None
            said = process.stdout.read().decode()
        if process.returncode == 0:
            return Ledger.open(str((folder / "runs" / "latest").resolve()))
        if killer is None:
            raise AssertionError(f"the undisturbed run failed:\n{said}")
    raise AssertionError(f"no end after {PATIENCE} s; the last words were\n{said}")


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
        if options.engine == "test":
            killer = Killer(options.seed, options.kills, ("windtunnel_airflow.run.worker", "windtunnel_airflow.run "))
            torment(lambda k: run_by_command(Path(name), k, fresh=True), killer)


if __name__ == "__main__":
    main()
