"""Gaussian processes over the space alone: the model of `pareto` without what it knows beyond the parameters."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from windtunnel.ledger import Trial
from windtunnel.strategies.base import Batch, Problem, Strategy
from windtunnel.strategies.pareto import Pareto
from windtunnel.validation import StrictModel


class Gp(Strategy):
    """Suggests the batch with the largest expected gain, learning every objective from the trials' values.

    Unlike `pareto` it takes no objective as known, learns nothing from known values, earlier epochs and failures, and
    begins with random trials.
    """

    class Options(StrictModel):
        """How far to trust the model."""

        exploration: Annotated[float, Field(ge=0, le=3)] = 1.0
        """Standard deviations that count of what is expected: 0 trusts the models' means alone."""

    options: Options

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The n configurations that promise most together. See `Strategy.suggest`."""
        plain = Pareto.Options(
            exploration=self.options.exploration, exact=False, hints=False, spread=False, earlier=False, fitness=False
        )
        return Pareto(plain).suggest(problem, history, n, seed, iteration)
