"""Reading leaves nothing behind: a lane reads the records of thousands of trials, each with ids of its own."""

import sys

from windtunnel.ledger import Ledger
from windtunnel.ledger.claims import Claims
from windtunnel.stores import open_store

READ = 200


def test_what_was_read_is_not_kept(tmp_path):
    claims = Claims(Ledger(open_store(str(tmp_path)), "search", "run"))
    units = [f"{number:016x}-e1" for number in range(READ)]
    for unit in units:
        claims.take(unit, f"lane-of-{unit}", 1)

    def held() -> int:
        for unit in units:
            claims.read(unit, 1)
        return sys.getallocatedblocks()

    claims.read(units[0], 1)
    before = sys.getallocatedblocks()
    assert held() - before < READ / 2
