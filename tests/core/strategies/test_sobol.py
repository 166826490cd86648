import pytest

from tests.conformance.strategies import StrategyConformance
from windtunnel.strategies import get_strategy


class TestSobol(StrategyConformance):
    random_by = ("seed",)

    @pytest.fixture
    def strategy(self):
        return get_strategy("sobol")
