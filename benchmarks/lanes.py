"""How busy lanes are in a real run, beside what the simulation gives for the same trials.

    python -m benchmarks.lanes [--trials 200] [--lanes 8] [--mean 10] [--turn 5]

A continuous search under Airflow's real scheduler, whose trials sleep as long as networks of mnist_cnn would take to
train, scaled to `--mean` seconds. The simulation is `benchmarks.utilisation`'s, with the run's own plans and times.
"""

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.utilisation import NOISE, SEARCH, Simulation, networks
from tests.airflow.standalone import Standalone
from windtunnel.definition import Definition, load_definition
from windtunnel.ledger import Ledger
from windtunnel.report import collect
from windtunnel.stores import open_store

NAME = "lanes"
TARGET = 0.95  # of what the simulation gives
_DAGS = 'from windtunnel_airflow import load_searches  # airflow dag\n\nload_searches("../searches", globals())\n'


def fields(trials: int, lanes: int, mean: float, seed: int = 0) -> dict[str, Any]:
    """The search's definition."""
    drawn = networks(load_definition(SEARCH), random.Random(seed))
    work = [request.cost for request in itertools.islice(drawn, trials)]
    second, rng = mean / statistics.mean(work), random.Random(-seed - 1)
    return {
        "workload": "benchmarks.workloads.mix",
        "settings": {"work": work, "seconds": [each * second * rng.lognormvariate(0, NOISE) for each in work]},
        "space": {"n": {"type": "int", "low": 0, "high": trials - 1}},
        "objectives": {"score": "maximize"},
        "strategy": {"name": "random"},
        "continuous": True,
        "limits": {"parallel": lanes, "trials": trials},
        "epochs": {"partial": 1, "full": 1},
        "finalists": {"max": 1},
    }


def perform(folder: Path, definition: Mapping[str, Any], patience: float, search: str = NAME) -> tuple[Ledger, float]:
    """Run a search's DAG once under Airflow's scheduler.

    Args:
        folder: for all that the run needs, empty.
        definition: its fields.
        patience: seconds that it may take.
        search: its name.

    Returns:
        The run's ledger, and the seconds from the trigger to the DAG run's end.
    """
    for name in ("dags", "searches"):
        (folder / name).mkdir()
    (folder / "searches" / f"{search}.yaml").write_text(yaml.safe_dump(dict(definition)))
    (folder / "dags" / "searches.py").write_text(_DAGS)
    with Standalone(folder / "airflow", folder / "dags", folder / "runs") as airflow:
        run = airflow.trigger(search)
        began = time.monotonic()
        state = airflow.wait(search, run, patience, pause=1.0)  # each question costs the machine some time
        seconds = time.monotonic() - began
    ledger = Ledger(open_store(str(folder / "runs")), search, run)
    if state != "success":
        raise SystemExit(f"{ledger.url}: {state}: {collect(ledger).failure}")
    return ledger, seconds


def measured(ledger: Ledger, lanes: int) -> float:
    """The share of the lanes' time that the search's trials took, from the first start to the last end."""
    results = [trial.result for trial in collect(ledger).trials if trial.result is not None]
    starts = [datetime.fromisoformat(result.started).timestamp() for result in results]
    ends = [start + result.seconds for start, result in zip(starts, results, strict=True)]
    return sum(result.seconds for result in results) / (lanes * (max(ends) - min(starts)))


def simulated(ledger: Ledger, definition: Definition, turn: float) -> float:
    """What the simulation gives for the run's own trials, as they were suggested."""
    seconds = definition.settings["seconds"]
    source = iter([trial.request for trial in collect(ledger).trials])
    return Simulation(
        definition,
        lambda request: float(seconds[request.params["n"]]),
        lambda n: list(itertools.islice(source, n)),
        turn,
    ).busy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--mean", type=float, default=10.0, help="seconds of a trial, on average")
    parser.add_argument("--turn", type=float, default=5.0, help="seconds of Airflow's, for the simulation")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windtunnel-lanes-") as folder:
        wanted = fields(given.trials, given.lanes, given.mean)
        ledger, _ = perform(Path(folder), wanted, 600 + 20 * given.trials * given.mean / given.lanes)
        definition = Definition.model_validate({"name": NAME} | wanted)
        busy, expected = measured(ledger, given.lanes), simulated(ledger, definition, given.turn)
    print(f"{given.trials} trials of {given.mean:g} s on {given.lanes} lanes: busy {busy:.1%}.")
    print(f"The simulation gives {expected:.1%} with turns of {given.turn:g} s: {busy / expected:.1%} of it.")
    print("The target is reached." if busy >= TARGET * expected else f"The target is {TARGET:.0%}.")


if __name__ == "__main__":
    main()
