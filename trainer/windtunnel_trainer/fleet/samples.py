"""Resource samples of a lane's processes: CPU, memory and GPU, a row each time, as CSV."""

import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import psutil

from windtunnel.errors import StoreError
from windtunnel.host.machine import now
from windtunnel.ledger import Ledger
from windtunnel_trainer.gpus import devices
from windtunnel_trainer.logs import say

_HEADER = "moment,lane,slot,process,cpu_percent,memory_bytes,gpu_percent,gpu_memory_bytes\n"
_PAUSE = 60.0  # seconds between two writes to the ledger
_MOST = 20_000  # rows; beyond, every other one is dropped


class Samples:
    """Keeps `samples/<lane>.<launch>.csv` in the ledger."""

    def __init__(self, ledger: Ledger, lane: str, launch: int, interval: float) -> None:
        """Nothing is measured yet.

        Args:
            ledger: of the run.
            lane: the job.
            launch: number of its launch.
            interval: seconds between two samples.
        """
        self._ledger, self._lane, self._launch, self._interval = ledger, lane, launch, interval
        self._processes: dict[int, psutil.Process] = {}
        self._rows: list[str] = []
        self._next, self._write, self._written = 0.0, monotonic() + _PAUSE, 0
        self._has_gpus = bool(devices()) and shutil.which("nvidia-smi") is not None

    def take(self, processes: Sequence[tuple[int, int]]) -> None:
        """Measure if it is time to.

        Args:
            processes: slot and process id of each.
        """
        moment = monotonic()
        if moment < self._next:
            return
        self._next = moment + self._interval
        gpu = self._gpu() if self._has_gpus else ","
        for slot, pid in processes:
            with suppress(psutil.Error):
                process = self._processes.setdefault(pid, psutil.Process(pid))
                cpu, used = process.cpu_percent(), process.memory_info().rss
                self._rows.append(f"{now()},{self._lane},{slot},{pid},{cpu:.1f},{used},{gpu}\n")
        self._processes = {pid: self._processes[pid] for _, pid in processes if pid in self._processes}
        if len(self._rows) > _MOST:
            self._rows = self._rows[::2]
        if moment > self._write:
            self._write = moment + _PAUSE
            self.write()

    def write(self) -> None:
        """Bring the samples to the ledger."""
        if not self._rows:
            return
        content = (_HEADER + "".join(self._rows)).encode()
        try:
            self._ledger.store.put(self._ledger.path(f"samples/{self._lane}.{self._launch}.csv"), content)
        except StoreError as error:
            say(f"the resource samples stay here for now: {error}")

    def _gpu(self) -> str:
        """Utilisation and used memory of the first GPU that this lane sees."""
        command = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
        with suppress(OSError, subprocess.SubprocessError, ValueError):
            first = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.splitlines()[
                0
            ]
            percent, mebibytes = first.split(",")
            return f"{percent.strip()},{int(mebibytes) * 2**20}"
        return ","
