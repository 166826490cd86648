"""How a search stands after an iteration: the front of what it knows, and the front's hypervolume."""

from collections.abc import Sequence
from dataclasses import dataclass

from windtunnel.ledger import Trial
from windtunnel.objectives.front import hypervolume, pareto_front, reference_point
from windtunnel.stages.history import History
from windtunnel.stages.search import Search


@dataclass(frozen=True, slots=True)
class Standing:
    """The front, and how much it dominates.

    Attributes:
        front: the trials on it, in order.
        reference: the worst corner of the hypervolume, in the order of the objectives; empty without a front.
        hypervolume: of the front; None without one.
    """

    front: list[Trial]
    reference: list[float]
    hypervolume: float | None

    @property
    def trials(self) -> list[str]:
        """Ids of the trials on the front."""
        return [trial.trial for trial in self.front]


def standing(search: Search, history: History, k: int, seen: Sequence[Trial]) -> Standing:
    """How the search stands when iteration k (0: the warm start) knows these trials."""
    objectives = search.problem.objectives
    before = history.selection(k - 1)
    # The worst corner stays what the first iteration with a front made it, so that volumes can be compared.
    reference = before.reference if before is not None and before.reference else reference_point(seen, objectives)
    volume = hypervolume(seen, objectives, reference) if reference else None
    return Standing(pareto_front(seen, objectives), reference, volume)
