import numpy as np
import pytest
from scipy.stats import norm

from tests.core.strategies.pareto.test_model import features, kernel
from windtunnel.strategies.pareto.ensemble import Ensemble
from windtunnel.strategies.pareto.expectation import expected_gain
from windtunnel.strategies.pareto.gain import Front

ROWS = np.arange(30)


@pytest.fixture
def prediction():
    some = features(20)
    process = Ensemble.fitted([kernel()], some, some.place @ [1.0, -2.0, 0.5], np.random.default_rng(0), warp=False)
    return process.predict(features(30, seed=1))


def normal(prediction):
    mean = prediction.values(0.0)
    return mean, prediction.values(1.0) - mean


def test_with_one_objective_it_is_the_expected_improvement(prediction):
    mean, deviation = normal(prediction)
    best = float(np.median(mean))
    z = (best - mean) / deviation
    exact = deviation * (z * norm.cdf(z) + norm.pdf(z))
    likely = z > -3
    gains = expected_gain(Front(np.array([[best]]), np.array([9.0])), [prediction], 1.0, ROWS)
    assert np.exp(gains[likely]) == pytest.approx(exact[likely], rel=0.1)


def test_it_tells_candidates_apart_where_floating_point_has_no_gain_left(prediction):
    gains = expected_gain(Front(np.array([[-500.0]]), np.array([9.0])), [prediction], 1.0, ROWS)
    assert np.isfinite(gains).all()
    assert gains.max() < -1000
    assert len(set(gains.tolist())) == len(gains)


def test_with_a_known_objective_only_what_it_leaves_to_gain_counts(prediction):
    mean, deviation = normal(prediction)
    known = np.linspace(0, 1, 30)
    front = Front(np.array([[0.5, -1.0]]), np.array([0.8, 3.0]))
    gains = expected_gain(front, [known, prediction], 1.0, ROWS)
    assert np.isneginf(gains[known >= 0.8]).all()
    drawn = mean + deviation * np.random.default_rng(0).normal(size=(20_000, 1))
    points = np.stack([np.broadcast_to(known, drawn.shape), drawn], -1)
    sampled = front.gain(points).mean(0)
    likely = sampled > 1e-3
    assert likely.sum() > 5
    assert np.exp(gains[likely]) == pytest.approx(sampled[likely], rel=0.1, abs=1e-3)
    turned = Front(np.array([[-1.0, 0.5]]), np.array([3.0, 0.8]))
    assert expected_gain(turned, [prediction, known], 1.0, ROWS)[:20] == pytest.approx(gains[:20], rel=1e-6)


def test_two_learnt_objectives_gain_what_draws_of_both_do(prediction):
    mean, deviation = normal(prediction)
    front = Front(np.array([[-0.5, 0.2], [0.3, -0.6]]), np.array([1.0, 1.0]))
    drawn = mean[:, None] + deviation[:, None] * np.random.default_rng(0).normal(size=(2, 30, 20_000))
    sampled = front.gain(np.stack([*drawn], -1)).mean(1)
    gains = expected_gain(front, [prediction, prediction], 1.0, ROWS)
    likely = sampled > 1e-2
    assert np.exp(gains[likely]) == pytest.approx(sampled[likely], rel=0.15)
