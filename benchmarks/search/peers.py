"""The searchers of other projects, each asked for batches and told what came of them.

A searcher is called with the number wanted, and then `tell` gets genes and values. Peers keep their state between
batches, which is the best case for them; peers that suggest what they have seen already are told the same values again,
and the trial counts.
"""

import random
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from benchmarks.search.table import LAYERS, OPERATIONS

CHOICES = len(OPERATIONS)
Genes = tuple[int, ...]
Values = tuple[float, float]


class Searcher(Protocol):
    def ask(self, n: int) -> list[Genes]: ...

    def tell(self, suggestions: Sequence[Genes], values: Sequence[Values]) -> None: ...


class Optuna:
    """A live study with one of Optuna's samplers."""

    def __init__(self, sampler: str, seed: int, batch: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        samplers: dict[str, Any] = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
            "nsga2": lambda: optuna.samplers.NSGAIISampler(population_size=min(max(batch, 20), 50), seed=seed),
        }
        self._study = optuna.create_study(directions=["minimize", "minimize"], sampler=samplers[sampler]())
        self._space = {
            f"layer_{i}": optuna.distributions.CategoricalDistribution(range(CHOICES)) for i in range(LAYERS)
        }

    def ask(self, n: int) -> list[Genes]:
        self._trials = [self._study.ask(self._space) for _ in range(n)]
        return [tuple(trial.params[name] for name in self._space) for trial in self._trials]

    def tell(self, suggestions: Sequence[Genes], values: Sequence[Values]) -> None:
        for trial, pair in zip(self._trials, values, strict=True):
            self._study.tell(trial, pair)


class Pymoo:
    """pymoo's NSGA-II over whole numbers, as its documentation sets it up."""

    def __init__(self, seed: int, batch: int) -> None:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling

        self._algorithm = NSGA2(
            pop_size=max(batch, 20),
            n_offsprings=batch,
            sampling=IntegerRandomSampling(),
            crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            eliminate_duplicates=True,
        )
        problem = Problem(n_var=LAYERS, n_obj=2, xl=0, xu=CHOICES - 1, vtype=int)
        self._algorithm.setup(problem, termination=("n_gen", 10_000), seed=seed, verbose=False)
        self._waiting: list[Genes] = []
        self._told: list[Values] = []

    def ask(self, n: int) -> list[Genes]:
        if not self._waiting:  # a generation; the first is a whole population, whatever the batch
            self._generation = self._algorithm.ask()
            self._waiting = [tuple(int(gene) for gene in genes) for genes in self._generation.get("X")]
            self._told = []
        suggestions, self._waiting = self._waiting[:n], self._waiting[n:]
        return suggestions

    def tell(self, suggestions: Sequence[Genes], values: Sequence[Values]) -> None:
        self._told += values
        if not self._waiting:
            self._generation.set("F", np.array(self._told))
            self._algorithm.tell(infills=self._generation)


class Archai:
    """Archai's EvolutionParetoSearch as its last working version performs it, by description.

    Per iteration: of each member of the front up to 20 tries for one unseen mutant, each gene drawn anew with
    probability 0.3; 5 crossovers of random pairs, up to 30 tries each, dropped if seen; 5 random ones; shuffled, cut.
    """

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._seen: dict[Genes, Values] = {}

    def ask(self, n: int) -> list[Genes]:
        if not self._seen:
            return [self._random() for _ in range(n)]
        front = self._front()
        unseen = [self._mutant(parent) for parent in front] + [self._child(front) for _ in range(5)]
        batch = [genes for genes in unseen if genes is not None] + [self._random() for _ in range(5)]
        self._rng.shuffle(batch)
        return batch[:n]

    def tell(self, suggestions: Sequence[Genes], values: Sequence[Values]) -> None:
        self._seen |= dict(zip(suggestions, values, strict=True))

    def _random(self) -> Genes:
        return tuple(self._rng.randrange(CHOICES) for _ in range(LAYERS))

    def _mutant(self, parent: Genes) -> Genes | None:
        for _ in range(20):
            genes = tuple(self._rng.randrange(CHOICES) if self._rng.random() < 0.3 else gene for gene in parent)
            if genes not in self._seen:
                return genes
        return None

    def _child(self, front: list[Genes]) -> Genes | None:
        if len(front) < 2:
            return None
        first, second = self._rng.sample(front, 2)
        genes = tuple(self._rng.choice(pair) for pair in zip(first, second, strict=True))
        return None if genes in self._seen else genes

    def _front(self) -> list[Genes]:
        best: list[Genes] = []
        lowest = float("inf")
        for genes, (error, _) in sorted(self._seen.items(), key=lambda one: (one[1][1], one[1][0])):
            if error < lowest:
                lowest = error
                best.append(genes)
        return best


PEERS = ("optuna tpe", "optuna nsga2", "pymoo nsga2", "archai")


def peer(name: str, seed: int, batch: int) -> Searcher:
    """The searcher of that name."""
    if name.startswith("optuna"):
        return Optuna(name.split()[1], seed, batch)
    return Pymoo(seed, batch) if name.startswith("pymoo") else Archai(seed)
