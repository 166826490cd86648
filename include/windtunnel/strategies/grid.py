"""Grid search: every combination, in an order that spreads over the whole grid from the start."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from windtunnel.ledger import Trial
from windtunnel.space import Column, Params
from windtunnel.strategies.base import Batch, Problem, Strategy, generator
from windtunnel.strategies.builder import BatchBuilder
from windtunnel.validation import StrictModel

_PATIENCE = 10_000  # combinations in a row that give nothing new before the rest of a grid is given up
_GOLDEN = 618_033_988_750, 10**12  # the golden section in whole numbers: sizes may be beyond those of floats


class Grid(Strategy):
    """All combinations of all values. Of numbers that have infinitely many values, some evenly spread ones are taken.

    The order leaps through the grid by the golden section of its size, so that a search that is cut short has seen all
    regions. It depends on nothing: seeds make no difference.
    """

    class Options(StrictModel):
        """How fine the grid is."""

        points: Annotated[int, Field(ge=2)] = 5
        """Values taken of each number that has infinitely many."""

    options: Options

    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The next n combinations that were not tried; see `Strategy.suggest`."""
        builder = BatchBuilder(problem, history, generator(seed, iteration))
        vain, patience = 0, _PATIENCE + len(history)
        for params in self._combinations(problem, seed):
            if len(builder.suggestions) == n or vain > patience:
                break
            vain = 0 if builder.offer(params, **{"from": "grid"}) else vain + 1
        else:
            if problem.space.size() is None and (builder.suggestions or history):
                return Batch(builder.suggestions, f"{len(builder.suggestions)} of {n} suggested: the grid is used up")
        return builder.batch(n)

    def _combinations(self, problem: Problem, seed: int) -> Iterator[Params]:
        space = problem.space
        size = space.size()
        if size is not None:
            return map(space.at, _leaps(size))
        columns, points = space.columns(), self.options.points
        rng = generator(seed, 0)  # for what has no columns
        places = _leaps(math.prod(column.size or points for column in columns))
        return (space.from_unit(_point(columns, points, place), rng) for place in places)


def _leaps(size: int) -> Iterator[int]:
    """All places from 0 to size - 1, each leap about the golden section of the size."""
    step = max(1, (2 * size * _GOLDEN[0] + _GOLDEN[1]) // (2 * _GOLDEN[1]))
    while math.gcd(step, size) > 1:
        step += 1
    return (index * step % size for index in range(size))


def _point(columns: Sequence[Column], points: int, place: int) -> list[float]:
    """The coordinates of a place in the grid, the last column's varying fastest."""
    point = []
    for column in reversed(columns):
        place, step = divmod(place, column.size or points)
        point.append(_coordinate(column, points, step))
    return point[::-1]


def _coordinate(column: Column, points: int, step: int) -> float:
    if column.size is not None:
        return (step + 0.5) / column.size
    return column.edge + (1 - 2 * column.edge) * step / (points - 1)
