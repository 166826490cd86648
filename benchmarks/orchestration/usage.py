"""What a command and all that it starts use: processor time, and memory at its peak."""

import ctypes
import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHILD_SUBREAPER = 36  # of prctl: what a descendant leaves behind becomes this process's child, and is counted
_SAMPLE = 5.0  # seconds between two looks at memory


@dataclass(frozen=True)
class Usage:
    """What a command used.

    Attributes:
        result: the object that it printed as its last line.
        cpu: seconds of processor time, of all its processes.
        memory: the most that they held together, in bytes; what several share counts once.
    """

    result: dict[str, Any]
    cpu: float
    memory: int


def measured(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Usage:
    """Run a command to its end, and what it leaves behind.

    Raises:
        RuntimeError: it failed.
    """
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _children_cpu()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(_descendants(os.getpid())))
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SAMPLE)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    if process.returncode:
        raise RuntimeError(f"{command[0]}: exit code {process.returncode}")
    _reap()
    return Usage(json.loads(lines[-1]), _children_cpu() - before, peak)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _descendants(pid: int) -> list[int]:
    pids: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += [int(child), *_descendants(int(child))]
    return pids


def _memory(pids: Sequence[int]) -> int:
    """The processes' proportional set sizes, together."""
    total = 0
    for pid in pids:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total


def _reap() -> None:
    """Wait for what the command has left, so that it is counted."""
    end = time.monotonic() + 60
    with suppress(ChildProcessError):
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.1)
