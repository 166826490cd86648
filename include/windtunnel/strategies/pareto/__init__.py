"""The default strategy: models of what only training can tell, exact about all that is known before."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from windtunnel.ledger import Trial
from windtunnel.strategies.base import Batch, Problem, Strategy
from windtunnel.validation import StrictModel


class Pareto(Strategy):
    """Suggests the batch that should add most to the front's hypervolume, or to one objective's best value.

    The first trials are spread over the objectives known before training and over the space. From then on a Gaussian
    process for each objective that must be trained for weighs the candidates: all of a small space, else what is bred
    from the best. See `docs/strategies.md` for the ingredients and for what each of them contributes.
    """

    class Options(StrictModel):
        """Each ingredient can be left out, to see what it contributes."""

        initial: Annotated[int, Field(ge=2)] | None = None
        """Trials before the models, at least, half of which must have ended; by default 2 and one a parameter, 10 at
        most."""
        exploration: Annotated[float, Field(ge=0, le=3)] = 1.0
        """Standard deviations that count of what is expected: 0 trusts the models' means alone."""
        exact: bool = True
        """Whether objectives known before training are taken as known rather than learnt."""
        hints: bool = True
        """Whether values known before training help to predict those that are trained for."""
        spread: bool = True
        """Whether the first trials are spread out rather than random."""
        warp: bool = True
        """Whether values are made nearly Gaussian by the likeliest of some logarithms."""
        additive: bool = True
        """Whether the models have an additive term."""
        ensemble: bool = True
        """Whether models with the additive term and without it are averaged, where either may be right."""
        earlier: bool = True
        """Whether values after fewer epochs are learnt from."""
        fitness: bool = True
        """Whether failures and broken constraints are learnt from."""

    options: Options

    def load(self) -> None:
        """Import the models, and scipy, which takes a second."""
        from windtunnel.strategies.pareto import acquisition  # noqa: F401

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The n configurations that promise most together. See `Strategy.suggest`."""
        # Definitions are checked where numpy need not be loaded: in Airflow's DAG processor.
        from threadpoolctl import threadpool_limits

        from windtunnel.strategies.pareto.search import Search

        # More threads gain nothing on matrices this small, and would round sums differently from machine to machine.
        with threadpool_limits(limits=1):
            return Search(problem.asked_once(), history, self.options, seed, iteration).batch(n)

    def expected(self, problem: Problem, history: Sequence[Trial], seed: int) -> list[Mapping[str, float]]:
        """The models' means. See `Strategy.expected`."""
        from threadpoolctl import threadpool_limits

        from windtunnel.strategies.pareto.search import Search

        with threadpool_limits(limits=1):
            return Search(problem.asked_once(), history, self.options, seed, 0).expected(history)
