"""`python -m windtunnel_trainer serve`: a service that starts the jobs which launchers leave in a spool on this host.

With it Airflow needs no torch: its tasks leave jobs as tickets in a folder that both share (`$WINDTUNNEL_SPOOL`), and
the jobs run here, with the store's credentials from this service's environment. Locks in that folder tell which of them
live, as they do where the launcher starts them itself.
"""

import os
import signal
import subprocess
import time
from types import FrameType

import psutil

from windtunnel.errors import LaunchError
from windtunnel.launchers.job_folder import JobFolder
from windtunnel.launchers.job_process import start_job
from windtunnel.launchers.spool import SPOOL_VARIABLE, Spool, Ticket
from windtunnel_trainer import child
from windtunnel_trainer.logs import say

_LOOK = 0.25  # seconds between two looks at the spool
_GRACE = 20.0  # seconds that jobs get to end when the service is told to go


def main() -> int:
    """Serve the spool that the environment names until a signal asks to stop; returns the process's exit code.

    Raises:
        LaunchError: the environment names no spool, or it cannot be written.
    """
    spool = Spool.given()
    if spool is None:
        raise LaunchError(f"{SPOOL_VARIABLE} is not set: name the folder that Airflow and this service share")
    Service(spool).run()
    return 0


class Service:
    """Starts what is left in a spool. Several may serve the same one: each job is started once.

    Jobs are processes of their own. If the service is told to go, it tells them to go too, so that their trials are
    not held to have failed; if it is killed in a container, they die with it. Either way their launcher finds them gone
    and leaves them in the spool again.
    """

    def __init__(self, spool: Spool) -> None:
        """Serve a spool; nothing is started yet."""
        self._spool = spool
        self._told_to_go = False
        self._complained: set[Ticket] = set()

    def run(self) -> None:
        """Start jobs until told to go.

        Raises:
            LaunchError: the spool cannot be written.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._go)
        if not child.adopt():  # jobs are detached: their parent can end them, and none stays a zombie
            say("cannot adopt jobs: they will not be told when this service ends")
        say(f"serving {self._spool.folder}")
        while not self._told_to_go:
            self._show_life()
            for ticket in self._spool.tickets():
                self._take(ticket)
            _reap()
            time.sleep(_LOOK)
        self._end_jobs()
        say("ended")

    def _take(self, ticket: Ticket) -> None:
        """Start a ticket's job, or drop the ticket if it came too late."""
        folder = JobFolder.in_spool(self._spool, ticket.ledger)
        try:
            with folder.gate():
                if self._spool.ticket(ticket.ledger, ticket.job) != ticket:
                    return  # cancelled, or taken by another service
                if not ticket.expired and start_job(folder, ticket, {}):
                    say(f"started job {ticket.job} of {ticket.ledger}")
                self._spool.drop(ticket.ledger, ticket.job)
        except (OSError, subprocess.SubprocessError) as error:
            if ticket not in self._complained:
                say(f"cannot start job {ticket.job} of {ticket.ledger}, it keeps waiting: {error}")
            self._complained.add(ticket)

    def _show_life(self) -> None:
        """Touch the file that a health check looks at."""
        try:
            self._spool.hold_lock()
        except OSError as error:
            raise LaunchError(f"{SPOOL_VARIABLE}: cannot write to {self._spool.folder}: {error.strerror}") from error

    def _end_jobs(self) -> None:
        """Tell all jobs to go, and wait until they have."""
        deadline = time.monotonic() + _GRACE
        for job in psutil.Process().children():
            job.terminate()
        while _reap() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _go(self, number: int, frame: FrameType | None) -> None:
        self._told_to_go = True


def _reap() -> bool:
    """Bury what has ended; whether any child is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
