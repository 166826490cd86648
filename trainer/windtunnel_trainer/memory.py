"""Memory of a unit's processes: how much they have and had, and whether the kernel killed one for it."""

import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

from windtunnel_trainer.processes import family

_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))  # v2, v1


def kernel_kills() -> int:
    """How many processes of this container the kernel has killed so far, where it tells."""
    for file in _COUNTERS:
        with suppress(OSError):
            match = re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)
            if match:
                return int(match[1])
    return 0


def beyond(pid: int, limit: int) -> int:
    """What a process and its descendants use, in bytes, where that is more than a limit; else 0.

    What they share, as a loader's workers do, counts once: a part of it for each (PSS), where the kernel tells. That is
    slow to ask for, so it is asked only where the sum of all resident memory is beyond the limit.
    """
    members = family(pid)
    used = sum(map(_rss, members))
    if used > limit:
        used = sum(map(_proportional, members))
    return used if used > limit else 0


def peak_of(pid: int) -> int:
    """The most resident memory that a process has had, in bytes; with descendants, what all have now.

    What several processes share counts once: each has its proportional part of it (PSS), where the kernel tells.
    """
    members = family(pid)
    own = _field(Path(f"/proc/{pid}/status"), "VmHWM") or _rss(pid)
    return own if len(members) == 1 else max(own, sum(map(_proportional, members)))


def write_peak(log: Path, peak: int) -> None:
    """Leave a unit's peak so far beside its log."""
    with suppress(OSError):  # a full disk must not end the job
        _beside(log).write_text(str(peak))


def read_peak(log: Path | None) -> int:
    """The most memory that this process's unit has had, by what was left beside its log and by what this one knows."""
    left = 0
    if log is not None:
        with suppress(OSError, ValueError):
            left = int(_beside(log).read_text())
    return max(left, peak_of(os.getpid()))


def _beside(log: Path) -> Path:
    return log.with_suffix(".peak")


def _proportional(pid: int) -> int:
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss") or _rss(pid)


def _rss(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _field(file: Path, name: str) -> int:
    """A size that the kernel tells of a process, in bytes; 0 where it does not."""
    with suppress(OSError):
        line = re.search(rf"^{name}:\s+(\d+) kB$", file.read_text(), re.MULTILINE)
        if line:
            return int(line[1]) * 1024
    return 0
