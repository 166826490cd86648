"""Geometry of Pareto fronts. Points are tuples of finite numbers, all of them to be minimised."""

from collections.abc import Sequence

Point = tuple[float, ...]


def dominates(first: Point, second: Point) -> bool:
    """Whether the first point is nowhere worse than the second, and somewhere better."""
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def non_dominated(points: Sequence[Point]) -> list[int]:
    """Places of the points that no other dominates, in order; equal points are all among them."""
    front: list[Point] = []
    members = set()
    # In lexicographic order a point can be dominated by earlier ones only, and so never leaves the front again.
    for point in sorted(set(points)):
        if not any(dominates(other, point) for other in front):
            front.append(point)
            members.add(point)
    return [index for index, point in enumerate(points) if point in members]


def non_dominated_sort(points: Sequence[Point]) -> list[list[int]]:
    """Places of the points by rank: the front, then the front of those left, and so on."""
    left = list(range(len(points)))
    ranks = []
    while left:
        front = {left[index] for index in non_dominated([points[index] for index in left])}
        ranks.append(sorted(front))
        left = [index for index in left if index not in front]
    return ranks


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The exact volume of what the points dominate, up to a worst corner.

    Slices along the last objective: every point adds the part of its box that the better slices do not cover (While,
    Bradstreet and Barone, "A fast way of calculating exact hypervolumes", 2012). Meant for up to five objectives and
    some hundred points.

    Args:
        points: in any order; those not better than the reference in every objective add nothing.
        reference: the worst corner.
    """
    inside = [point for point in points if all(value < worst for value, worst in zip(point, reference, strict=True))]
    return _volume([inside[index] for index in non_dominated(inside)], reference)


def crowding(points: Sequence[Point]) -> list[float]:
    """How much room each point has among its neighbours, infinite at the ends.

    The sum over the objectives of the distance between the two neighbours, relative to the range of all points (Deb et
    al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002).
    """
    room = [0.0] * len(points)
    for axis in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda index: points[index][axis])
        extent = points[order[-1]][axis] - points[order[0]][axis]
        room[order[0]] = room[order[-1]] = float("inf")
        for before, index, after in zip(order, order[1:], order[2:], strict=False):
            room[index] += (points[after][axis] - points[before][axis]) / extent if extent else 0.0
    return room


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


def _volume(front: list[Point], reference: Point) -> float:
    """The hypervolume of points that do not dominate each other and are all better than the reference."""
    if len(reference) == 1:
        return max((reference[0] - point[0] for point in front), default=0.0)
    if len(reference) == 2:
        return _area(front, reference)
    volume = 0.0
    worst_first = sorted(front, key=lambda point: point[-1], reverse=True)
    base = reference[:-1]
    for index, point in enumerate(worst_first):
        box = 1.0
        for value, worst in zip(point[:-1], base, strict=True):
            box *= worst - value
        covered = {tuple(map(max, point[:-1], other)) for other in worst_first[index + 1 :]}
        slices = sorted(covered)
        covered_volume = _volume([slices[place] for place in non_dominated(slices)], base)
        volume += (reference[-1] - point[-1]) * (box - covered_volume)
    return volume


def _area(front: list[Point], reference: Point) -> float:
    area, height = 0.0, reference[1]
    for x, y in sorted(front):
        if y < height:
            area += (reference[0] - x) * (height - y)
            height = y
    return area


def _scaled(points: Sequence[Point]) -> list[Point]:
    lows = [min(values) for values in zip(*points, strict=True)]
    extents = [max(values) - low or 1.0 for values, low in zip(zip(*points, strict=True), lows, strict=True)]
    return [
        tuple((value - low) / extent for value, low, extent in zip(point, lows, extents, strict=True))
        for point in points
    ]


def _distance(first: Point, second: Point) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
