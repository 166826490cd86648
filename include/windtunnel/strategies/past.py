"""What strategies learn from: the history's trained configurations, in the space's own form."""

from collections.abc import Iterable

from windtunnel.errors import DefinitionError
from windtunnel.ledger import Trial
from windtunnel.strategies.base import Problem


def inside(problem: Problem, history: Iterable[Trial]) -> list[Trial]:
    """What is of the problem's space, in canonical form; a warm start may bring what is not."""
    found = []
    for seen in history:
        try:
            found.append(seen.with_params(problem.canonical(seen.params)))
        except DefinitionError:
            continue
    return found


def trained(problem: Problem, history: Iterable[Trial]) -> list[Trial]:
    """Of what is inside the space, the trials that have ended well, each configuration once: its last."""
    return list({seen.config: seen for seen in inside(problem, history) if seen.has_values}.values())
