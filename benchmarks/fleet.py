"""Time and memory a partition of a fleet whose entry does nothing, beside multiprocessing.Pool and joblib.

`python -m benchmarks.fleet --partitions 5000 --size 10` writes a table. All three do the same work in one run: each
mini-batch is a list of paths, and what comes back for each path becomes a row of one table.
"""

import argparse
import csv
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from windtunnel.definition import Fleet
from windtunnel.definition.fleet import read_fleet
from windtunnel.engine.fleet import FleetEngine
from windtunnel.engine.session import own_session
from windtunnel.fleet.beginning import begin
from windtunnel.fleet.split import split
from windtunnel.ledger import Ledger
from windtunnel.stores import open_store

SCRIPT = "def run(mini_batch):\n    return [len(path) for path in mini_batch]\n"


def run(mini_batch: Sequence[str]) -> list[int]:
    """The entry as a function, for the others."""
    return [len(path) for path in mini_batch]


def make(folder: Path, partitions: int, size: int, processes: int) -> tuple[Fleet, list[list[str]]]:
    """Data of so many partitions, and a fleet over them.

    Args:
        folder: to write to.
        partitions: how many.
        size: partitions of a mini-batch.
        processes: at once.
    """
    data = folder / "data"
    data.mkdir()
    files = [data / f"part_{number:06}.csv" for number in range(partitions)]
    for number, file in enumerate(files):
        file.write_text(f"a,b\n{number},1\n")
    script = folder / "entry.py"
    script.write_text(SCRIPT)
    fields = {
        "kind": "fleet",
        "name": "nothing",
        "data": str(data),
        "entry_script": str(script),
        "mini_batch_size": size,
        "gather": {"append_row_to": "rows.csv"},
        "limits": {"parallel": processes},
    }
    fleet, faults = read_fleet(fields)
    assert fleet is not None, faults
    paths = list(map(str, files))
    return fleet, [paths[first : first + size] for first in range(0, len(paths), size)]


def ours(fleet: Fleet, folder: Path) -> float:
    """Seconds from first launch to gathered table: the data is split before."""
    ledger = Ledger(open_store(str(folder / "runs")), fleet.name, "run")
    session, running = own_session(ledger)
    begun = begin(fleet, ledger, session, running)
    split(begun, fleet)
    begun.end(session, "what follows is measured")
    began = time.monotonic()
    outcome = FleetEngine(fleet, ledger).perform()
    assert outcome.gathered["rows"] == outcome.accounts.partitions
    return time.monotonic() - began


def pool(batches: list[list[str]], folder: Path, processes: int) -> float:
    """Seconds of multiprocessing.Pool for the same."""
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        write(workers.imap(run, batches), folder / "pool.csv")
    return time.monotonic() - began


def joblib_s(batches: list[list[str]], folder: Path, processes: int) -> float:
    """Seconds of joblib for the same."""
    from joblib import Parallel, delayed

    began = time.monotonic()
    write(Parallel(n_jobs=processes)(delayed(run)(batch) for batch in batches), folder / "joblib.csv")
    return time.monotonic() - began


def write(results: Iterator[list[int]] | list[list[int]], file: Path) -> None:
    """The table, as the others' user would write it."""
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerows([value] for values in results for value in values)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=5000)
    parser.add_argument("--size", type=int, default=10, help="partitions of a mini-batch")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windtunnel-benchmark-", dir=".") as name:
        folder = Path(name).absolute()
        fleet, batches = make(folder, arguments.partitions, arguments.size, arguments.processes)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measured: dict[str, Callable[[], float]] = {
            "Windtunnel": lambda: ours(fleet, folder),
            "multiprocessing.Pool": lambda: pool(batches, folder, arguments.processes),
            "joblib": lambda: joblib_s(batches, folder, arguments.processes),
        }
        say(f"{arguments.partitions} partitions in mini-batches of {arguments.size}, {arguments.processes} processes")
        for who, measure in measured.items():
            seconds = measure()
            say(f"{who:22} {seconds:8.2f} s  {1000 * seconds / arguments.partitions:8.3f} ms a partition")
            if who == "Windtunnel":
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
                lanes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
                say(f"{' ':22} memory: {grown / arguments.partitions:.2f} KB a partition; children: {lanes >> 10} MB")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
