"""Jobs left for a service on the same host (`python -m windtunnel_trainer serve`), which has what Airflow lacks."""

import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from windtunnel.errors import NotFoundError
from windtunnel.host.beneath import open_file, opened_folder
from windtunnel.ledger.records import Id, Record
from windtunnel.ledger.spec import DIGEST
from windtunnel.stores.local import LocalStore

SPOOL_VARIABLE = "WINDTUNNEL_SPOOL"
_MOST = 16 * 1024  # bytes of a ticket


class Ticket(Record):
    """A job that waits for a service.

    Attributes:
        ledger: URL of its run's ledger.
        job: its id.
        digest: of what the run was begun with: the job runs nothing else.
        launch: number of this launch of the job.
        expires: until when it may be taken, in seconds since 1970.
    """

    ledger: str
    job: Id
    digest: Annotated[str, Field(pattern=f"^{DIGEST}$")]
    launch: int = Field(default=1, ge=1)
    expires: float

    @property
    def expired(self) -> bool:
        """Whether it may not be taken any more."""
        return time.time() > self.expires


class Spool:
    """A folder that launchers and services share: the tickets of jobs that wait, and each run's folder of jobs.

    A ticket is left, taken and dropped by whoever holds the gate of its run's folder (`JobFolder.gate`).
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made by the first write."""
        self.folder = folder
        self._tickets = LocalStore(folder / "tickets")

    @classmethod
    def given(cls) -> "Spool | None":
        """The spool that `$WINDTUNNEL_SPOOL` names, if jobs are to be left for a service here."""
        folder = os.environ.get(SPOOL_VARIABLE)
        return cls(Path(folder)) if folder else None

    def hold_lock(self) -> None:
        """Touch the file that a health check of a service looks at.

        Raises:
            OSError: the folder cannot be written.
        """
        with opened_folder(self.folder, make=True) as folder:
            descriptor = open_file(folder, "serving", os.O_WRONLY | os.O_CREAT)
        try:
            os.utime(descriptor)
        finally:
            os.close(descriptor)

    def leave(self, ticket: Ticket) -> None:
        """Let a job wait for a service; an earlier ticket of the job is replaced."""
        self._tickets.put(_name(ticket.ledger, ticket.job), ticket.to_bytes())

    def ticket(self, ledger: str, job: str) -> Ticket | None:
        """The job's ticket, if it has one, expired or not."""
        return self._read(_name(ledger, job))

    def waiting(self, ledger: str) -> set[str]:
        """Ids of the run's jobs that a service may still take."""
        return {ticket.job for ticket in self.tickets(ledger) if not ticket.expired}

    def tickets(self, ledger: str | None = None) -> list[Ticket]:
        """All tickets of a run, or of all runs."""
        entries = self._tickets.list(f"{run_key(ledger)}." if ledger else "")
        return [ticket for entry in entries if (ticket := self._read(entry.path))]

    def drop(self, ledger: str, job: str) -> None:
        """Remove the job's ticket, if it has one."""
        self._tickets.delete(_name(ledger, job))

    def _read(self, name: str) -> Ticket | None:
        """The ticket of that name; None where it was taken meanwhile, or is none that a launcher left."""
        try:
            ticket = Ticket.model_validate_json(self._tickets.read(name, 0, _MOST))
        except (NotFoundError, ValidationError):
            return None
        return ticket if name == _name(ticket.ledger, ticket.job) else None


def run_key(ledger: str) -> str:
    """A name for a run's files on this host, by its ledger's URL."""
    return sha256(ledger.encode()).hexdigest()[:16]


def _name(ledger: str, job: str) -> str:
    return f"{run_key(ledger)}.{job}.json"
