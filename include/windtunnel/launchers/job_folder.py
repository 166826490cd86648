"""What shows, ends and records a run's jobs on this host: a lock, a cancel file and a log each, in one folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from io import FileIO
from pathlib import Path

from windtunnel.errors import LaunchError, StoreError
from windtunnel.host.beneath import open_file, opened_folder
from windtunnel.host.private import private_folder
from windtunnel.launchers.spool import Spool, run_key
from windtunnel.ledger import Ledger
from windtunnel.stores.base import is_name
from windtunnel.stores.local import LocalStore

WORK_VARIABLE = "WINDTUNNEL_WORK"


class JobFolder:
    """The folder of one run's jobs. A job lives as long as its lock file is locked, whichever process holds the lock.

    Locks hold between containers that share the folder, if they run on one host. No link is followed below its root,
    which others may be able to write: a job's log must not end in a file of their choice.
    """

    def __init__(self, root: Path, *parts: str) -> None:
        """Use a folder; `gate` makes it.

        Args:
            root: that this host's owner chose.
            parts: names of the folders below it.
        """
        self._root, self._parts = root, parts
        self.path = root.joinpath(*parts)

    @classmethod
    def of(cls, ledger: Ledger) -> "JobFolder":
        """The run's folder: in the spool if there is one, else beside its jobs, else on this host.

        Raises:
            WindtunnelError: this user's folder among this host's temporary files may be in other hands.
        """
        spool = Spool.given()
        if spool is not None:
            return cls.in_spool(spool, ledger.url)
        if isinstance(ledger.store, LocalStore):
            return cls(ledger.store.folder, *ledger.path("jobs").split("/"))
        given = os.environ.get(WORK_VARIABLE)
        return cls(Path(given) if given else private_folder(), run_key(ledger.url))

    @classmethod
    def in_spool(cls, spool: Spool, ledger: str) -> "JobFolder":
        """The folder of a run whose jobs are left in a spool."""
        return cls(spool.folder, "runs", run_key(ledger))

    def cancel_file(self, job: str) -> Path:
        """The file whose presence tells the job to end."""
        return self.path / _cancel(job)

    def cancel(self, job: str) -> None:
        """Tell the job to end."""
        self._open(_cancel(job), os.O_WRONLY | os.O_CREAT).close()

    def cancelled(self, job: str) -> bool:
        """Whether the job was told to end."""
        try:
            self._open(_cancel(job), os.O_RDONLY).close()
        except OSError:
            return False
        return True

    def forget_cancel(self, job: str) -> None:
        """Let the job be started again."""
        with self._opened() as folder, suppress(FileNotFoundError):
            os.unlink(_cancel(job), dir_fd=folder)

    def open_lock(self, job: str) -> FileIO:
        """The file whose lock tells that the job lives."""
        return self._open(_lock(job), os.O_RDWR | os.O_CREAT)

    def open_log(self, job: str) -> FileIO:
        """What the job's own process writes, open to be written on."""
        return self._open(_log(job), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def log_tail(self, job: str, size: int) -> str:
        """The end of the job's log, at most `size` bytes."""
        try:
            return LocalStore(self._root).tail("/".join([*self._parts, _log(job)]), size).decode(errors="replace")
        except StoreError:
            return ""

    @contextmanager
    def gate(self) -> Iterator[None]:
        """One at a time looks at or takes the run's locks, for looking takes them for a moment."""
        with opened_folder(self._root, self._parts, make=True):
            gate = self._open(".gate", os.O_RDWR | os.O_CREAT)
        with gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(gate, fcntl.LOCK_UN)  # whoever was forked meanwhile holds it too: closing would not do

    def locked(self) -> set[str]:
        """Ids of the jobs whose locks are held; to be asked behind the gate."""
        with self._opened() as folder:
            names = [name for name in os.listdir(folder) if name.startswith(".") and name.endswith(".lock")]  # noqa: PTH208
            return {name[1:].removesuffix(".lock") for name in names if _is_locked(folder, name)}

    def _opened(self) -> AbstractContextManager[int]:
        return opened_folder(self._root, self._parts)

    def _open(self, name: str, flags: int) -> FileIO:
        with self._opened() as folder:
            descriptor = open_file(folder, name, flags)
        mode = "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "ab" if flags & os.O_APPEND else "r+b"
        return FileIO(descriptor, mode)


def try_lock(descriptor: int) -> bool:
    """Lock an open file, unless another has locked it; whether it is locked by this now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(folder: int, name: str) -> bool:
    try:
        descriptor = open_file(folder, name, os.O_RDWR)
    except OSError:  # no lock of a job's
        return False
    try:
        if not try_lock(descriptor):
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    finally:
        os.close(descriptor)


def _cancel(job: str) -> str:
    return f".{_checked(job)}.cancel"


def _lock(job: str) -> str:
    return f".{_checked(job)}.lock"


def _log(job: str) -> str:
    return f"{_checked(job)}.log"


def _checked(job: str) -> str:
    if not is_name(job):
        raise LaunchError(f"{job!r} is no id of a job")
    return job
