"""A batch in the making: keeps out what is not new, not different or not feasible."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from windtunnel.errors import DefinitionError, SearchError
from windtunnel.ledger import Trial
from windtunnel.space import Params
from windtunnel.strategies.base import Batch, Problem, Suggestion

_IN_VAIN = 100  # random draws in a row that give nothing new before a finite space is gone through in order
_HOPELESS = 10_000  # draws in a row after which a space too large to go through is given up
_MENDED = 1_000  # of so many draws in vain one is repaired, where random ones hardly ever keep the constraints
_SMALL = 200_000  # configurations that can be gone through within seconds


class BatchBuilder:
    """Collects suggestions for one batch.

    Attributes:
        suggestions: so far.
        past: the history's trials of this space, their parameters in canonical form.
        taken: keys of what must not be suggested again.
    """

    def __init__(self, problem: Problem, history: Sequence[Trial], rng: random.Random) -> None:
        """An empty batch.

        Args:
            problem: what is searched for.
            history: what must not be suggested again.
            rng: the generator of all randomness.
        """
        self.suggestions: list[Suggestion] = []
        self._problem = problem
        self._rng = rng
        self.past: list[Trial] = []
        for trial in history:
            try:
                self.past.append(trial.with_params(problem.canonical(trial.params)))
            except DefinitionError:  # of another space, as a warm start's may be: it cannot be suggested anyway
                continue
        self.taken = {problem.space.key(trial.params) for trial in self.past}

    @property
    def trained(self) -> list[Trial]:
        """Those of the past trials that have ended well, each configuration once: its last."""
        return list({trial.config: trial for trial in self.past if trial.has_values}.values())

    def offer(self, params: Params, parents: Iterable[str] = (), **note: Any) -> bool:
        """Take the configuration into the batch if it is new and feasible; whether it was."""
        canonical = self._problem.canonical(params)
        key = self._problem.space.key(canonical)
        if key in self.taken or not self._problem.feasible(canonical):
            return False
        self.taken.add(key)
        self.suggestions.append(Suggestion(canonical, list(parents), note))
        return True

    def fill(self, n: int) -> bool:
        """Add random configurations until the batch has n; whether it came so far.

        A finite space that gives nothing new any more is gone through in random order, so the last ones are found too.
        """
        space, size = self._problem.space, self._problem.space.size()
        patience = _IN_VAIN if size is not None and size <= _SMALL else _HOPELESS
        vain = 0
        while len(self.suggestions) < n and vain < patience:
            drawn = space.sample(self._rng)
            if vain % _MENDED == _MENDED - 1:
                drawn = self._problem.repaired(drawn, self._rng)
            vain = 0 if self.offer(drawn, **{"from": "random"}) else vain + 1
        if patience == _IN_VAIN:
            for params in self._shuffled(size or 0):
                if len(self.suggestions) >= n:
                    break
                self.offer(params, **{"from": "random"})
        return len(self.suggestions) >= n

    def batch(self, n: int) -> Batch:
        """The finished batch: n of the suggestions in random order, filled up with random configurations.

        Raises:
            SearchError: nothing was ever found that keeps the constraints.
        """
        self._rng.shuffle(self.suggestions)
        del self.suggestions[n:]
        if self.fill(n):
            return Batch(self.suggestions)
        if not self.suggestions and not self.taken:
            raise SearchError(self._hopeless())
        return Batch(self.suggestions, self._used_up(n))

    def _shuffled(self, size: int) -> Iterator[Params]:
        return map(self._problem.space.at, self._rng.sample(range(size), size))

    def _used_up(self, n: int) -> str:
        count = f"{len(self.suggestions)} of {n} configurations suggested"
        size = self._problem.space.size()
        if size is not None and size <= _SMALL:
            allowed = ", as far as the constraints allow" if self._problem.constraints else ""
            return f"{count}: the space of {size} is used up{allowed}"
        return f"{count}: {_HOPELESS} random draws gave nothing new that keeps the constraints"

    def _hopeless(self) -> str:
        size = self._problem.space.size()
        example = self._problem.broken(self._problem.space.sample(self._rng))
        tried = f"all {size} configurations" if size is not None and size <= _SMALL else f"{_HOPELESS} random draws"
        return f"no configuration keeps the constraints: {tried} break them, such as: {example}"
