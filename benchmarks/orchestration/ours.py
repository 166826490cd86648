"""Trials that sleep, by a search under Airflow's real scheduler: `ours.py TRIALS SLOTS SECONDS` prints what it took."""

import argparse
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.lanes import perform
from windtunnel.ledger import State
from windtunnel.report import collect

NAME = "orchestration"
_BATCHES = 10  # that the trials are suggested in
_PATIENCE = 4.0  # times the floor, and ten minutes


def fields(trials: int, slots: int, seconds: float) -> dict[str, Any]:
    """The search's definition: one lane with so many slots, as one machine has."""
    batch = max(4 * slots, -(-trials // _BATCHES))
    return {
        "workload": "benchmarks.workloads.sleep",
        "settings": {"seconds": seconds},
        "space": {"n": {"type": "float", "low": 0, "high": 1}},
        "objectives": {"score": "maximize"},
        "strategy": {"name": "random"},
        "continuous": True,
        "trials": {"initial": min(batch, trials), "per_iteration": batch, "ahead": batch // 2},
        "limits": {"parallel": 1, "slots": slots, "trials": trials, "threads": 1},
        "epochs": {"partial": 1, "full": 1},
        "finalists": {"max": 1},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int)
    parser.add_argument("slots", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--keep", type=Path, help="an empty folder for all that the run leaves")
    given = parser.parse_args()
    patience = 600 + _PATIENCE * given.trials * given.seconds / given.slots
    with tempfile.TemporaryDirectory(prefix="windtunnel-orchestration-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        ledger, took = perform(folder, fields(given.trials, given.slots, given.seconds), patience, NAME)
        trials = [trial for trial in collect(ledger).trials if trial.request.stage.is_iteration]
        searched = [trial.result for trial in trials if trial.result is not None]
        starts = [datetime.fromisoformat(result.started).timestamp() for result in searched]
        ends = [start + result.seconds for start, result in zip(starts, searched, strict=True)]
    result = {
        "trials": sum(result.state is State.COMPLETED for result in searched),
        "seconds": took,
        "searching": max(ends) - min(starts),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
