"""Successive halving at an iteration's edge: who goes on from each rung, decided from what is known.

Promotion is that of ASHA (Li et al., "A system for massively parallel hyperparameter tuning", 2020): of n trials at a
rung, the best n / factor may go on, and of these, whoever has not gone on yet does. So it needs no rung to be complete,
and a result that comes late counts when it comes. For several objectives the best are found front by front, and within
a front by the hypervolume that each adds to those before it; the best of each objective is always among them.
"""

import heapq
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from windtunnel.ledger import Trial
from windtunnel.objectives.front import Candidate, hypervolume, leaders, ranked, reference_point
from windtunnel.text import counted

C = TypeVar("C", bound=Candidate)


def rung_decisions(
    rungs: Sequence[float],
    at: Mapping[float, Sequence[Trial]],
    begun: Collection[tuple[str, float]],
    factor: float,
    objectives: Mapping[str, str],
) -> list[tuple[str, float | None, str]]:
    """Where every trial stands that has not gone on yet, the highest rung first and there the best first.

    Args:
        rungs: epochs of all rungs, in order.
        at: the trials known at each rung; those without values count, but cannot go on.
        begun: configurations that have been asked for at a rung, each with the rung's epochs.
        factor: one in so many goes on, but at least the best of each objective.
        objectives: by name, their direction.

    Returns:
        Of each: the trial; the epochs that it goes on to, None where it does not, for now; and a reason for people.
    """
    decisions = []
    for low, high in reversed(list(pairwise(rungs))):
        trials = at.get(low, ())
        best = best_first(trials, objectives)
        first = [one.config for one in leaders(trials, objectives)]
        order = dict.fromkeys([*first, *(one.config for one, _ in best)])
        places = max(1, len(first), int(len(trials) / factor + 1e-9))
        chosen = list(order)[:places]
        for place, (one, front) in enumerate(best, 1):
            if (one.config, high) in begun:
                continue
            goes_on = one.config in chosen
            which = f"place {place} of {len(trials)} at {counted(low, 'epoch')} (front {front})"
            how = (
                f"goes on to {counted(high, 'epoch')}"
                if goes_on
                else f"the best {places} go on to {counted(high, 'epoch')}"
            )
            decisions.append((one.trial, high if goes_on else None, f"{which}: {how}"))
    return decisions


def best_first(candidates: Sequence[C], objectives: Mapping[str, str]) -> list[tuple[C, int]]:
    """The comparable candidates with the number of their front, front by front, and within each by what they add."""
    reference = reference_point(candidates, objectives)
    return [
        (one, number)
        for number, front in enumerate(ranked(candidates, objectives), 1)
        for one in _by_gain(front, objectives, reference)
    ]


def _by_gain(front: Sequence[C], objectives: Mapping[str, str], reference: Sequence[float]) -> list[C]:
    """A front's members, each the one that adds most hypervolume to those before it.

    A gain never grows as others are taken, so a member whose old gain is not the largest need not be looked at again
    (Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978).
    """
    taken: list[C] = []
    volume = 0.0
    waiting = [(-hypervolume([one], objectives, reference), place, 0) for place, one in enumerate(front)]
    heapq.heapify(waiting)
    while waiting:
        gain, place, measured = heapq.heappop(waiting)
        if measured == len(taken):
            taken.append(front[place])
            volume -= gain
            continue
        gain = volume - hypervolume([*taken, front[place]], objectives, reference)
        heapq.heappush(waiting, (gain, place, len(taken)))
    return taken
