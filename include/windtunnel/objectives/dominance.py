"""Geometry of Pareto fronts. Points are tuples of finite numbers, all of them to be minimised."""

from collections.abc import Iterator, Sequence

from windtunnel.objectives.direction import near

Point = tuple[float, ...]


def dominates(first: Point, second: Point) -> bool:
    """Whether the first point is nowhere worse than the second, and somewhere better."""
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def non_dominated(points: Sequence[Point]) -> list[int]:
    """Places of the points that no other dominates, in order; equal points are all among them."""
    if not points:
        return []
    import moocore

    return [int(place) for place in moocore.is_nondominated(points, keep_weakly=True).nonzero()[0]]


def non_dominated_sort(points: Sequence[Point]) -> list[list[int]]:
    """Places of the points by rank: the front, then the front of those left, and so on."""
    if not points:
        return []
    import moocore

    of = moocore.pareto_rank(points).tolist()
    ranks: list[list[int]] = [[] for _ in range(max(of) + 1)]
    for place, rank in enumerate(of):
        ranks[rank].append(place)
    return ranks


def running_fronts(points: Sequence[Point]) -> Iterator[list[Point] | None]:
    """The front after each point, or None where the point leaves it as it was."""
    if not points:
        return
    import numpy as np

    every = np.array(points)
    front = np.empty((0, every.shape[1]))
    for point in every:
        if (front <= point).all(axis=1).any():
            yield None
            continue
        front = np.vstack([front[~(point <= front).all(axis=1)], point])
        yield [tuple(one) for one in front.tolist()]


def limited(point: Point) -> Point:
    """The point with no value so far out that arithmetic on it would end beyond all floats."""
    return tuple(map(near, point))


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The exact volume of what the points dominate, up to a worst corner.

    By moocore (Fonseca, Paquete and Lopez-Ibanez, "An improved dimension-sweep algorithm for the hypervolume
    indicator", 2006, and its successors).

    Args:
        points: in any order; those not better than the reference in every objective add nothing.
        reference: the worst corner.
    """
    if not points:
        return 0.0
    import moocore

    return float(moocore.hypervolume([limited(point) for point in points], ref=limited(reference)))


def crowding(points: Sequence[Point]) -> list[float]:
    """How much room each point has among its neighbours, infinite at the ends.

    The sum over the objectives of the distance between the two neighbours, relative to the range of all points (Deb et
    al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002).
    """
    points = [limited(point) for point in points]
    room = [0.0] * len(points)
    for axis in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda index: points[index][axis])
        extent = points[order[-1]][axis] - points[order[0]][axis]
        room[order[0]] = room[order[-1]] = float("inf")
        for before, index, after in zip(order, order[1:], order[2:], strict=False):
            room[index] += (points[after][axis] - points[before][axis]) / extent if extent else 0.0
    return room


def knee(points: Sequence[Point]) -> int | None:
    """Place of the front's bend, where to gain in one objective costs most in the others; None without points.

    The point that lies farthest below the plane through the worst values, every objective being scaled to the range of
    the points (Das, "On characterizing the 'knee' of the Pareto curve", 1999): the least sum of scaled values.
    """
    sums = [sum(point) for point in _scaled(points)]
    return sums.index(min(sums)) if sums else None


def spread(points: Sequence[Point], n: int) -> list[int]:
    """Places of n points that lie far apart, in order; of all where there are no more.

    The best of each objective come first, in the objectives' order; then, one by one, whichever is farthest from those
    chosen, every objective being scaled to the range of the points. With n = 1 that is the best of the first objective.
    """
    chosen = []
    for axis in range(len(points[0]) if points else 0):
        best = min(range(len(points)), key=lambda index: (points[index][axis], points[index]))
        if best not in chosen:
            chosen.append(best)
    chosen = chosen[:n]
    scaled = _scaled(points)
    distance = [min((_distance(point, scaled[index]) for index in chosen), default=0.0) for point in scaled]
    while len(chosen) < min(n, len(points)):
        farthest = max(
            (index for index in range(len(points)) if index not in chosen), key=lambda index: distance[index]
        )
        chosen.append(farthest)
        distance = [
            min(known, _distance(point, scaled[farthest])) for known, point in zip(distance, scaled, strict=True)
        ]
    return sorted(chosen)


def _scaled(points: Sequence[Point]) -> list[Point]:
    points = [limited(point) for point in points]
    lows = [min(values) for values in zip(*points, strict=True)]
    extents = [max(values) - low or 1.0 for values, low in zip(zip(*points, strict=True), lows, strict=True)]
    return [
        tuple((value - low) / extent for value, low, extent in zip(point, lows, extents, strict=True))
        for point in points
    ]


def _distance(first: Point, second: Point) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
