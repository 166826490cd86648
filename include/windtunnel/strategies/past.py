"""What strategies learn from: the history's trained configurations, in the space's own form."""

from collections.abc import Iterable
from dataclasses import replace

from windtunnel.errors import DefinitionError
from windtunnel.ledger.records import State
from windtunnel.strategies.base import Observation, Problem

_TRAINED = (State.COMPLETED, State.STOPPED)


def inside(problem: Problem, history: Iterable[Observation]) -> list[Observation]:
    """What is of the problem's space, in canonical form; a warm start may bring what is not."""
    found = []
    for seen in history:
        try:
            found.append(replace(seen, params=problem.canonical(seen.params)))
        except DefinitionError:
            continue
    return found


def trained(problem: Problem, history: Iterable[Observation]) -> list[Observation]:
    """Of what is inside the space, the trials that have ended well, each configuration once: its last."""
    return list({seen.config: seen for seen in inside(problem, history) if seen.state in _TRAINED}.values())
