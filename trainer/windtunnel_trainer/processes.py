"""Children and descendants of processes of this host."""

from contextlib import suppress
from pathlib import Path

import psutil


def children(pid: int) -> set[int]:
    """Ids of a process's children, those among them that have ended and wait to be reaped; none of one that is gone.

    Linux has a list of them. Where there is none, all processes of the host are looked through, which takes long.
    """
    ids: set[int] = set()
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            ids.update(map(int, (thread / "children").read_text().split()))
    except OSError:
        with suppress(psutil.Error):
            return {child.pid for child in psutil.Process(pid).children()}
    return ids


def family(pid: int) -> list[int]:
    """A process, first, and all its descendants."""
    members = [pid]
    for member in members:
        members += children(member) - set(members)
    return members
