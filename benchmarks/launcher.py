"""Trials per minute of the local launcher with a trial that does nothing.

    python benchmarks/launcher.py [--trials 200] [--lanes CORES]

A trial is all that a real one is: an attempt recorded, a process of its own, its metrics and its log, a result, all of
it in a ledger on the disk. Beside it AutoGluon 0.1, which starts a process for each trial: 0.60 s each, measured on two
cores.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime

from windtunnel.definition.model import Definition
from windtunnel.host.machine import cores
from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import launch
from windtunnel.launchers.monitor import StageMonitor, wait
from windtunnel.ledger import Job, Ledger, Plan, Request, Spec, State
from windtunnel.stores import open_store

AUTOGLUON_COST = 0.60  # seconds a trial


@dataclass(frozen=True)
class Row:
    """What one run took, in seconds: a launch, until the first trial began, in all, and a trial on its lane."""

    workload: str
    trials: int
    lanes: int
    launch: float
    start: float
    wall: float
    cost: float

    def __str__(self) -> str:
        return (
            f"{self.workload:<22} {self.trials:>6} {self.lanes:>5} {self.launch * 1e3:>9.0f} {self.start:>10.2f} "
            f"{self.wall:>7.1f} {60 * self.trials / self.wall:>11.0f} "
            f"{self.cost:>9.3f} {60 * self.lanes / self.cost:>11.0f}"
        )


HEAD = (
    f"{'trial in a job':<22} {'trials':>6} {'lanes':>5} {'launch ms':>9} {'to first s':>10} "
    f"{'wall s':>7} {'trials/min':>11} {'s a trial':>9} {'steady /min':>11}"
)


def run(workload: str, trials: int, lanes: int, folder: str) -> Row:
    """One run of nothing but its overhead."""
    definition = Definition.model_validate(
        {
            "name": "nothing",
            "workload": workload,
            "space": {"n": {"type": "int", "low": 0, "high": trials}},
            "objectives": {"score": "maximize"},
            "limits": {"parallel": lanes},
        }
    )
    spec = Spec(definition=definition.model_dump(mode="json"), code="0")
    ledger = Ledger(open_store(folder), "nothing", workload.rpartition(".")[2]).write_spec(spec)
    ledger.begin({"definition": spec.definition, "code": spec.code})
    ledger.write_json("data/manifest.json", {"digest": "0", "files": {}, "splits": {}})
    requests = [
        ledger.begin_trial(Request(trial=f"{n:016x}-e1", config=f"{n:016x}", params={"n": n}, epochs=1, stage="1"))
        for n in range(trials)
    ]
    jobs = [
        Job(
            job=f"1-{lane}",
            stage="1",
            units=[request.trial for request in requests[lane::lanes]],
            lane=lane,
        )
        for lane in range(lanes)
    ]
    ledger.create_plan(Plan(stage="1", requests=requests, jobs=jobs))
    launcher = get_launcher("local")
    began = time.time()
    for job in jobs:
        launcher.launch(ledger, job)
    launched = time.time()
    wait(StageMonitor(ledger, launcher, "1").poll, lambda lost: launch(ledger, launcher, lost, print), 0.1)
    wall = time.time() - began
    outcomes = ledger.outcomes()
    assert all(outcome.state is State.COMPLETED for outcome in outcomes.values())
    starts = {trial: datetime.fromisoformat(outcome.started).timestamp() for trial, outcome in outcomes.items()}
    gaps = [
        later - earlier
        for job in jobs
        for earlier, later in zip(job.units, job.units[1:], strict=False)
        for earlier, later in [(starts[earlier], starts[later])]
    ]
    return Row(
        workload=workload.rpartition(".")[2].replace("_", " "),
        trials=trials,
        lanes=lanes,
        launch=(launched - began) / len(jobs),
        start=min(starts.values()) - began,
        wall=wall,
        cost=statistics.mean(gaps),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--lanes", type=int, default=cores())
    arguments = parser.parse_args()
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}\n\n{HEAD}")
    costs = []
    with tempfile.TemporaryDirectory(prefix="windtunnel-benchmark-") as folder:
        for workload in ("nothing", "nothing_without_torch"):
            row = run(f"benchmarks.workloads.{workload}", arguments.trials, arguments.lanes, folder)
            costs.append(row.cost)
            print(row)
    lanes = arguments.lanes
    print(
        f"{'AutoGluon 0.1':<22} {'':>6} {lanes:>5} {'':>9} {'':>10} {'':>7} {'':>11} "
        f"{AUTOGLUON_COST:>9.3f} {60 * lanes / AUTOGLUON_COST:>11.0f}"
    )
    print("\n`s a trial`: from one trial's start to the next one's on its lane.")
    print("`to first`: the job's own start, torch's import among it, paid once a job.")
    print(f"A trial costs {AUTOGLUON_COST / costs[0]:.1f} times less than AutoGluon's.")


if __name__ == "__main__":
    main()
