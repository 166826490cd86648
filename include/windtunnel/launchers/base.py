"""What every launcher promises: submit at once, never twice, tell what lives, cancel."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import NamedTuple

from windtunnel.ledger import Job, Ledger


class JobFailure(NamedTuple):
    """Why a job is gone without results.

    Attributes:
        kind: the failure's, one word for machines; `cancelled` where somebody wanted it so.
        message: for a person, with the job's id.
        log: the end of what the job wrote.
    """

    kind: str
    message: str
    log: str = ""


class Launcher(ABC):
    """Starts a run's jobs somewhere, and knows which of them still live."""

    @abstractmethod
    def launch(self, ledger: Ledger, job: Job) -> None:
        """Submit the job and return at once. A job that lives already, or is done, stays as it is.

        Raises:
            LaunchError: it cannot be submitted.
        """

    @abstractmethod
    def live(self, ledger: Ledger) -> set[str]:
        """Ids of the run's jobs that run or wait to run: one listing, whatever the number of jobs."""

    @abstractmethod
    def may_relaunch(self, ledger: Ledger, job: Job) -> bool:
        """Whether a job that is gone, and has work left, may be launched again.

        Where the platform starts jobs again by itself, one that it has given up stays gone.
        """

    @abstractmethod
    def failure_reason(self, ledger: Ledger, job: Job) -> JobFailure:
        """Why a job is gone without results."""

    @abstractmethod
    def cancel(self, ledger: Ledger, jobs: Collection[str] | None = None) -> None:
        """End these jobs of the run, or all, and return when none of them lives any more.

        Raises:
            LaunchError: a job could not be ended.
        """
