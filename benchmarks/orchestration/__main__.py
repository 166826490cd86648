"""What many short trials cost: a search through Airflow, beside Ray Tune and Optuna.

    python -m benchmarks.orchestration [--trials 10000] [--slots 16] [--seconds 1] [--beside 1600]

Trials sleep for a second each, on sixteen slots of this machine. Ours is a whole search under Airflow's real scheduler,
from the trigger to the DAG run's end: prepared data, ten batches of random configurations, one finalist, the report.
Each trial has a process, a log, a curve and a result of its own. It runs once in full, then once more with as many
trials as the peers have. Those run in environments of their own, which `python -m benchmarks.orchestration.install`
makes: Ray Tune on a Ray with a core a slot, Optuna as sixteen processes that share a journal; both with random
configurations.

The floor is the time that the trials' sleep takes on all slots. `CPU` is the time of the processors, of all processes,
Airflow's start among it; `memory` the most that all of them held at once, shared pages counted once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environments import FOLDER, python_of
from benchmarks.orchestration.usage import Usage, measured

TARGET = 1.10  # times the floor
WORKERS = Path(__file__).parent / "workers"
PEERS = {  # by label: the environment, and its worker
    "Ray Tune": ("ray", "ray_peer.py"),
    "Optuna, 16 processes and a journal": ("optuna", "optuna_peer.py"),
}
HEAD = (
    f"{'':<36} {'trials':>7} {'wall s':>8} {'of floor':>9} {'trials/min':>11} "
    f"{'CPU s':>8} {'CPU ms a trial':>15} {'memory MiB':>11}"
)


def row(label: str, used: Usage, floor: float) -> str:
    """A line of the table."""
    trials, wall = used.result["trials"], used.result["seconds"]
    return (
        f"{label:<36} {trials:>7} {wall:>8.1f} {wall / floor:>9.2f} {60 * trials / wall:>11.0f} "
        f"{used.cpu:>8.0f} {1000 * used.cpu / max(trials, 1):>15.1f} {used.memory / 2**20:>11.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="of the whole search; 0 leaves it out")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0, help="that a trial sleeps")
    parser.add_argument("--beside", type=int, default=1600, help="trials beside the peers'; 0 leaves them out")
    parser.add_argument("--keep", type=Path, help="an empty folder for what the whole search leaves")
    given = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {given.slots} slots, trials of {given.seconds:g} s")
    print(f"\n{HEAD}", flush=True)

    def floor(trials: int) -> float:
        return trials * given.seconds / given.slots

    def measure(label: str, trials: int, *command: str | Path) -> Usage:
        used = measured([*command, str(trials), str(given.slots), str(given.seconds)])
        print(row(label, used, floor(trials)), flush=True)
        return used

    ours = (sys.executable, "-m", "benchmarks.orchestration.ours")
    missed = ""
    if given.trials:
        keep = ["--keep", given.keep] if given.keep else []
        whole = measure("Windtunnel, through Airflow", given.trials, *ours, *keep)
        reached = whole.result["seconds"] / floor(given.trials)
        if reached > TARGET:
            missed = f"{reached:.2f} times the floor; the target is {TARGET:.2f}."
    if given.beside:
        measure("Windtunnel, through Airflow", given.beside, *ours)
        for label, (environment, worker) in PEERS.items():
            python = python_of(environment)
            if python.exists():
                measure(label, given.beside, python.absolute(), "-W", "ignore", WORKERS / worker)
            else:
                print(f"{label:<36} left out: there is no environment {environment} in {FOLDER}")
    print("\n" + (missed or "The target is reached." if given.trials else "The whole search was left out."))


if __name__ == "__main__":
    main()
