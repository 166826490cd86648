"""Time and memory a partition of a fleet whose entry does nothing, beside multiprocessing.Pool and joblib.

`python -m benchmarks.fleet` writes a table for mini-batches of ten and of one. All three do the same work in one run:
each mini-batch is a list of paths, and what comes back for each path becomes a row of one table. With `--tenants 5` it
measures twelve tenants of five seconds on two lanes of two processes, whose ideal is fifteen seconds. With
`--memory 1000,5000,20000` it tells how much memory of the engine and of a lane a partition takes.
"""

import argparse
import csv
import json
import math
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from windtunnel.definition import Fleet
from windtunnel.definition.fleet import read_fleet
from windtunnel.engine.fleet import FleetEngine
from windtunnel.engine.session import own_session
from windtunnel.fleet.beginning import begin
from windtunnel.fleet.gathering import gathered
from windtunnel.fleet.records import recorded
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


class Watch:
    """CPU time and memory of this process and of a run's lanes, looked at now and then.

    Attributes:
        lanes: by process, its CPU seconds and, in bytes, the most memory it had.
    """

    def __init__(self, url: str, every: float) -> None:
        """Watch the lanes of the run at this URL, so many seconds apart."""
        self._url = url
        self._next, self._every = 0.0, every
        self._began = own_cpu()
        self.lanes: dict[int, tuple[float, int]] = {}

    def look(self, _progress: object = None) -> None:
        """Look, unless that was done just before."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        for process in psutil.process_iter(["cmdline"]):
            if self._url in (process.info["cmdline"] or []):
                with suppress(psutil.Error):
                    times, used = process.cpu_times(), process.memory_info().rss
                    most = max(used, self.lanes.get(process.pid, (0.0, 0))[1])
                    self.lanes[process.pid] = (times.user + times.system, most)

    @property
    def cpu(self) -> float:
        """CPU seconds so far; those of the last second of a lane are not seen."""
        return own_cpu() - self._began + sum(seconds for seconds, _ in self.lanes.values())


def own_cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def split_up(fleet: Fleet, folder: Path) -> Ledger:
    """A run whose data is split, which is not measured."""
    ledger = Ledger(open_store(str(folder / "runs")), fleet.name, "run")
    session, running = own_session(ledger)
    begun = begin(fleet, ledger, session, running)
    split(begun, fleet)
    begun.end(session, "what follows is measured")
    return ledger


def ours(fleet: Fleet, ledger: Ledger, every: float = 1.0) -> Watch:
    """From first launch to gathered table, with looks at the lanes so many seconds apart."""
    watch = Watch(ledger.url, every)
    published, table = FleetEngine(fleet, ledger, look=watch.look).perform(), gathered(ledger)
    assert table is not None and table["rows"] == published["accounts"]["partitions"]
    return watch


def pool(batches: list[list[str]], folder: Path, processes: int) -> None:
    """The same by multiprocessing.Pool."""
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        write(workers.imap(run, batches), folder / "pool.csv")


def by_joblib(batches: list[list[str]], folder: Path, processes: int) -> None:
    """The same by joblib."""
    from joblib import Parallel, delayed

    write(Parallel(n_jobs=processes)(delayed(run)(batch) for batch in batches), folder / "joblib.csv")


def write(results: Iterator[list[int]] | list[list[int]], file: Path) -> None:
    """The table, as the others' user would write it."""
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerows([value] for values in results for value in values)


