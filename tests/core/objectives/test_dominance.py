import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.objectives.dominance import (
    crowding,
    dominates,
    hypervolume,
    knee,
    non_dominated,
    non_dominated_sort,
    running_fronts,
    spread,
)

SIDE = 4  # small grids, so that ties and equal points are common


def clouds(largest=12):
    """Points of 1 to 5 objectives on a small grid."""
    return st.integers(1, 5).flatmap(
        lambda d: st.lists(st.tuples(*[st.integers(0, SIDE - 1)] * d), min_size=1, max_size=largest)
    )


def beaten(points):
    return {p for p in points for q in points if q != p and all(b <= a for a, b in zip(p, q, strict=True))}


def counted_volume(points):
    """Unit cells below the corner (SIDE, …) that some point dominates."""
    cells = itertools.product(range(SIDE), repeat=len(points[0]))
    return sum(any(all(a <= c for a, c in zip(p, cell, strict=True)) for p in points) for cell in cells)


@given(clouds())
def test_non_dominated_is_what_nothing_beats(points):
    assert non_dominated(points) == [i for i, p in enumerate(points) if p not in beaten(points)]


@given(clouds())
def test_ranks_peel_off_front_after_front(points):
    left = list(enumerate(points))
    for rank in non_dominated_sort(points):
        worse = beaten([p for _, p in left])
        assert rank == [i for i, p in left if p not in worse]
        left = [(i, p) for i, p in left if p in worse]
    assert left == []


@given(clouds())
def test_running_fronts_are_those_of_all_points_so_far(points):
    front = []
    for count, moved in enumerate(running_fronts(points), 1):
        assert moved is None or moved[-1] == points[count - 1]
        front = moved or front
        assert set(front) == {points[place] for place in non_dominated(points[:count])}
    assert len(list(running_fronts(points))) == len(points)


@given(clouds())
def test_dominance_is_a_strict_order(points):
    for p, q in itertools.product(points, repeat=2):
        assert dominates(p, q) == (p != q and all(a <= b for a, b in zip(p, q, strict=True)))
        assert not (dominates(p, q) and dominates(q, p))


@given(clouds(8))
def test_hypervolume_counts_the_dominated_cells(points):
    assert hypervolume(points, (SIDE,) * len(points[0])) == pytest.approx(counted_volume(points))


@given(clouds(8), st.randoms())
def test_hypervolume_knows_no_order_and_no_repetition(points, rng):
    corner = (SIDE,) * len(points[0])
    mixed = points + points
    rng.shuffle(mixed)
    assert hypervolume(mixed, corner) == pytest.approx(hypervolume(points, corner))


@given(clouds(8))
def test_hypervolume_leaves_out_what_is_not_better_than_the_corner(points):
    corner = (SIDE - 1,) * len(points[0])
    inside = [p for p in points if max(p) < SIDE - 1]
    assert hypervolume(points, corner) == pytest.approx(hypervolume(inside, corner))


def test_hypervolume_of_nothing_is_nothing():
    assert hypervolume([], (1.0, 1.0, 1.0)) == 0


@pytest.mark.parametrize("objectives", [3, 5])
def test_hypervolume_of_a_large_front_agrees_with_sampling(objectives):
    rng = random.Random(0)
    points = []
    for _ in range(60):
        direction = [abs(rng.gauss(0, 1)) for _ in range(objectives)]
        points.append(tuple(1 - x / math.hypot(*direction) for x in direction))
    cells = [tuple(rng.random() for _ in range(objectives)) for _ in range(20_000)]
    hit = sum(any(all(a <= c for a, c in zip(p, cell, strict=True)) for p in points) for cell in cells)
    assert hypervolume(points, (1.0,) * objectives) == pytest.approx(hit / len(cells), abs=0.02)


def test_crowding_is_infinite_at_the_ends_and_the_distance_of_the_neighbours_between():
    assert crowding([(0, 4), (1, 3), (4, 0)]) == [math.inf, 1 + 1, math.inf]
    assert crowding([(2, 2)]) == [math.inf]
    assert crowding([]) == []


def test_crowding_of_equal_values_is_no_error():
    assert crowding([(1, 1), (1, 1), (1, 1)])[1] == 0


@given(clouds())
def test_crowding_is_the_room_between_the_next_points_of_each_objective(points):
    points = sorted(set(points))
    if len({len(set(column)) for column in zip(*points, strict=True)} - {len(points)}):
        return  # equal values have no order
    for index, point in enumerate(points):
        room = 0.0
        for axis, value in enumerate(point):
            column = [other[axis] for other in points]
            below, above = [v for v in column if v < value], [v for v in column if v > value]
            at_the_end = not below or not above
            room += math.inf if at_the_end else (min(above) - max(below)) / (max(column) - min(column))
        assert crowding(points)[index] == pytest.approx(room)


def test_the_knee_is_where_the_front_bends():
    assert knee([(0, 100), (1, 20), (2, 18), (10, 0)]) == 1
    assert knee([(3, 3)]) == 0
    assert knee([]) is None


@given(clouds(), st.integers(1, 9))
def test_the_knee_of_a_cloud_is_on_its_front_and_knows_no_units(points, factor):
    """Nothing that is dominated has the least sum; and scales cancel."""
    place = knee(points)
    assert points[place] not in beaten(points)
    assert knee([tuple(value * factor + 3 for value in point) for point in points]) == place


@given(clouds(), st.integers(1, 14))
def test_spread_chooses_that_many_with_the_best_of_each_objective(points, n):
    chosen = spread(points, n)
    assert len(set(chosen)) == len(chosen) == min(n, len(points))
    assert chosen == sorted(chosen)
    for axis in range(min(n, len(points[0]))):
        assert min(points[i][axis] for i in chosen) == min(p[axis] for p in points)


def test_spread_takes_the_far_ones_and_not_the_near():
    line = [(0.0, 100.0), (0.01, 99.0), (0.02, 98.0), (0.5, 50.0), (0.99, 1.0), (1.0, 0.0)]
    assert spread(line, 3) == [0, 3, 5]
    assert spread(line, 1) == [0]
    assert spread([], 3) == []


def test_spread_does_not_depend_on_the_units():
    rng = random.Random(3)
    points = [(x, -x) for x in (rng.random() for _ in range(20))]
    assert spread(points, 5) == spread([(x * 1e9, y) for x, y in points], 5)
