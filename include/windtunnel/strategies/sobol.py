"""Sobol search: points that fill the space more evenly than random ones."""

from collections.abc import Iterator, Sequence

from windtunnel.ledger import Trial
from windtunnel.space import Params
from windtunnel.strategies.base import Batch, Problem, Strategy, generator
from windtunnel.strategies.builder import BatchBuilder

_PATIENCE = 1_000  # points in a row that give nothing new before random ones are tried
_BLOCK = 256


class SobolSearch(Strategy):
    """The points of a Sobol sequence, scrambled by the seed (Owen, "Scrambling Sobol' and Niederreiter-Xing points").

    An iteration goes on where the one before it ended, so all iterations together fill the space evenly.
    """

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The next n points that were not tried; see `Strategy.suggest`."""
        builder = BatchBuilder(problem, history, generator(seed, iteration))
        vain = 0
        for params in _points(problem, seed, start=len(history)):
            if len(builder.suggestions) == n or vain > _PATIENCE:
                break
            vain = 0 if builder.offer(params, **{"from": "sobol"}) else vain + 1
        return builder.batch(n)


def _points(problem: Problem, seed: int, start: int) -> Iterator[Params]:
    from scipy.stats.qmc import Sobol

    columns = len(problem.space.columns())
    covered = min(columns, Sobol.MAXDIM)
    if not covered:
        return
    sequence = Sobol(covered, rng=seed)
    if start:
        sequence.fast_forward(start)
    rng = generator(seed, start)  # for what has no columns, or more than there are sequences
    while True:
        for row in sequence.random(_BLOCK).tolist():
            yield problem.space.from_unit([*row, *(rng.random() for _ in range(columns - covered))], rng)
