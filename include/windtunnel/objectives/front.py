"""Fronts of trials, whatever their objectives' directions.

Objectives map a name to `maximize` or `minimize`; references are in the objectives' own units and order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from windtunnel.objectives import dominance
from windtunnel.objectives.direction import loss, told
from windtunnel.objectives.dominance import Point


class Candidate(Protocol):
    """What may be on a front: anything with the values of its objectives and the violation of its constraints."""

    @property
    def objectives(self) -> Mapping[str, float]:
        """Values by name; empty where there are none, as of a failed trial."""

    @property
    def violation(self) -> float:
        """By how much constraints are broken; 0 where none is."""


C = TypeVar("C", bound=Candidate)


def pareto_front(candidates: Iterable[C], objectives: Mapping[str, str]) -> list[C]:
    """The candidates that no other is better than in every respect, in order.

    Left out are those that lack an objective, have one that is not finite or only stands for "no value", or break a
    constraint.
    """
    fit = comparable(candidates, objectives)
    return [fit[index] for index in dominance.non_dominated([_point(one, objectives) for one in fit])]


def ranked(candidates: Iterable[C], objectives: Mapping[str, str]) -> list[list[C]]:
    """The comparable candidates by rank: the front, then the front of those left, and so on."""
    fit = comparable(candidates, objectives)
    ranks = dominance.non_dominated_sort([_point(one, objectives) for one in fit])
    return [[fit[index] for index in rank] for rank in ranks]


def fittest(candidates: Iterable[C], objectives: Mapping[str, str]) -> list[C]:
    """The comparable candidates, best first: by rank, and within a rank those with more room around them."""
    best_first = []
    for rank in ranked(candidates, objectives):
        room = dominance.crowding([_point(one, objectives) for one in rank])
        best_first += [rank[place] for place in sorted(range(len(rank)), key=lambda place: -room[place])]
    return best_first


def comparable(candidates: Iterable[C], objectives: Mapping[str, str]) -> list[C]:
    """The candidates that may be on a front: every objective has a value that says something, no constraint is broken.

    The largest number of all, say, as some programs write for "no value", would win where more is better.
    """
    return [
        one for one in candidates if one.violation == 0 and all(told(one.objectives.get(name)) for name in objectives)
    ]


def hypervolume(candidates: Iterable[C], objectives: Mapping[str, str], reference: Sequence[float]) -> float:
    """The exact hypervolume that the candidates dominate, up to the reference.

    Args:
        candidates: any; those that may not be on a front add nothing.
        objectives: by name, their direction.
        reference: the worst corner, from `reference_point`.
    """
    points = [_point(one, objectives) for one in comparable(candidates, objectives)]
    return dominance.hypervolume(points, _turned(reference, objectives))


def hypervolumes(
    candidates: Iterable[C | None], objectives: Mapping[str, str], reference: Sequence[float]
) -> list[float | None]:
    """The hypervolume after each candidate, worked out where the front moves.

    Args:
        candidates: in order; None stands for one that adds nothing.
        objectives: by name, their direction.
        reference: the worst corner, from `reference_point`; empty without a front.

    Returns:
        One value a candidate; None before there is a front.
    """
    worst = _turned(reference, objectives) if reference else ()
    points = [
        _point(one, objectives) if one is not None and reference and comparable([one], objectives) else None
        for one in candidates
    ]
    moves = iter(dominance.running_fronts([point for point in points if point is not None]))
    volumes: list[float | None] = []
    volume = None
    for point in points:
        front = next(moves) if point is not None else None
        volume = volume if front is None else dominance.hypervolume(front, worst)
        volumes.append(volume)
    return volumes


def reference_point(candidates: Iterable[C], objectives: Mapping[str, str]) -> list[float]:
    """The worst corner for hypervolumes: of each objective the worst value, and a tenth of the values' range beyond.

    The tenth lets the front's ends count; where all values are equal it is a tenth of the value, or 1 at zero. Volumes
    compare only over the same reference, so a search keeps the one that its first iteration gave.

    Returns:
        One value an objective; an empty list where no candidate may be on a front.
    """
    points = [_point(one, objectives) for one in comparable(candidates, objectives)]
    columns = zip(*points, strict=True)
    worst = [max(column) + ((max(column) - min(column)) or abs(column[0]) or 10.0) / 10 for column in columns]
    return list(_turned(worst, objectives)) if worst else []


def knee(candidates: Iterable[C], objectives: Mapping[str, str]) -> C | None:
    """The candidate at the front's bend, a good choice without further knowledge; see `dominance.knee`."""
    front = pareto_front(candidates, objectives)
    place = dominance.knee([_point(one, objectives) for one in front])
    return None if place is None else front[place]


def spread(candidates: Iterable[C], objectives: Mapping[str, str], n: int) -> list[C]:
    """At most n of the candidates, far apart and with the best of each objective; see `dominance.spread`."""
    fit = comparable(candidates, objectives)
    return [fit[index] for index in dominance.spread([_point(one, objectives) for one in fit], n)]


def leaders(candidates: Iterable[C], objectives: Mapping[str, str]) -> list[C]:
    """The best candidate of each objective, in the objectives' order; each once."""
    fit = comparable(candidates, objectives)
    points = [_point(one, objectives) for one in fit]
    best = [
        min(range(len(points)), key=lambda place: (points[place][axis], points[place]))
        for axis in range(len(objectives))
        if points
    ]
    return [fit[place] for place in dict.fromkeys(best)]


def _point(candidate: Candidate, objectives: Mapping[str, str]) -> Point:
    return _turned([candidate.objectives[name] for name in objectives], objectives)


def _turned(values: Sequence[float], objectives: Mapping[str, str]) -> Point:
    """Values with those to be maximised negated; turning twice gives them back."""
    directions = objectives.values()
    return tuple(loss(value, direction) for value, direction in zip(values, directions, strict=True))
