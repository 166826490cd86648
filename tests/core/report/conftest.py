from pathlib import Path

import pytest

from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(LocalStore(tmp_path), "digits_cnn", "first")