def measure(partitions: int, size: int, processes: int) -> None:
    """Do the same work by all three, and print what it took."""
    say(f"{partitions} partitions in mini-batches of {size}, {processes} processes")
    say(f"{'':22} {'seconds':>8} {'ms each':>8} {'CPU s':>8} {'CPU ms each':>12}")
    with tempfile.TemporaryDirectory(prefix="windtunnel-benchmark-", dir=".") as name:
        folder = Path(name).absolute()
        fleet, batches = make(folder, partitions, size, processes)
        ledger = split_up(fleet, folder)
        contenders: dict[str, Callable[[], Watch | None]] = {
            "Windtunnel": lambda: ours(fleet, ledger),
            "multiprocessing.Pool": lambda: pool(batches, folder, processes),
            "joblib": lambda: by_joblib(batches, folder, processes),
        }
        for who, perform in contenders.items():
            began, cpu = time.monotonic(), own_cpu()
            watch = perform()
            seconds, cpu = time.monotonic() - began, watch.cpu if watch is not None else own_cpu() - cpu
            each = 1000 / partitions
            say(f"{who:22} {seconds:8.2f} {seconds * each:8.3f} {cpu:8.2f} {cpu * each:12.3f}")


def tenants(count: int, seconds: float) -> None:
    """Print how long tenants of so many seconds take on 2 x 2 processes, from first launch to last result."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-benchmark-", dir=".") as name:
        folder = Path(name).absolute()
        fleet, _ = make(folder, count, 1, 2)
        (folder / "entry.py").write_text(f"import time\n{SCRIPT.replace('return', f'time.sleep({seconds}); return')}")
        limits = fleet.limits.model_copy(update={"parallel": 2, "slots": 2})
        ledger = Ledger(open_store(str(folder / "runs")), fleet.name, "run")
        FleetEngine(fleet.model_copy(update={"limits": limits}), ledger).perform()
        launches = [moment for moments in ledger.launch_times("lane-").values() for moment in moments]
        took, ideal = max(recorded(ledger).values()) - min(launches), math.ceil(count / 4) * seconds
    say(f"{count} tenants of {seconds:g} s on 2 x 2 processes: {took:.2f} s; ideal {ideal:g} s: {took / ideal:.3f} x")


def memory(partitions: int, size: int, processes: int) -> None:
    """Print the most memory that this process and a lane have had, in bytes, as JSON."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-benchmark-", dir=".") as name:
        folder = Path(name).absolute()
        fleet, _ = make(folder, partitions, size, processes)
        watch = ours(fleet, split_up(fleet, folder), every=0.05)  # a lane is gone soon after its last mini-batch
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say(json.dumps({"engine": own, "lane": max(most for _, most in watch.lanes.values())}))


def growth(counts: list[int], size: int, processes: int) -> None:
    """Print how much memory a partition takes, by runs of so many, each in processes of its own."""
    peaks: list[dict[str, int]] = []
    for count in counts:
        command = [sys.executable, "-m", "benchmarks.fleet", "--memory-of", str(count), "--sizes", str(size)]
        command += ["--processes", str(processes)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(json.loads(output.splitlines()[-1]))
        sizes = ", ".join(f"{who} {most >> 20} MiB" for who, most in peaks[-1].items())
        each = (peaks[-1][who] - peaks[0][who] for who in peaks[0])
        per = ", ".join(f"{grown / (count - counts[0]) / 1000:.2f} KB" for grown in each) if count > counts[0] else ""
        say(f"{count:6} partitions: {sizes}" + (f"; a partition beyond {counts[0]}: {per}" if per else ""))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=5000)
    parser.add_argument("--sizes", default="10,1", help="partitions of a mini-batch, of each measurement")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--memory", default="", metavar="COUNTS", help="measure memory instead: 1000,5000,20000")
    parser.add_argument(
        "--tenants", type=float, metavar="SECONDS", help="measure 12 tenants of so many seconds instead"
    )
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = list(map(int, arguments.sizes.split(",")))
    if arguments.memory_of:
        memory(arguments.memory_of, sizes[0], arguments.processes)
    elif arguments.tenants:
        tenants(12, arguments.tenants)
    elif arguments.memory:
        growth(list(map(int, arguments.memory.split(","))), sizes[0], arguments.processes)
    else:
        for size in sizes:
            measure(arguments.partitions, size, arguments.processes)


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
