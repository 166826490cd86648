"""Gaussian processes over the space alone: the model of `pareto` without what it knows beyond the parameters."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from windtunnel.ledger import Trial
from windtunnel.section import Section
from windtunnel.strategies.base import Batch, Problem, Strategy
from windtunnel.strategies.pareto import Pareto


class Gp(Strategy):
    """Suggests the batch with the largest expected gain, learning every objective from the trials' values.

    Unlike `pareto` it takes no objective as known, learns nothing from known values, earlier epochs and failures, and
    begins with random trials.
    """

    class Options(Section):
        """How far to trust the model.

        Attributes:
            exploration: standard deviations that count of what is expected: 0 trusts the models' means alone.
        """

        exploration: Annotated[float, Field(ge=0, le=3)] = 1.0

    options: Options

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The n configurations that promise most together. See `Strategy.suggest`."""
        plain = Pareto.Options(
            exploration=self.options.exploration, exact=False, hints=False, spread=False, earlier=False, fitness=False
        )
        return Pareto(plain).suggest(problem, history, n, seed, iteration)
