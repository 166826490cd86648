import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.strategies.pareto.gain import Front, reference

POINT = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(st.lists(POINT, max_size=12), st.lists(POINT, min_size=1, max_size=5), st.lists(POINT, max_size=3))
@settings(max_examples=200, deadline=None)
def test_with_two_objectives_the_gain_is_the_exact_growth_of_the_hypervolume(points, candidates, added):
    corner = np.array([0.9, 0.8])
    front = Front(np.array(points).reshape(-1, 2), corner)
    for point in added:
        front.add(np.array(point))
    there = np.array(points + added).reshape(-1, 2)

    def volume(extra):
        every = np.vstack([there, extra]) if extra is not None else there
        return moocore.hypervolume(every, corner) if len(every) else 0.0

    expected = [volume(np.array([one])) - volume(None) for one in candidates]
    assert front.gain(np.array(candidates)) == pytest.approx(expected, abs=1e-9)


def test_with_one_objective_the_gain_is_the_improvement():
    front = Front(np.array([[3.0], [2.0]]), np.array([10.0]))
    assert front.gain(np.array([[1.5], [2.5]])).tolist() == [0.5, 0.0]
    front.add(np.array([1.0]))
    assert front.gain(np.array([[1.5], [0.0]])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("count", [3, 5])
def test_with_more_objectives_the_gain_ranks_as_the_hypervolume_does(count):
    rng = np.random.default_rng(0)
    corner = np.ones(count)
    points, candidates = rng.random((10, count)), rng.random((60, count)) * 0.6
    front = Front(points, corner)
    before = moocore.hypervolume(points, corner)
    exact = np.array([moocore.hypervolume(np.vstack([points, one]), corner) - before for one in candidates])
    assert np.corrcoef(front.gain(candidates), exact)[0, 1] > 0.97


def test_a_dominated_point_gains_nothing():
    for count in (1, 2, 3, 5):
        front = Front(np.full((1, count), 0.2), np.ones(count))
        assert front.gain(np.full((1, count), 0.3))[0] == 0
        assert front.gain(np.full((1, count), 0.1))[0] > 0


def test_a_diverged_training_does_not_move_the_reference_far():
    points = np.column_stack([np.linspace(1, 2, 20), np.linspace(2, 1, 20)])
    usual = reference(points)
    diverged = reference(np.vstack([points, [1e9, 3.0]]))
    assert (usual > points.max(0)).all()
    assert diverged[0] < 10


def test_a_gain_begins_below_the_fronts_level():
    front = Front(np.array([[0.2, 0.6], [0.5, 0.3]]), np.array([0.9, 0.8]))
    others = np.array([0.1, 0.2, 0.4, 0.5, 0.85, 0.95])
    assert front.levels(others, 1).tolist() == [0.8, 0.6, 0.6, 0.3, 0.3, -np.inf]
    assert front.levels(np.array([0.1, 0.3, 0.4, 0.7, 0.8]), 0).tolist() == [0.9, 0.5, 0.5, 0.2, -np.inf]
    for objective in (0, 1):
        levels = front.levels(np.array([0.1, 0.45, 0.7]), objective)
        for shift, gains in ((-1e-6, True), (1e-6, False)):
            points = np.empty((3, 2))
            points[:, objective], points[:, 1 - objective] = levels + shift, [0.1, 0.45, 0.7]
            assert ((front.gain(points) > 0) == gains).all()
