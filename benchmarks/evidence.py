"""What `pareto` makes of late trials, lower rungs, failures and an earlier search, on curves of real trainings.

    python -m benchmarks.evidence [--seeds 40]

Searches among the networks of `benchmarks/curves/digits_cnn.json` (made by `benchmarks/curves/train.py`): accuracy and
the logarithm of FLOPs, which are known before; batches of 8. A line is the hypervolume of what was trained to the last
epoch, in % of that of all networks, after so many suggestions, mean ± standard deviation over the seeds:

- late trials: every other trial of a batch ends an iteration late, and has reported a third of its epochs until then;
- rungs: trials are trained for three epochs, and the fitter half of each batch goes on to the last one;
- failures: networks that end below 30 % accuracy have no values, as if they had crashed;
- an earlier search: 16 networks drawn at random are known from the start, and count in the hypervolume.
"""

import argparse
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from benchmarks import stopping
from windtunnel.ledger import State
from windtunnel.objectives.front import fittest, hypervolume, reference_point
from windtunnel.space import Params, Space
from windtunnel.strategies import Problem, Trial, get_strategy

OBJECTIVES = stopping.PROBLEMS["accuracy and FLOPs"]
BATCH, MARKS = 8, (16, 24, 32, 40)
FIRST_RUNG = 3  # epochs
CRASHED = 0.3  # accuracy below which a network counts as crashed, where failures are wanted


class Networks:
    """A custom space: the networks, by their places in the file."""

    def values(self) -> list[int]:
        """All of them."""
        return list(range(len(networks())))

    def sample(self, rng: random.Random) -> int:
        """Any of them."""
        return rng.choice(self.values())

    def mutate(self, value: int, rng: random.Random) -> int:
        """Any of them: all are weighed anyway."""
        return self.sample(rng)

    def crossover(self, first: int, second: int, rng: random.Random) -> int:
        """One of the two."""
        return rng.choice([first, second])

    def features(self, value: int) -> list[float]:
        """The parameters, each from 0 to 1."""
        params = networks()[value].params
        return [
            params["nb_layers"] / 5,
            params["kernel_size"] / 5,
            math.log2(params["hidden_dim"] / 4) / 3,
            (math.log10(params["lr"]) + 4) / 3.5,
            math.log2(params["batch_size"] / 32) / 2,
        ]


@lru_cache
def networks() -> list[stopping.Network]:
    """The networks of the file."""
    return stopping.load()


def after(params: Params, epochs: int) -> dict[str, float]:
    """The objectives after so many epochs."""
    return stopping.after(networks()[params["network"]], epochs).objectives


def known(params: Params) -> dict[str, float]:
    """What is known before training."""
    return {"flops": after(params, 1)["flops"]}


EPOCHS = len(networks()[0].accuracy)


@dataclass(frozen=True)
class Circumstances:
    """How trials go.

    Attributes:
        late: whether every other trial of a batch ends an iteration late.
        rungs: whether only the fitter half of a batch is trained beyond the first rung.
        failures: whether networks that end badly have no values.
        before: how many networks an earlier search has trained.
    """

    late: bool = False
    rungs: bool = False
    failures: bool = False
    before: int = 0


