"""Evolutionary Pareto search, after Archai's `EvolutionParetoSearch`, with its faults mended."""

import random
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, NonNegativeInt

from windtunnel.ledger import Trial
from windtunnel.objectives.front import pareto_front
from windtunnel.strategies.base import Batch, Problem, Strategy, generator
from windtunnel.strategies.builder import BatchBuilder
from windtunnel.validation import StrictModel

_MUTANT_TRIES = 20
_CHILD_TRIES = 30


class EvolutionPareto(Strategy):
    """Breeds from the Pareto front of all that was seen: mutants of its members, children of pairs, random newcomers.

    Unlike Archai's: nothing is suggested twice, a mutant always differs from its parent and a child from both of its
    two different parents, failures are never bred from, and the seed decides everything.
    """

    class Options(StrictModel):
        """What a batch is made of, before it is cut or filled up with random configurations to the number asked for."""

        num_random_mix: NonNegativeInt = 5
        """Random newcomers."""
        num_crossovers: NonNegativeInt = 5
        """Children of two members of the front."""
        mutations_per_parent: NonNegativeInt = 1
        """Mutants of each member of the front."""
        mutation_probability: Annotated[float, Field(ge=0, le=1)] = 0.3
        """Of each parameter of a mutant to change; one at least does."""

    options: Options

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """Breed n new configurations; random ones where there is no front yet. See `Strategy.suggest`."""
        rng = generator(seed, iteration)
        builder = BatchBuilder(problem, history, rng)
        parents = pareto_front(builder.trained, problem.objectives)
        if parents:
            self._mutate(builder, problem, parents, rng)
            self._cross(builder, problem, parents, rng)
            builder.fill(len(builder.suggestions) + min(self.options.num_random_mix, n))
        return builder.batch(n)

    def _mutate(self, builder: BatchBuilder, problem: Problem, parents: list[Trial], rng: random.Random) -> None:
        for parent in parents * self.options.mutations_per_parent:
            for _ in range(_MUTANT_TRIES):
                mutant = problem.space.mutate(parent.params, rng, self.options.mutation_probability)
                if builder.offer(mutant, [parent.config], **{"from": "mutation"}):
                    break

    def _cross(self, builder: BatchBuilder, problem: Problem, parents: list[Trial], rng: random.Random) -> None:
        for _ in range(self.options.num_crossovers if len(parents) > 1 else 0):
            for _ in range(_CHILD_TRIES):
                first, second = rng.sample(parents, 2)
                child = problem.space.crossover(first.params, second.params, rng)
                if builder.offer(child, [first.config, second.config], **{"from": "crossover"}):
                    break
