import random

import numpy as np

from windtunnel.strategies.pareto.design import design
from windtunnel.strategies.pareto.kernel import Features, Groups, Kernel

KERNEL = Kernel(Groups(np.arange(2), np.arange(2), 2))


def spread(known, n, trials=0, seed=0, total=None):
    place = np.random.default_rng(0).random((len(known) + trials, 2))
    return design(
        known, Features(place, 2 * place - 1, np.zeros(len(place))), KERNEL, n, total or n, random.Random(seed)
    )


def uncertainty(chosen, count):
    """The mean variance that the model has left, after it has seen these of so many places."""
    place = np.random.default_rng(0).random((count, 2))
    features = Features(place, 2 * place - 1, np.zeros(len(place)))
    covariance = KERNEL.covariance(KERNEL.prior_mean, features, features)
    seen = covariance[np.ix_(chosen, chosen)] + np.diag(KERNEL.noise(KERNEL.prior_mean, features)[chosen])
    left = covariance - covariance[:, chosen] @ np.linalg.solve(seen, covariance[chosen])
    return np.diag(left).mean()


def test_known_costs_are_covered_evenly_from_the_best_to_the_worst():
    cost = np.random.default_rng(1).random((2000, 1)) ** 3  # most are cheap
    chosen = np.sort(cost[spread(cost, 20), 0])
    assert chosen[0] == cost.min()
    assert chosen[-1] == cost.max()
    assert np.diff(chosen).max() < 0.16


def test_a_second_batch_goes_on_where_the_first_one_ended():
    cost = np.linspace(0, 1, 1000)[:, None]
    first = {round(float(cost[index, 0]), 1) for index in spread(cost, 5, total=10)}
    second = [float(cost[index, 0]) for index in spread(cost, 5, trials=5, total=10)]
    assert first >= {0.0, 1.0}
    assert all(0 < value < 1 for value in second)


def test_without_known_costs_the_model_is_left_least_uncertain():
    chosen = spread(np.empty((500, 0)), 10)
    drawn = [random.Random(seed).sample(range(500), 10) for seed in range(50)]
    assert uncertainty(chosen, 500) < min(uncertainty(one, 500) for one in drawn)


def test_among_like_costs_the_telling_ones_are_taken():
    cost = np.random.default_rng(1).random((500, 1))
    chosen = spread(cost, 10)
    drawn = [random.Random(seed).sample(range(500), 10) for seed in range(50)]
    assert uncertainty(chosen, 500) < np.quantile([uncertainty(one, 500) for one in drawn], 0.05)


def test_all_are_taken_where_there_are_no_more():
    assert sorted(spread(np.zeros((3, 1)), 10)) == [0, 1, 2]
