"""How many epochs early stopping saves at an equal final front, on learning curves of real trainings.

    python benchmarks/stopping.py [--seeds 20] [--configurations 80]

Replays `benchmarks/curves/digits_cnn.json` (made by `benchmarks/curves/train.py`) through the very functions that a
search uses, `rung_decisions` and `judgements` of `windtunnel.stopping`. For each seed some of the
configurations come in a random order:

- rules: on 8 lanes; a trial reports after each epoch, and is compared with all that have come so far;
- halving: 16 new configurations an iteration, promotion between them, and at the end iterations that only promote.

A trial's accuracy is its best so far, as with `objective_at: best`. What is then on the front, each configuration as
far as it came, is trained to the last epoch, as finalists are; those epochs count. `front` is the hypervolume of all
that was trained to the last epoch, of the hypervolume without stopping, over accuracy and the logarithm of FLOPs (for
else the costliest networks are nearly all of it); `members` is the share of the true front that is among them.
"""

import argparse
import json
import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windtunnel.definition.early_stopping import EarlyStopping
from windtunnel.objectives.front import hypervolume, pareto_front, reference_point
from windtunnel.stopping.halving import rung_decisions
from windtunnel.stopping.rules import judgements

CURVES = Path(__file__).with_name("curves") / "digits_cnn.json"
LANES = 8
BATCH = 16
EQUAL = (99.99, 99.9)  # % of the hypervolume without stopping, which count as an equal front

PROBLEMS = {
    "accuracy and FLOPs": {"accuracy": "maximize", "flops": "minimize"},
    "accuracy alone": {"accuracy": "maximize"},
}
SETTINGS: dict[str, list[dict[str, object]]] = {
    "none": [{}],
    "halving": [
        {"halving": {"rungs": rungs, "factor": factor}}
        for rungs, factor in (
            ([1, 3, 9], 3),
            ([3, 9], 3),
            ([3, 9], 2),
            ([3, 9], 1.5),
            ([6], 3),
            ([9], 6),
            ([9], 3),
            ([9], 2),
        )
    ],
    "median": [{"median": {"delay_evaluation": delay}} for delay in (1, 3, 5, 9, 12, 15)],
    "bandit": [
        {"bandit": {"slack_factor": slack, "delay_evaluation": delay}}
        for slack, delay in ((0.05, 3), (0.2, 3), (0.05, 9), (0.2, 9), (1.0, 9))
    ],
    "truncation": [
        {"truncation": {"truncation_percentage": share, "evaluation_interval": 3, "delay_evaluation": delay}}
        for share, delay in ((10, 3), (30, 3), (30, 9))
    ],
}


@dataclass(frozen=True)
class Network:
    """A configuration with its whole curve."""

    config: str
    flops: float
    accuracy: tuple[float, ...]
    params: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class At:
    """A network after some epochs."""

    network: Network
    epochs: int
    objectives: dict[str, float] = field(hash=False, compare=False)
    violation: float = 0.0

    @property
    def config(self) -> str:
        """The configuration's id."""
        return self.network.config

    @property
    def trial(self) -> str:
        """The trial's id."""
        return f"{self.config}-e{self.epochs}"


Reached = dict[Network, int]  # how far each was trained


def after(network: Network, epochs: int) -> At:
    """The network after so many epochs."""
    return At(network, epochs, {"accuracy": max(network.accuracy[:epochs]), "flops": math.log10(network.flops)})


def by_rules(early: EarlyStopping, networks: Sequence[Network], _: Mapping[str, str]) -> Reached:
    """Train on lanes, side by side; each trial is asked about after each epoch but the last."""
    waiting, running = list(networks), dict[Network, int]()
    reached: Reached = {}
    while waiting or running:
        while waiting and len(running) < LANES:
            running[waiting.pop(0)] = 0
        for network in running:
            running[network] += 1
            reached[network] = running[network]
        for network, epochs in list(running.items()):
            others = [other.accuracy[:done] for other, done in reached.items() if other is not network]
            whole = epochs == len(network.accuracy)
            if whole or any(one.stop for one in judgements(early, network.accuracy[:epochs], others, "maximize")):
                del running[network]
    return reached


