"""The front of what an iteration knows, and how much it dominates."""

from collections.abc import Sequence
from typing import Any

from windtunnel.ledger import Trial
from windtunnel.objectives.front import hypervolume, pareto_front, reference_point
from windtunnel.stages.history import History
from windtunnel.stages.search import Search


def front_of(search: Search, history: History, k: int, seen: Sequence[Trial]) -> tuple[list[Trial], dict[str, Any]]:
    """The front when iteration k (0: the warm start) knows these trials, and what its `Selection` says of it."""
    objectives = search.problem.objectives
    front, before = pareto_front(seen, objectives), history.selection(k - 1)
    # The worst corner stays what the first iteration with a front made it, so that volumes can be compared.
    reference = before.reference if before is not None and before.reference else reference_point(seen, objectives)
    volume = hypervolume(seen, objectives, reference) if reference else None
    return front, {"front": [trial.trial for trial in front], "reference": reference, "hypervolume": volume}
