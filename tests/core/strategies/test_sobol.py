import pytest

from tests.conformance.strategies import StrategyConformance, observed
from windtunnel.space import Space
from windtunnel.strategies import Problem, get_strategy


class TestSobol(StrategyConformance):
    random_by = ("seed",)

    @pytest.fixture
    def strategy(self):
        return get_strategy("sobol")


def test_iterations_fill_the_space_evenly_together():
    """Of 64 points in two dimensions, every one of 8 x 8 squares gets one: random points leave a third empty."""
    unit = {"type": "uniform", "min_value": 0, "max_value": 1}
    task = Problem(Space.parse({"x": unit, "y": unit}), {"value": "minimize"})
    history = []
    for iteration in range(1, 5):
        batch = get_strategy("sobol").suggest(task, history, 16, 3, iteration)
        history += [observed(task, one, len(history) + i) for i, one in enumerate(batch.suggestions)]
    assert len({(int(seen.params["x"] * 8), int(seen.params["y"] * 8)) for seen in history}) == 64