def by_halving(early: EarlyStopping, networks: Sequence[Network], objectives: Mapping[str, str]) -> Reached:
    """Iterations of new configurations and promoted ones."""
    assert early.halving is not None
    rungs = early.halving.epochs(len(networks[0].accuracy))
    at: dict[float, list[At]] = {rung: [] for rung in rungs}
    by_trial: dict[str, At] = {}
    begun: set[tuple[str, float]] = set()
    promoted: dict[str, float] = {}
    waiting = list(networks)
    while waiting or promoted:
        batch, waiting = waiting[:BATCH], waiting[BATCH:]
        requests = [(network, rungs[0]) for network in batch]
        requests += [(by_trial[trial].network, epochs) for trial, epochs in promoted.items()]
        for network, epochs in requests:
            trial = after(network, int(epochs))
            by_trial[trial.trial] = trial
            at[epochs].append(trial)
            begun.add((network.config, epochs))
        places = rung_decisions(rungs, at, begun, early.halving.factor, objectives)
        promoted = {trial: epochs for trial, epochs, _ in places if epochs is not None}
    return {trial.network: int(rung) for rung in rungs for trial in at[rung]}


@dataclass(frozen=True)
class Outcome:
    """What came of one seed, in %: epochs saved, the front's hypervolume, and its members that were found."""

    saved: float
    front: float
    members: float


def measure(reached: Reached, networks: Sequence[Network], objectives: Mapping[str, str]) -> Outcome:
    """Train what is on the front to the end, and hold the result against no stopping at all."""
    whole = len(networks[0].accuracy)
    seen = pareto_front([after(network, epochs) for network, epochs in reached.items()], objectives)
    reached = reached | {one.network: whole for one in seen}
    truth = [after(network, whole) for network in networks]
    trained = [after(network, whole) for network, epochs in reached.items() if epochs == whole]
    reference = reference_point(truth, objectives)
    volumes = [hypervolume(trials, objectives, reference) for trials in (trained, truth)]
    front = {one.network for one in pareto_front(truth, objectives)}
    members = len(front & {one.network for one in trained}) / len(front)
    saved = 1 - sum(reached.values()) / (whole * len(networks))
    return Outcome(100 * saved, 100 * (volumes[0] / volumes[1]), 100 * members)


def load() -> list[Network]:
    """The networks of the benchmark file."""
    content = json.loads(CURVES.read_text())
    return [
        Network(
            f"{place:016x}", one["flops"], tuple(right / content["images"] for right in one["right"]), one["params"]
        )
        for place, one in enumerate(content["configurations"])
    ]


def main() -> None:
    """Print a table for each problem, and what is saved at an equal front."""
    parser = argparse.ArgumentParser(description="Measure what early stopping saves, on curves of real trainings.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--configurations", type=int, default=80, help="of each seed")
    options = parser.parse_args()
    networks = load()
    size = min(options.configurations, len(networks))
    orders = [random.Random(seed).sample(networks, size) for seed in range(options.seeds)]
    print(f"{size} of {len(networks)} networks of {len(networks[0].accuracy)} epochs, {options.seeds} seeds; in %")
    for title, objectives in PROBLEMS.items():
        print(f"\n{title}\n{'':52} epochs saved        front      members")
        saved: dict[float, dict[str, float]] = {level: {} for level in EQUAL}
        for name, settings in SETTINGS.items():
            replay: Callable[..., Reached] = by_halving if name == "halving" else by_rules
            for setting in settings:
                early = EarlyStopping.model_validate(setting)
                outcomes = [measure(replay(early, order, objectives), order, objectives) for order in orders]
                columns = [[getattr(one, what) for one in outcomes] for what in ("saved", "front", "members")]
                means = [f"{statistics.mean(column):6.2f}±{statistics.pstdev(column):5.2f}" for column in columns]
                print(f"{_label(name, setting):52} {'  '.join(means)}", flush=True)
                for level in EQUAL:
                    if statistics.mean(columns[1]) >= level:
                        saved[level][name] = max(saved[level].get(name, 0.0), statistics.mean(columns[0]))
        for level, best in saved.items():
            savings = ", ".join(f"{name} {best[name]:.0f}" if name in best else f"{name} never" for name in SETTINGS)
            print(f"epochs saved at {level:g} % of the front's hypervolume on average, by the best setting: {savings}")


def _label(name: str, setting: dict[str, object]) -> str:
    inner = setting.get(name)
    return f"{name} {', '.join(f'{key} {value}' for key, value in inner.items())}" if isinstance(inner, dict) else name


if __name__ == "__main__":
    main()
