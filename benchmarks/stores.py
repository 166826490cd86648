"""How long listing and reading a run's results takes in both stores, and how that grows with their number.

    python benchmarks/stores.py [--sizes 100,1000,5000,20000]

Listing is what a poll and a strategy do (`Ledger.outcomes`); reading gets a hundred whole results one by one. Azure is
Azurite on this machine, started by the script; requests are counted in its log. Processor time, the ledger's and the
server's, is what a listing takes on a machine that does nothing else, whatever else this one does.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.azurite import Azurite, azurite
from windtunnel.ledger import Ledger, Result, State
from windtunnel.ledger.ids import trial_id
from windtunnel.stores import Store, open_store

READS, TRIES, WRITERS = 100, 3, 4


@dataclass(frozen=True)
class Row:
    """What one number of results took, in seconds: the best of some listings, and a read; and a listing's requests.

    `cpu` is this process's share of the best listing, `server` the server's processor time for it.
    """

    store: str
    results: int
    listing: float
    cpu: float
    server: float | None
    reading: float
    requests: int | None

    def __str__(self) -> str:
        requests = "-" if self.requests is None else str(self.requests)
        served = "-" if self.server is None else f"{self.server:.3f}"
        each = 1e6 * self.listing / self.results
        return (
            f"{self.store:<8} {self.results:>7} {self.listing:>9.3f} {self.cpu:>9.3f} {served:>9} {each:>9.0f} "
            f"{requests:>9} {1e3 * self.reading:>8.1f}"
        )


HEAD = (
    f"{'store':<8} {'results':>7} {'listing s':>9} {'of it CPU':>9} {'server':>9} {'µs each':>9} "
    f"{'requests':>9} {'read ms':>8}"
)


def result(number: int) -> Result:
    """A result like that of a small search."""
    config = f"{number:016x}"
    values = {"val_acc": 0.9 + number % 97 / 1000, "flops": 1e6 + number}
    return Result(
        trial=trial_id(config, 1),
        state=State.COMPLETED,
        config=config,
        params={"width": number % 64, "depth": number % 7, "learning_rate": 0.001 * (1 + number % 9)},
        epochs=1,
        objectives=values,
        metrics={**values, "params": 12345.0 + number, "loss": 0.1},
        epoch=1,
        seconds=12.3,
        started="2026-01-01T00:00:00.000+00:00",
        ended="2026-01-01T00:00:12.300+00:00",
    )


def measure(name: str, store: Store, results: int, server: Azurite | None = None) -> Row:
    """Write that many results into a run of its own, then list them all and read some."""
    ledger = Ledger(store, "bench", str(results))
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: ledger.record(result(number)), range(results)))
    times, cpu, served, requests = [], [], [], None
    for _ in range(TRIES):
        before = len(server.requests()) if server else 0
        began_server = server.cpu() if server else 0.0
        began, began_cpu = time.perf_counter(), time.process_time()
        results_read = ledger.outcomes()
        times.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
        served += [server.cpu() - began_server] if server else []
        requests = len(server.requests()) - before if server else None
        assert len(results_read) == results
    began = time.perf_counter()
    for number in range(READS):
        ledger.result(result(number).trial)
    reading = (time.perf_counter() - began) / READS
    return Row(name, results, min(times), min(cpu), min(served, default=None), reading, requests)


def growth(rows: list[Row]) -> str:
    """How the time of a listing grows: the exponent between the smallest and the largest number of results."""
    import math

    first, last = rows[0], rows[-1]
    if first.results == last.results:
        return ""
    power = math.log(last.listing / first.listing) / math.log(last.results / first.results)
    return f"{last.store}: from {first.results} to {last.results} results a listing's time grows as n^{power:.2f}"


def main() -> None:
    """Measure both stores and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="100,1000,5000,20000", help="numbers of results, separated by commas")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    print(HEAD)
    lines = []
    with tempfile.TemporaryDirectory() as folder, azurite() as server:
        account = {"AZURE_STORAGE_CONNECTION_STRING": server.connection_string}
        places = {"local": (open_store(folder), None), "azurite": (open_store("azure://bench/runs", account), server)}
        for name, (store, counted) in places.items():
            rows = []
            for size in sizes:
                rows.append(measure(name, store, size, counted))
                print(rows[-1], flush=True)
            lines.append(growth(rows))
    print("\n".join(line for line in lines if line))


if __name__ == "__main__":
    main()
