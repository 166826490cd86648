"""The memory of a lane that runs trial after trial: it must not grow with them.

    python -m benchmarks.lane_memory [--trials 5000] [--slots 4]

One lane, launched as a search launches it, claims trials that do nothing, in batches of 50. What it holds is the
resident memory of its own, with what it shares with the trials' processes. Printed beside are the pages of programs and
libraries that it has read: the kernel keeps those once for all and lets them go when it needs the room, and their
number grows as more of a library comes to be used.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from windtunnel.definition import Definition
from windtunnel.launchers import get_launcher
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.queue import open_queue, unfinished
from windtunnel.stages import Search, begin, select, start, suggest
from windtunnel.stores import open_store

BATCH = 50
ALLOWED = 1.02  # times what it held after the first batch: the allocator's own moves
_EVERY = 10  # batches between two lines


class Held(NamedTuple):
    """What a process holds, in bytes.

    Attributes:
        own: of its own, RssAnon of proc(5).
        files: mapped from programs and libraries, RssFile.
    """

    own: int
    files: int


def begun(folder: Path, trials: int, slots: int) -> Search:
    """A search of so many trials that do nothing, on one lane; its data is prepared."""
    fields = {
        "name": "memory",
        "workload": "benchmarks.workloads.nothing_without_torch",
        "space": {"x": {"type": "float", "low": 0, "high": 1}, "y": {"type": "categorical", "choices": ["a", "b"]}},
        "objectives": {"score": "maximize"},
        "strategy": {"name": "random"},
        "continuous": True,
        "trials": {"initial": BATCH, "per_iteration": BATCH},
        "iterations": -(-trials // BATCH),
        "limits": {"parallel": 1, "slots": slots, "linger": 600},
    }
    search = begin(Definition.model_validate(fields), Ledger(open_store(str(folder)), "memory", "run"), "s1")
    search.ledger.write_json("data/manifest.json", {"digest": "0", "files": {}, "splits": {}})
    start(search)
    return search


def held(search: Search) -> Iterator[Held]:
    """What the lane holds after each batch."""
    ledger, launcher, lane = search.ledger, get_launcher("local"), Job.of_lane(1, 0)
    try:
        for k in range(1, search.definition.iterations + 1):
            stage = suggest(search, k).stage
            open_queue(ledger, stage)
            launcher.launch(ledger, lane)  # which does nothing where it lives
            while unfinished(ledger, [stage], ledger.ended()):
                time.sleep(0.1)
            yield _resident(_process(Path(ledger.store.url) / ledger.path(f"jobs/{lane.job}.log")))
            select(search, k)
    finally:
        launcher.cancel(ledger)


def _process(log: Path) -> int:
    processes = re.findall(r": process (\d+), launch ", log.read_text())
    assert len(processes) == 1, f"{log}: the lane was launched {len(processes)} times"
    return int(processes[0])


def _resident(pid: int) -> Held:
    status = Path(f"/proc/{pid}/status").read_text()
    kibibytes = dict(re.findall(r"(RssAnon|RssFile):\s+(\d+)", status))
    return Held(1024 * int(kibibytes["RssAnon"]), 1024 * int(kibibytes["RssFile"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--slots", type=int, default=4)
    given = parser.parse_args()
    sizes: list[Held] = []
    with tempfile.TemporaryDirectory(prefix="windtunnel-memory-") as folder:
        for size in held(begun(Path(folder), given.trials, given.slots)):
            sizes.append(size)
            if len(sizes) == 1 or len(sizes) % _EVERY == 0:
                print(
                    f"after {BATCH * len(sizes):>6} trials: {_text(size.own)}, and {_text(size.files)} of files",
                    flush=True,
                )
    grown = sizes[-1].own / sizes[0].own
    print("The lane holds no more." if grown <= ALLOWED else f"It has grown to {grown:.2f} times what it was.")


def _text(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


if __name__ == "__main__":
    main()
