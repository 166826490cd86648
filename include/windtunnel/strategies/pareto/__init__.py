"""The default strategy: models of what only training can tell, exact about all that is known before."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from windtunnel.ledger import Trial
from windtunnel.section import Section
from windtunnel.strategies.base import Batch, Problem, Strategy


class Pareto(Strategy):
    """Suggests the batch that should add most to the front's hypervolume, or to one objective's best value.

    The first trials are spread over the objectives known before training and over the space. From then on a Gaussian
    process for each objective that must be trained for weighs the candidates: all of a small space, else what is bred
    from the best. See `docs/strategies.md` for the ingredients and for what each of them contributes.
    """

    class Options(Section):
        """Each ingredient can be left out, to see what it contributes.

        Attributes:
            initial: trials before the models, at least; by default 5 and one a parameter, 20 at most.
            exploration: standard deviations that count of what is expected: 0 trusts the models' means alone.
            exact: whether objectives known before training are taken as known rather than learnt.
            hints: whether values known before training help to predict those that are trained for.
            spread: whether the first trials are spread out rather than random.
            warp: whether values are made nearly Gaussian by the likeliest of some logarithms.
            additive: whether the models have an additive term.
            ensemble: whether models with the additive term and without it are averaged, where either may be right.
            earlier: whether values after fewer epochs are learnt from.
            fitness: whether failures and broken constraints are learnt from.
        """

        initial: Annotated[int, Field(ge=2)] | None = None
        exploration: Annotated[float, Field(ge=0, le=3)] = 1.0
        exact: bool = True
        hints: bool = True
        spread: bool = True
        warp: bool = True
        additive: bool = True
        ensemble: bool = True
        earlier: bool = True
        fitness: bool = True

    options: Options

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The n configurations that promise most together. See `Strategy.suggest`."""
        # Definitions are checked where numpy need not be loaded: in Airflow's DAG processor.
        from threadpoolctl import threadpool_limits

        from windtunnel.strategies.pareto.search import Search

        # More threads gain nothing on matrices this small, and would round sums differently from machine to machine.
        with threadpool_limits(limits=1):
            return Search(problem, history, self.options, seed, iteration).batch(n)
