"""Jobs as detached processes on this host, started here or by a trainer service."""

import subprocess
import time
from collections.abc import Collection

from windtunnel.definition import definition_of
from windtunnel.definition.model import Limits
from windtunnel.errors import LaunchError
from windtunnel.host.machine import host, now
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.launchers.job_folder import JobFolder
from windtunnel.launchers.job_process import start_job
from windtunnel.launchers.spool import Spool, Ticket
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.failures import LOG_TAIL
from windtunnel.ledger.queue import owed

_CANCEL_TIME = 30.0  # seconds that a cancelled job gets to end


class LocalLauncher(Launcher):
    """Runs each job as one detached process, which outlives whoever launched it.

    Where `$WINDTUNNEL_SPOOL` is set, the process is started by a trainer service that shares that folder, so that this
    host's Airflow needs no torch: the job waits for it with a ticket, and lives from then on.
    """

    def launch(self, ledger: Ledger, job: Job) -> None:
        """Start the job, or let it wait for a service, unless it lives or is done."""
        if not owed(ledger, job):
            return
        folder, spool = JobFolder.of(ledger), Spool.given()
        try:
            with folder.gate():
                if job.job in _living(folder, spool, ledger):
                    return
                folder.forget_cancel(job.job)
                expires = time.time() + _limits(ledger).pending
                number = ledger.begin_launch(job.job, host(), now()).number
                ticket = Ticket(ledger=ledger.url, job=job.job, digest=ledger.digest, launch=number, expires=expires)
                if spool is None:
                    start_job(folder, ticket, ledger.store.credentials())
                else:
                    spool.leave(ticket)
        except (OSError, subprocess.SubprocessError) as error:
            raise LaunchError(f"cannot start job {job.job}: {error}") from error

    def live(self, ledger: Ledger) -> set[str]:
        """Ids of the jobs whose locks are held, or that a service may still take."""
        folder = JobFolder.of(ledger)
        if not folder.path.is_dir():
            return set()
        try:
            with folder.gate():
                return _living(folder, Spool.given(), ledger)
        except OSError as error:
            raise LaunchError(f"cannot look for jobs in {folder.path}: {error}") from error

    def may_relaunch(self, ledger: Ledger, job: Job) -> bool:
        """Whether a job that ended without results may be started again.

        Each of its units may take it down `1 + trial_retries` times before it is passed over, so a job that has been
        launched more often than that ends for reasons of its own, and stays gone; starts that were given back, when the
        job was told to go, are not counted; of a lane whoever looks after it counts its launches. One stays gone too
        that was cancelled, or that no service took in time.
        """
        if JobFolder.of(ledger).cancelled(job.job) or _ignored(ledger, job):
            return False
        if job.session is not None:
            return True
        given_back = sum(attempt.preempted for unit in job.units for attempt in ledger.attempts(unit))
        return ledger.last_launch(job.job) < 2 + _limits(ledger).trial_retries * len(job.units) + given_back

    def failure_reason(self, ledger: Ledger, job: Job) -> JobFailure:
        """What can be said of a process that is no more: the end of its log."""
        folder = JobFolder.of(ledger)
        if folder.cancelled(job.job):
            return JobFailure("cancelled", f"job {job.job} was cancelled")
        if _ignored(ledger, job):
            pending = _limits(ledger).pending
            message = f"no trainer service took job {job.job} within limits.pending, {pending:g} s: is it running?"
            return JobFailure("pending", message)
        launches = ledger.launches(job.job)
        where = launches[-1].host if launches else "?"
        message = f"job {job.job} ended without results; launches: {len(launches)}, the last on {where}"
        return JobFailure("gone", message, folder.log_tail(job.job, LOG_TAIL).strip())

    def cancel(self, ledger: Ledger, jobs: Collection[str] | None = None) -> None:
        """Ask the jobs to end, and see that they have; those that wait for a service wait no more."""
        folder, spool = JobFolder.of(ledger), Spool.given()
        wanted = self.live(ledger) if jobs is None else self.live(ledger) & set(jobs)
        for job in wanted:
            folder.cancel(job)
            if spool is not None:
                with folder.gate():
                    spool.drop(ledger.url, job)
        deadline = time.monotonic() + _CANCEL_TIME
        while left := wanted & self.live(ledger):
            if time.monotonic() > deadline:
                raise LaunchError(f"cancelled {_CANCEL_TIME:.0f} s ago and still running: {', '.join(sorted(left))}")
            time.sleep(0.05)


def _living(folder: JobFolder, spool: Spool | None, ledger: Ledger) -> set[str]:
    return folder.locked() | (spool.waiting(ledger.url) if spool is not None else set())


def _ignored(ledger: Ledger, job: Job) -> bool:
    """Whether the job waited for a service in vain."""
    spool = Spool.given()
    ticket = spool.ticket(ledger.url, job.job) if spool is not None else None
    return ticket is not None and ticket.expired


def _limits(ledger: Ledger) -> Limits:
    return definition_of(ledger).limits
