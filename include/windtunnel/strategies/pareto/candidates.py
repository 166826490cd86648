"""Which configurations are weighed: all of a small space, else what is bred from the best."""

import random
from collections.abc import Iterable, Sequence

from windtunnel.space import Params
from windtunnel.strategies.base import Problem
from windtunnel.strategies.pareto.encoding import Row

_ALL = 8192  # configurations of a space at most that is weighed whole
_RANDOM = 300
_TRIES = 10  # to draw so many, where constraints leave few
_MENDED = 50  # draws that are mended, where they leave hardly any
_NEAR = 3000  # neighbours that are listed before some are chosen: those of long sublists are very many
_CHILDREN = 900
_SCALES = (None, 0.1, 0.03, 0.01)  # of a mutant's steps; None draws anew
_RATES = (0.1, 0.3)


class Pool:
    """Configurations that are new and keep the constraints, with what is known of them."""

    def __init__(self, problem: Problem, taken: Iterable[str]) -> None:
        """An empty pool.

        Args:
            problem: what is searched for.
            taken: keys of configurations that must not come in.
        """
        self.params: list[Params] = []
        self.known: list[dict[str, float]] = []
        self._problem = problem
        self._seen = set(taken)

    def __len__(self) -> int:
        """How many configurations there are."""
        return len(self.params)

    def keep(self, places: Iterable[int]) -> None:
        """Forget all candidates but some, in this order; they do not come in again."""
        chosen = [(self.params[place], self.known[place]) for place in places]
        self.params = [params for params, _ in chosen]
        self.known = [known for _, known in chosen]

    def rows(self, epochs: float, first: int = 0) -> list[Row]:
        """The configurations after so many epochs, from a place on."""
        pairs = zip(self.params[first:], self.known[first:], strict=True)
        return [Row(params, known, epochs) for params, known in pairs]

    def exact(self, objectives: Iterable[str]) -> list[str]:
        """The objectives that are known before training, of all candidates."""
        return [name for name in objectives if all(name in known for known in self.known)]

    def add(self, configurations: Iterable[Params]) -> None:
        """Let those come in that are new and keep the constraints."""
        for params in configurations:
            key = self._problem.space.key(params)
            if key in self._seen:
                continue
            self._seen.add(key)
            known = self._problem.known_or_none(params)
            if known is not None and self._problem.broken_by(known) is None:
                self.params.append(params)
                self.known.append(dict(known))


def whole(problem: Problem) -> bool:
    """Whether the space is so small that all of it is weighed."""
    size = problem.space.size()
    return size is not None and size <= _ALL


def draw(pool: Pool, problem: Problem, rng: random.Random) -> None:
    """Let random configurations into the pool; all of a small space."""
    space = problem.space
    if whole(problem):
        pool.add(space.enumerate())
        return
    for _ in range(_TRIES):
        pool.add(space.sample(rng) for _ in range(_RANDOM))
        if len(pool) >= _RANDOM // 2:
            return
    if len(pool) < _MENDED:
        pool.add(problem.repaired(space.sample(rng), rng) for _ in range(_MENDED))


def bred(problem: Problem, parents: Sequence[Params], rng: random.Random, n: int = _CHILDREN) -> list[Params]:
    """Neighbours, mutants at several scales and crossed pairs of the parents."""
    space = problem.space
    children: list[Params] = []
    near: list[Params] = []
    for parent in parents:
        if len(near) < _NEAR:
            near += space.neighbours(parent)
    children += rng.sample(near, min(len(near), n // 3))
    while parents and len(children) < n:
        parent = rng.choice(parents)
        if len(parents) > 1 and rng.random() < 0.25:
            children.append(space.crossover(parent, rng.choice(parents), rng))
        else:
            children.append(space.mutate(parent, rng, rng.choice(_RATES), rng.choice(_SCALES)))
    return children
