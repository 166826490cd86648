import pytest

from tests.conformance.claims import ClaimsConformance
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore


class TestInAFolder(ClaimsConformance):
    @pytest.fixture
    def ledger(self, tmp_path):
        return Ledger(LocalStore(tmp_path), "search", "run")