def search(circumstances: Circumstances, seed: int, options: dict[str, Any]) -> list[Trial]:
    """All trials of one search, as they were in the end; those of an earlier search first."""
    space = Space.parse({"network": {"type": "benchmarks.evidence.Networks"}})
    problem = Problem(space, OBJECTIVES, {}, known)
    strategy = get_strategy("pareto", options)
    drawn = random.Random(seed).sample(range(len(networks())), circumstances.before)
    ended = [trained({"network": network}, circumstances) for network in drawn]
    for iteration in range(1, MARKS[-1] // BATCH + 1):
        # Of the batch before, every other trial is still at work.
        late = range(len(ended) - BATCH, len(ended), 2) if circumstances.late and iteration > 1 else range(0)
        history = [reporting(one) if place in late else one for place, one in enumerate(ended)]
        batch = [
            trained(one.params, circumstances)
            for one in strategy.suggest(problem, history, BATCH, seed, iteration).suggestions
        ]
        ended += promoted(batch) if circumstances.rungs else batch
    return ended


def trained(params: Params, circumstances: Circumstances) -> Trial:
    """A trial of all epochs."""
    values = after(params, EPOCHS)
    crashed = circumstances.failures and values["accuracy"] < CRASHED
    return _trial(params, {} if crashed else values, EPOCHS, State.FAILED if crashed else State.COMPLETED)


def _trial(params: Params, values: dict[str, float], epochs: int, state: State = State.COMPLETED) -> Trial:
    config = f"{params['network']:016x}"
    return Trial.of(params, config, state=state, objectives=values, known=known(params), epochs=epochs)


def reporting(whole: Trial) -> Trial:
    """The trial when a third of its epochs were done."""
    return replace(whole, result=None, earlier={EPOCHS // 3: after(whole.params, EPOCHS // 3)})


def promoted(batch: Sequence[Trial]) -> list[Trial]:
    """The batch after the first rung, its fitter half after the last epoch."""
    low = [_trial(one.params, after(one.params, FIRST_RUNG), FIRST_RUNG) for one in batch]
    best = {one.config for one in fittest(low, OBJECTIVES)[: len(low) // 2]}
    return [
        replace(whole, earlier={FIRST_RUNG: rung.objectives}) if rung.config in best else rung
        for whole, rung in zip(batch, low, strict=True)
    ]


@lru_cache
def truth(circumstances: Circumstances) -> tuple[list[float], float]:
    """The reference point of all networks that can be trained, and their hypervolume."""
    every = [trained({"network": network}, circumstances) for network in range(len(networks()))]
    good = [one for one in every if one.objectives]
    reference = reference_point(good, OBJECTIVES)
    return reference, hypervolume(good, OBJECTIVES, reference)


def share(trials: Sequence[Trial], circumstances: Circumstances) -> float:
    """The hypervolume of what was trained to the last epoch, in % of all networks' that can be."""
    reference, most = truth(circumstances)
    whole = [one for one in trials if one.objectives and one.epochs == EPOCHS]
    return 100 * hypervolume(whole, OBJECTIVES, reference) / most


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure what pareto makes of what is not a plain result.")
    parser.add_argument("--seeds", type=int, default=40)
    seeds = range(parser.parse_args().seeds)
    print(f"{len(networks())} networks of {EPOCHS} epochs, {len(seeds)} seeds")
    print(f"| | {' | '.join(map(str, MARKS))} | failed |\n|---{'|---' * (len(MARKS) + 1)}|")
    for title, (circumstances, options) in LINES.items():
        searches = [search(circumstances, seed, options) for seed in seeds]
        cells = [title]
        for mark in MARKS:
            shares = [share(trials[: circumstances.before + mark], circumstances) for trials in searches]
            cells.append(f"{statistics.mean(shares):.2f}±{statistics.pstdev(shares):.2f}")
        failed = statistics.mean(sum(one.state is State.FAILED for one in trials) / len(trials) for trials in searches)
        print(f"| {' | '.join(cells)} | {failed:.0%} |", flush=True)


LINES: dict[str, tuple[Circumstances, dict[str, Any]]] = {
    "all trials end in time": (Circumstances(), {}),
    "late trials": (Circumstances(late=True), {}),
    "late trials, without `earlier`": (Circumstances(late=True), {"earlier": False}),
    "rungs": (Circumstances(rungs=True), {}),
    "rungs, without `earlier`": (Circumstances(rungs=True), {"earlier": False}),
    "failures": (Circumstances(failures=True), {}),
    "failures, without `fitness`": (Circumstances(failures=True), {"fitness": False}),
    "after an earlier search": (Circumstances(before=16), {}),
}

if __name__ == "__main__":
    main()
