import pytest

from tests.conformance.strategies import StrategyConformance
from windtunnel.strategies import get_strategy


class TestGp(StrategyConformance):
    @pytest.fixture
    def strategy(self):
        return get_strategy("gp")
