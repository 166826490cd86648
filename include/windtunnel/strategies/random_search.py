"""Random search: the yardstick for all others."""

from collections.abc import Sequence

from windtunnel.ledger import Trial
from windtunnel.strategies.base import Batch, Problem, Strategy, generator
from windtunnel.strategies.builder import BatchBuilder


class RandomSearch(Strategy):
    """Configurations drawn at random from those never tried."""

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """Draw n new configurations; see `Strategy.suggest`."""
        return BatchBuilder(problem, history, generator(seed, iteration)).batch(n)
