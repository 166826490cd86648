"""NSGA-II, without generations: it breeds from the best of all that was ever seen."""

import random
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from windtunnel.ledger import Trial
from windtunnel.objectives.front import fittest
from windtunnel.strategies.base import Batch, Problem, Strategy, generator
from windtunnel.strategies.builder import BatchBuilder
from windtunnel.validation import StrictModel

_PARENTS = 10  # few, for the front of the whole history is a choice already
_TRIES = 30  # for each child, before random configurations fill the batch


class NSGA2(Strategy):
    """Breeds by tournaments of front rank and crowding.

    After Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002, but the population is the
    best of the whole history and not of the last generation, nothing is suggested twice, and children that break
    constraints known before training are repaired.
    """

    class Options(StrictModel):
        """How it breeds."""

        population: Annotated[int, Field(ge=2)] | None = None
        """How many parents there are; by default 10, and with more than two objectives 10 more for each."""
        crossover_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
        """Of a child to have two parents."""
        mutation_probability: Annotated[float, Field(ge=0, le=1)] | None = None
        """Of each gene of a child to change; by default one in as many as there are."""

    options: Options

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """Breed n new configurations; random ones where there are no two parents yet. See `Strategy.suggest`."""
        rng = generator(seed, iteration)
        builder = BatchBuilder(problem, history, rng)
        population = self.options.population or _PARENTS * max(1, len(problem.objectives) - 1)
        parents = fittest(builder.trained, problem.objectives)[:population]
        for _ in range(_TRIES * n if len(parents) > 1 else 0):
            if len(builder.suggestions) == n:
                break
            self._breed(builder, problem, parents, rng)
        return builder.batch(n)

    def _breed(self, builder: BatchBuilder, problem: Problem, parents: list[Trial], rng: random.Random) -> None:
        """Offer one child, whether it is taken or not."""
        first, second = _winner(parents, rng), _winner(parents, rng)
        child, origins, how = first.params, [first.config], "mutation"
        if first.config != second.config and rng.random() < self.options.crossover_probability:
            child = problem.space.crossover(first.params, second.params, rng)
            origins, how = [first.config, second.config], "crossover"
        rate = self.options.mutation_probability
        if rate is None:
            rate = 1 / max(1, problem.space.genes(child))
        child = problem.space.mutate(child, rng, rate)
        builder.offer(problem.repaired(child, rng), origins, **{"from": how})


def _winner(parents: list[Trial], rng: random.Random) -> Trial:
    """The better of two, the parents being in order."""
    return parents[min(rng.randrange(len(parents)), rng.randrange(len(parents)))]
