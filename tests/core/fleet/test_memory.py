"""What a process holds of a partition is little, however many there are."""

import tracemalloc

import pytest

from tests.fleets import fleet_from, succeed
from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import begin, lanes
from windtunnel.fleet.gathering import gather
from windtunnel.fleet.partitions import Partition, Partitions
from windtunnel.fleet.planning import plan
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import ended
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

MOST = 2048  # bytes a partition


def many(*counts):
    return [pytest.param(count, marks=[pytest.mark.slow] if count > 1000 else []) for count in counts]


@pytest.mark.parametrize("count", many(1000, 5000, 20_000))
def test_planning_claiming_counting_and_gathering_hold_little_of_each_partition(tmp_path, monkeypatch, count):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    walk(tmp_path / "before", 10)  # what is imported on the way is no partition's
    few, all_of_them = peak_of(tmp_path / "few", count // 10), peak_of(tmp_path / "all", count)
    each = (all_of_them - few) / (count - count // 10)
    assert each < MOST, f"{each:.0f} bytes a partition"


def peak_of(folder, count):
    """The most memory that so many partitions need, in bytes."""
    tracemalloc.start()
    try:
        walk(folder, count)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def walk(folder, count):
    """Plan, claim, end, count and gather so many partitions."""
    fleet = fleet_from(folder, limits={"parallel": 2})
    ledger = begin(fleet, Ledger(open_store(str(folder / "runs")), fleet.name, "run"), "session")
    Partitions(["tenant"], (Partition(f"tenant_{n}.csv", (str(n),), f"{n:064x}", 3) for n in range(count))).write(
        ledger
    )
    partitions = Partitions.read(ledger)
    what = plan(ledger, fleet, partitions)
    queue = Queue(ledger, what, lanes(ledger, fleet, what)[0], 2, 1)
    assert [queue.next().number, queue.next().number] == [0, 2]
    for number in range(count):
        succeed(ledger, what, number, accuracy=0.5)
    assert Accounts.of(what, ended(ledger)).batches_done == count
    gather(ledger, fleet, what, partitions)
