"""Resource samples of a lane's processes: CPU, memory and GPU, a row each time, as CSV."""

import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import psutil

from windtunnel.definition import Fleet
from windtunnel.errors import StoreError
from windtunnel.host.machine import now
from windtunnel.ledger import Job, Ledger
from windtunnel_trainer.gpus import devices, visible_in
from windtunnel_trainer.logs import say

_HEADER = "moment,lane,slot,process,cpu_percent,memory_bytes,gpu_percent,gpu_memory_bytes\n"
_PAUSE = 60.0  # seconds between two writes to the ledger
_MOST = 20_000  # rows; beyond, every other one is dropped


class Samples:
    """Keeps `samples/<lane>.<launch>.csv` in the ledger."""

    def __init__(self, ledger: Ledger, fleet: Fleet, job: Job, launch: int) -> None:
        """Nothing is measured yet.

        Args:
            ledger: of the run.
            fleet: its definition.
            job: the lane.
            launch: number of its launch.
        """
        self._ledger, self._lane, self._launch = ledger, job.job, launch
        self._interval = fleet.resource_monitor_interval
        self._processes: dict[int, psutil.Process] = {}
        self._rows: list[str] = []
        self._next, self._write, self._written = 0.0, monotonic() + _PAUSE, 0
        shared = devices() if shutil.which("nvidia-smi") is not None else []
        shares = {slot: visible_in(job, slot, fleet.resources.gpus, shared) for slot in range(job.slots)}
        self._gpus = {slot: share.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] for slot, share in shares.items()}

    def take(self, processes: Sequence[tuple[int, int]]) -> None:
        """Measure if it is time to.

        Args:
            processes: slot and process id of each.
        """
        moment = monotonic()
        if moment < self._next:
            return
        self._next = moment + self._interval
        gpus = _used_gpus() if any(self._gpus.values()) else {}
        for slot, pid in processes:
            with suppress(psutil.Error):
                process = self._processes.setdefault(pid, psutil.Process(pid))
                cpu, used = process.cpu_percent(), process.memory_info().rss
                gpu = gpus.get(self._gpus.get(slot, ""), ",")
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


def _used_gpus() -> dict[str, str]:
    """Of each GPU, by its number and by its UUID, its utilisation in percent and its used bytes, as columns."""
    used: dict[str, str] = {}
    query = "--query-gpu=index,uuid,utilization.gpu,memory.used"
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
        for line in subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.splitlines():
            index, uuid, percent, mebibytes = (part.strip() for part in line.split(","))
            used |= dict.fromkeys((index, uuid), f"{percent},{int(mebibytes) * 2**20}")
    return used
