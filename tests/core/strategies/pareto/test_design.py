import random

import numpy as np

from windtunnel.strategies.pareto.design import design
from windtunnel.strategies.pareto.kernel import Features


def spread(known, n, trials=0, seed=0):
    place = np.random.default_rng(0).random((len(known) + trials, 2))
    return design(known, Features(place, place), n, random.Random(seed))


def test_known_costs_are_covered_evenly_from_the_best_to_the_worst():
    cost = np.random.default_rng(1).random((2000, 1)) ** 3  # most are cheap
    chosen = np.sort(cost[spread(cost, 20), 0])
    assert chosen[0] == cost.min()
    assert chosen[-1] == cost.max()
    assert np.diff(chosen).max() < 0.12


def test_a_second_batch_goes_on_where_the_first_one_ended():
    cost = np.linspace(0, 1, 1000)[:, None]
    first = {round(float(cost[index, 0]), 1) for index in spread(cost, 5)}
    second = [float(cost[index, 0]) for index in spread(cost, 5, trials=5)]
    assert first >= {0.0, 1.0}
    assert all(0 < value < 1 for value in second)


def test_without_known_costs_the_space_is_covered():
    none = np.empty((500, 0))
    place = np.random.default_rng(0).random((500, 2))
    chosen = place[spread(none, 20)]
    apart = np.linalg.norm(chosen[:, None] - chosen[None], axis=2) + np.eye(20)
    drawn = place[:20]
    random_apart = np.linalg.norm(drawn[:, None] - drawn[None], axis=2) + np.eye(20)
    assert apart.min() > random_apart.min()


def test_all_are_taken_where_there_are_no_more():
    assert sorted(spread(np.zeros((3, 1)), 10)) == [0, 1, 2]
