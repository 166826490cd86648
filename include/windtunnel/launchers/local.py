"""Jobs as detached processes on this host."""

import fcntl
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from windtunnel.definition import definition_of
from windtunnel.errors import LaunchError, NotFoundError
from windtunnel.launchers.base import Launcher
from windtunnel.ledger import Job, Ledger
from windtunnel.machine import host, now
from windtunnel.stores.local import LocalStore

WORK_VARIABLE = "WINDTUNNEL_WORK"

# A shell puts the job into the background and ends: the job has no living ancestor that could take it along or would
# have to reap it.
_DETACH = ["/bin/sh", "-c", '"$@" &', "sh"]
_CANCEL_TIME = 30.0  # seconds that a cancelled job gets to end
_SECRET_PREFIXES = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_")


class LocalLauncher(Launcher):
    """Runs each job as one detached process, which outlives whoever launched it.

    A job lives as long as its lock file is locked. The launcher takes the lock and hands it down to the process, whose
    children inherit it in turn: it is held from the moment of launch until the last of them has ended, however they
    end, so a job can neither run twice nor be mistaken for another process with the same id.
    """

    def launch(self, ledger: Ledger, job: Job) -> None:
        """Start the job unless it lives or is done."""
        if len(ledger.unit_outcomes(job)) < len(job.units):
            self._start(ledger, job)

    def live(self, ledger: Ledger) -> set[str]:
        """Ids of the jobs whose locks are held."""
        folder = _folder(ledger)
        if not folder.is_dir():
            return set()
        with _gate(folder):
            return {_job_of(lock) for lock in folder.glob(".*.lock") if _is_locked(lock)}

    def revive(self, ledger: Ledger, job: Job) -> bool:
        """Start a job again that ended without results.

        Each of its units may take it down `1 + trial_retries` times before it is passed over, so a job that has been
        launched more often than that ends for reasons of its own, and stays gone. So does one that was cancelled.
        """
        limits = definition_of(ledger).limits
        most = 2 + limits.trial_retries * len(job.units)
        if _cancel_file(_folder(ledger), job.job).exists() or len(ledger.launches(job.job)) >= most:
            return False
        self.launch(ledger, job)
        return True

    def why_gone(self, ledger: Ledger, job: Job) -> tuple[str, str]:
        """What can be said of a process that is no more: the end of its log."""
        if _cancel_file(_folder(ledger), job.job).exists():
            return "cancelled", f"job {job.job} was cancelled"
        launches = ledger.launches(job.job)
        where = launches[-1].host if launches else "?"
        said = self.log_tail(ledger, job.job, 2048).strip()
        message = f"job {job.job} ended without results; launches: {len(launches)}, the last on {where}"
        return "gone", f"{message}; the end of its log:\n{said}" if said else f"{message}; its log is empty"

    def cancel(self, ledger: Ledger, jobs: Collection[str] | None = None) -> None:
        """Ask the jobs to end, and see that they have."""
        folder = _folder(ledger)
        wanted = self.live(ledger) if jobs is None else self.live(ledger) & set(jobs)
        for job in wanted:
            _cancel_file(folder, job).touch()
        deadline = time.monotonic() + _CANCEL_TIME
        while left := wanted & self.live(ledger):
            if time.monotonic() > deadline:
                raise LaunchError(f"cancelled {_CANCEL_TIME:.0f} s ago and still running: {', '.join(sorted(left))}")
            time.sleep(0.05)

    def log_tail(self, ledger: Ledger, job: str, size: int) -> str:
        """The end of what the job's own process wrote, at most `size` bytes."""
        store = LocalStore(_folder(ledger))
        try:
            return store.tail(f"{job}.log", size).decode(errors="replace")
        except NotFoundError:
            return ""

    def _start(self, ledger: Ledger, job: Job) -> None:
        folder = _folder(ledger)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _gate(folder), _lock_file(folder, job.job).open("a") as lock:
                if not _try_lock(lock.fileno()):
                    return
                cancel = _cancel_file(folder, job.job)
                cancel.unlink(missing_ok=True)
                ledger.begin_launch(job.job, host(), now())
                command = [sys.executable, "-P", "-m", "trainer", ledger.url, job.job]
                command += ["--lock-fd", str(lock.fileno()), "--cancel-file", str(cancel)]
                with (folder / f"{job.job}.log").open("ab") as log:
                    subprocess.run(
                        [*_DETACH, *command],
                        check=True,
                        env=_environment() | dict(ledger.store.credentials()),
                        pass_fds=[lock.fileno()],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
        except (OSError, subprocess.SubprocessError) as error:
            raise LaunchError(f"cannot start job {job.job}: {error}") from error


def _folder(ledger: Ledger) -> Path:
    """Where the run's locks are: beside its jobs, or on this host if the ledger is elsewhere."""
    if isinstance(ledger.store, LocalStore):
        return ledger.store.local_file(ledger.path("jobs"))
    default = Path(tempfile.gettempdir()) / f"windtunnel-{os.getuid()}"
    return Path(os.environ.get(WORK_VARIABLE, default)) / sha256(ledger.url.encode()).hexdigest()[:16]


def _lock_file(folder: Path, job: str) -> Path:
    return folder / f".{job}.lock"


def _cancel_file(folder: Path, job: str) -> Path:
    return folder / f".{job}.cancel"


def _job_of(lock: Path) -> str:
    return lock.name.removeprefix(".").removesuffix(".lock")


@contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """One at a time looks at or takes the run's locks, for looking takes them for a moment."""
    with (folder / ".gate").open("a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(gate, fcntl.LOCK_UN)  # whoever was forked meanwhile holds it too: closing would not do


def _is_locked(lock: Path) -> bool:
    with lock.open("a") as file:
        if not _try_lock(file.fileno()):
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _environment() -> dict[str, str]:
    """This process's environment without Airflow's settings and secrets, and with its own ways to import modules."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIXES)}
    found_anyway = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths = [Path(entry or ".").absolute() for entry in sys.path if not entry.endswith(".zip")]
    own = [str(path) for path in paths if not any(path.is_relative_to(folder) for folder in found_anyway)]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(own))
    return environment
