"""What shows, ends and records a run's jobs on this host: a lock, a cancel file and a log each, in one folder."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windtunnel.errors import NotFoundError
from windtunnel.launchers.spool import Spool, run_key
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore

WORK_VARIABLE = "WINDTUNNEL_WORK"


class JobFolder:
    """The folder of one run's jobs. A job lives as long as its lock file is locked, whichever process holds the lock.

    Locks hold between containers that share the folder, if they run on one host.
    """

    def __init__(self, path: Path) -> None:
        """Use a folder; `gate` makes it."""
        self.path = path

    @classmethod
    def of(cls, ledger: Ledger) -> "JobFolder":
        """The run's folder: in the spool if there is one, else beside its jobs, else on this host."""
        spool = Spool.given()
        if spool is not None:
            return cls(spool.jobs(ledger.url))
        if isinstance(ledger.store, LocalStore):
            return cls(ledger.store.local_file(ledger.path("jobs")))
        default = Path(tempfile.gettempdir()) / f"windtunnel-{os.getuid()}"
        return cls(Path(os.environ.get(WORK_VARIABLE, default)) / run_key(ledger.url))

    def cancel_file(self, job: str) -> Path:
        """The file whose presence tells the job to end."""
        return self.path / f".{job}.cancel"

    def lock_file(self, job: str) -> Path:
        """The file whose lock tells that the job lives."""
        return self.path / f".{job}.lock"

    def log_file(self, job: str) -> Path:
        """What the job's own process writes."""
        return self.path / f"{job}.log"

    def log_tail(self, job: str, size: int) -> str:
        """The end of the job's log, at most `size` bytes."""
        try:
            return LocalStore(self.path).tail(f"{job}.log", size).decode(errors="replace")
        except NotFoundError:
            return ""

    @contextmanager
    def gate(self) -> Iterator[None]:
        """One at a time looks at or takes the run's locks, for looking takes them for a moment."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".gate").open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(gate, fcntl.LOCK_UN)  # whoever was forked meanwhile holds it too: closing would not do

    def locked(self) -> set[str]:
        """Ids of the jobs whose locks are held; to be asked behind the gate."""
        locks = self.path.glob(".*.lock")
        return {lock.name.removeprefix(".").removesuffix(".lock") for lock in locks if _is_locked(lock)}


def try_lock(descriptor: int) -> bool:
    """Lock an open file, unless another has locked it; whether it is locked by this now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(lock: Path) -> bool:
    with lock.open("a") as file:
        if not try_lock(file.fileno()):
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
