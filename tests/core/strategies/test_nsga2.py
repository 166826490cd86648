import pytest

from tests.conformance.strategies import StrategyConformance
from windtunnel.strategies import get_strategy


class TestNSGA2(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("nsga2")
