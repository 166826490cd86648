import pytest

from tests.conformance.strategies import StrategyConformance
from windtunnel.strategies import get_strategy


class TestGrid(StrategyConformance):
    random_by = ()

    @pytest.fixture
    def strategy(self):
        return get_strategy("grid")
