"""Starts a job as a detached process on this host."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from windtunnel.launchers.job_folder import JobFolder, try_lock
from windtunnel.launchers.spool import Ticket

# A shell puts the job into the background and ends: the job has no living ancestor that could take it along or would
# have to reap it.
_DETACH = ["/bin/sh", "-c", '"$@" &', "sh"]
_SECRET_PREFIXES = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_")


def start_job(folder: JobFolder, ticket: Ticket, credentials: Mapping[str, str]) -> bool:
    """Start the job unless it lives; the caller has passed the folder's gate.

    The job's lock is handed down to its process, whose children inherit it in turn: it is held from this moment until
    the last of them has ended, however they end. So a job can neither run twice nor be mistaken for another process
    with the same id.

    Args:
        folder: of the run's jobs.
        ticket: what is to be started.
        credentials: variables that the ledger's store needs, beside those of this process.

    Returns:
        Whether it was started.

    Raises:
        OSError: the folder cannot be written, or no process started.
        subprocess.SubprocessError: the process could not be started.
    """
    with folder.open_lock(ticket.job) as lock, folder.open_log(ticket.job) as log:
        if not try_lock(lock.fileno()):
            return False
        command = [sys.executable, "-P", "-m", "windtunnel_trainer", ticket.ledger, ticket.job]
        command += ["--digest", ticket.digest, "--launch", str(ticket.launch)]
        command += ["--lock-fd", str(lock.fileno()), "--cancel-file", str(folder.cancel_file(ticket.job))]
        subprocess.run(
            [*_DETACH, *command],
            check=True,
            env=_environment() | dict(credentials),
            pass_fds=[lock.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return True


def _environment() -> dict[str, str]:
    """This process's environment without Airflow's settings and secrets, and with its own ways to import modules."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIXES)}
    found_anyway = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths = [Path(entry or ".").absolute() for entry in sys.path if not entry.endswith(".zip")]
    own = [str(path) for path in paths if not any(path.is_relative_to(folder) for folder in found_anyway)]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(own))
    return environment
