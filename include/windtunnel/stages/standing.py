"""How a search stands after an iteration: the front of what it knows, and the front's hypervolume."""

from collections.abc import Sequence
from dataclasses import dataclass

from windtunnel.front import hypervolume, pareto_front, reference_point
from windtunnel.ledger import Trial
from windtunnel.stages.search import Search


@dataclass(frozen=True, slots=True)
class Standing:
    """The front, and how much it dominates.

    Attributes:
        front: the observations on it, in order.
        reference: the worst corner of the hypervolume, in the order of the objectives; empty without a front.
        hypervolume: of the front; None without one.
    """

    front: list[Trial]
    reference: list[float]
    hypervolume: float | None

    @property
    def trials(self) -> list[str]:
        """Ids of the trials on the front."""
        return [observation.trial for observation in self.front]


def standing(search: Search, k: int, seen: Sequence[Trial]) -> Standing:
    """How the search stands when iteration k (0: the warm start) knows these observations."""
    objectives = search.problem.objectives
    reference = _reference(search, k, seen)
    volume = hypervolume(seen, objectives, reference) if reference else None
    return Standing(pareto_front(seen, objectives), reference, volume)


def _reference(search: Search, k: int, seen: Sequence[Trial]) -> list[float]:
    """The hypervolume's worst corner stays what the first iteration with a front made it: volumes can be compared."""
    for earlier in range(k):
        known = search.ledger.known(str(earlier))
        if known is not None and known.reference:
            return known.reference
    return reference_point(seen, search.problem.objectives)
