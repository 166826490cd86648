"""A problem of the suite, and how a search of it is judged."""

import functools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import moocore
import numpy as np

from windtunnel.ledger import State
from windtunnel.objectives.constraint import Constraint
from windtunnel.objectives.direction import sign
from windtunnel.space import Params, Space
from windtunnel.strategies import Problem, Trial

Metrics = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Case:
    """One problem.

    Attributes:
        name: of the problem.
        space: its description.
        objectives: `maximize` or `minimize`, by name.
        measure: what a trial comes to, by name; empty where it fails. Draws the noise from the generator.
        best: with one objective its optimum, with several the greatest hypervolume.
        reference: the hypervolume's worst corner; empty with one objective.
        constraints: bounds on what is known or measured.
        known: values known before training, by name.
        exact: what a configuration comes to without noise; by default what is measured.
        unseen: whether nothing was ever tuned on it.
        batch: trials at once.
    """

    name: str
    space: Mapping[str, Any]
    objectives: Mapping[str, str]
    measure: Callable[[Params, random.Random], Metrics]
    best: float
    reference: Sequence[float] = ()
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    known: Callable[[Params], Metrics] = lambda params: {}
    exact: Callable[[Params], Metrics] | None = None
    unseen: bool = False
    batch: int = 10

    @functools.cached_property
    def problem(self) -> Problem:
        """What strategies see."""
        return Problem(Space.parse(self.space), self.objectives, self.constraints, self.known)

    def observation(self, params: Params, number: int, iteration: int, rng: random.Random) -> Trial:
        """The trial of a configuration."""
        metrics = self.measure(params, rng)
        values = {name: metrics[name] for name in self.objectives if name in metrics}
        excess = sum(bound.violation(metrics[name]) for name, bound in self.constraints.items() if name in metrics)
        return Trial.of(
            params=params,
            config=f"{number:016x}",
            iteration=iteration,
            state=State.COMPLETED if metrics else State.FAILED,
            objectives=values,
            violation=excess,
            metrics=metrics,
            known=self.known(params),
        )

    def score(self, trials: Sequence[Trial]) -> float:
        """How far a search has come.

        Returns:
            With several objectives the share of the greatest hypervolume in %. With one the regret: how much worse than
            the optimum the configuration truly is that looks best; infinite where none keeps the constraints.
        """
        kept = [one for one in trials if one.violation == 0 and len(one.objectives) == len(self.objectives)]
        kept = [one for one in kept if all(map(math.isfinite, one.objectives.values()))]
        signs = np.array([sign(way) for way in self.objectives.values()])
        if len(signs) == 1:
            (name,) = self.objectives
            if not kept:
                return math.inf
            pick = min(kept, key=lambda one: signs[0] * one.objectives[name])
            return float(signs[0] * (self._truth(pick)[name] - self.best))
        if not kept:
            return 0.0
        truths = map(self._truth, kept)
        points = np.array([[truth[name] for name in self.objectives] for truth in truths]) * signs
        return float(100 * moocore.hypervolume(points, ref=signs * np.array(self.reference)) / self.best)

    def _truth(self, one: Trial) -> Metrics:
        return self.exact(one.params) if self.exact else one.objectives
