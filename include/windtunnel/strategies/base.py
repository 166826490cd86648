"""What a strategy is given, and what it gives: a pure function from the history to the next batch."""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from windtunnel.errors import WorkloadError
from windtunnel.ledger import Trial
from windtunnel.objectives.constraint import Constraint
from windtunnel.objectives.direction import told
from windtunnel.space import Params, Space
from windtunnel.validation import StrictModel


@dataclass(frozen=True)
class Problem:
    """What is searched for.

    Attributes:
        space: of the parameters.
        objectives: `maximize` or `minimize`, by name.
        constraints: bounds by name, on values known before training or on measured ones.
        known: what is known of a configuration before training, by name; should take milliseconds. It raises
            `WorkloadError` for one that it fails for, which is not worth training then.
    """

    space: Space
    objectives: Mapping[str, str]
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    known: Callable[[Params], Mapping[str, float]] = lambda params: {}

    def canonical(self, params: Mapping[str, Any]) -> Params:
        """The one form of a configuration.

        Raises:
            DefinitionError: it is not of the space.
        """
        return self.space.canonical(params)

    def broken(self, params: Params) -> str | None:
        """Why the configuration is not worth training, as `broken_by` says; None where it is."""
        try:
            return self.broken_by(self.known(params))
        except WorkloadError as error:
            return str(error)

    def known_or_none(self, params: Params) -> Mapping[str, float] | None:
        """What is known of a configuration before training; None where finding that out fails."""
        try:
            return self.known(params)
        except WorkloadError:
            return None

    def broken_by(self, values: Mapping[str, float]) -> str | None:
        """Which constraint these known values break, as a sentence for people; None where they keep all.

        An objective that says nothing, as one that is not finite, counts as broken: the configuration could be on no
        front.
        """
        for name in self.objectives:
            if name in values and not told(values[name]):
                return f"{name} is {values[name]:g}, which no front can hold"
        for name, bound in self.constraints.items():
            how = bound.violated(values[name]) if name in values else None
            if how is not None:
                return f"{name} {values[name]:g} {how}"
        return None

    def feasible(self, params: Params) -> bool:
        """Whether the known values keep all constraints; measured ones show only in the result."""
        return self.broken(params) is None

    def repaired(self, params: Params, rng: random.Random) -> Params:
        """A configuration near this canonical one that keeps the constraints on known values; else itself."""
        if not self.constraints:
            return params
        return self.space.repair(params, self._excess, rng) or params

    def asked_once(self) -> "Problem":
        """The same problem, which asks `known` once a configuration however often it is needed: it may take long."""
        answers: dict[str, Mapping[str, float]] = {}

        def known(params: Params) -> Mapping[str, float]:
            key = self.space.key(params)
            if key not in answers:
                answers[key] = self.known(params)
            return answers[key]

        return replace(self, known=known)

    def _excess(self, params: Params) -> float:
        values = self.known_or_none(params)
        if values is None:
            return math.inf
        return sum(bound.violation(values[name]) for name, bound in self.constraints.items() if name in values)


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try.

    Attributes:
        params: canonical.
        parents: ids of the configurations it was bred from.
        note: how it came about, for people: `{"from": "mutation"}`.
    """

    params: Params
    parents: list[str] = field(default_factory=list)
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """The next configurations.

    Attributes:
        suggestions: as many as were asked for, unless the space is used up.
        note: why there are fewer; empty where there are not.
    """

    suggestions: list[Suggestion]
    note: str = ""


class Strategy(ABC):
    """Suggests configurations. Has no state but its options: the same history gives the same answer.

    Write your own by deriving from this class, and name it in the definition: `strategy: {name: my_module.MyStrategy}`.
    `windtunnel.strategies.builder.BatchBuilder` keeps the promises that every strategy must keep;
    `tests/conformance/strategies.py` checks them.

    Attributes:
        Options: the section with the strategy's options.
    """

    class Options(StrictModel):
        """No options."""

    def __init__(self, options: Any = None) -> None:
        """A strategy with these options.

        Args:
            options: an `Options`; by default its defaults.
        """
        self.options = options or self.Options()

    def load(self) -> None:  # noqa: B027  (most have nothing to import)
        """Import what later suggestions take and the first does without, while the first trials begin."""

    @abstractmethod
    def suggest(self, problem: Problem, history: Sequence[Trial], n: int, seed: int, iteration: int) -> Batch:
        """The next n configurations: new, all different, and feasible as far as is known before training.

        Args:
            problem: what is searched for.
            history: all that was asked for so far, in order: failures and what is still under way included.
            n: how many.
            seed: of the search; with the iteration it decides all randomness.
            iteration: counted from 1.

        Returns:
            Exactly n suggestions, or fewer and a note if no more can be found.

        Raises:
            SearchError: not a single configuration keeps the constraints.
        """

    def expected(self, problem: Problem, history: Sequence[Trial], seed: int) -> list[Mapping[str, float]]:
        """What each trial's objectives would be on average over trial seeds, as far as the strategy can tell.

        The best of many noisy values is better than its configuration is: what was lucky falls back here. By default
        the values themselves.

        Args:
            problem: what is searched for.
            history: trials that have ended well.
            seed: of the search.

        Returns:
            Values by name, of each trial in order.
        """
        return [trial.objectives for trial in history]


def generator(seed: int, iteration: int) -> random.Random:
    """The random generator of one iteration: the same wherever and whenever it is asked for."""
    return random.Random(f"windtunnel/{seed}/{iteration}")  # noqa: S311  (no secret; a text seed is hashed by SHA-512)
