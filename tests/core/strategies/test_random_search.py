from collections import Counter

import pytest

from tests.conformance.strategies import GRID, StrategyConformance, problem
from windtunnel.strategies import get_strategy


class TestRandom(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("random")


def test_draws_are_even():
    task = problem(GRID)
    draws = (get_strategy("random").suggest(task, [], 1, seed, 1).suggestions[0].params for seed in range(600))
    counted = Counter(params["kernel"] for params in draws)
    assert all(140 < counted[kernel] < 260 for kernel in (1, 3, 5))
