"""All errors that Windtunnel raises on purpose. `WindtunnelError` catches them all but `Stopped`."""

import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windtunnel.validation import Fault

INTERRUPTED = 128 + signal.SIGINT  # exit code of a command that was interrupted


class WindtunnelError(Exception):
    """Root of Windtunnel's errors; the message is written for the person who can mend the cause."""


class DefinitionError(WindtunnelError, ValueError):
    """A search definition is wrong; the message names file, field, what was found and what is allowed.

    A model's validator may raise it: pydantic takes any `ValueError`.

    Attributes:
        faults: each thing that is wrong, where the error has several; their text makes the message. Their paths are
            counted from the place of what was read.
    """

    faults: "tuple[Fault, ...]" = ()

    @classmethod
    def of(cls, faults: "Iterable[Fault]") -> "DefinitionError":
        """One error that lists all faults."""
        listed = tuple(faults)
        error = cls("\n".join(map(str, listed)))
        error.faults = listed
        return error


class WorkloadError(WindtunnelError):
    """A workload cannot be loaded, or breaks its contract."""


class StoreError(WindtunnelError):
    """A store refused or failed an operation."""


class NotFoundError(StoreError):
    """The object is not in the store."""


class NoObjectError(NotFoundError):
    """Something else stands in the object's place, such as a folder: it can be neither read nor written."""


class UnfitError(StoreError):
    """The object is there and cannot be read: it is too big to be read at once, or this user may not."""


class UnavailableError(StoreError):
    """The store gives no answer, or asks for patience: the same may work later."""


class ConflictError(StoreError):
    """A conditional write lost: somebody else wrote the object meanwhile."""


class LedgerError(WindtunnelError):
    """What the ledger holds contradicts what is asked of it."""


class UnreadableError(LedgerError):
    """An object of the run cannot be read; the message names it and tells the mend."""


class LaunchError(WindtunnelError):
    """A launcher cannot submit, find or cancel a job.

    Attributes:
        kind: of the failure that its units are recorded with, where the job is given up.
    """

    def __init__(self, message: str, kind: str = "launch_failed") -> None:
        super().__init__(message)
        self.kind = kind


class RefusedError(LaunchError):
    """A cluster refuses a job as it is: a person must mend the job's template, or what the account may do."""

    def __init__(self, message: str, kind: str = "refused") -> None:
        super().__init__(message, kind)


class SearchError(WindtunnelError):
    """The search itself cannot go on: too many failures, nothing on the front, a refused approval."""


class FleetError(WindtunnelError):
    """A fleet has failed: too many of its items or mini-batches did, no process came up, or its evaluation failed."""


class Stopped(BaseException):
    """A signal asks a command to stop."""

    def __init__(self, number: int) -> None:
        names = {each.value: each.name for each in signal.Signals}
        super().__init__(f"stopped by {names.get(number, f'signal {number}')}")
        self.number = number

    @property
    def told(self) -> str:
        """What stopped the command, and while it did what."""
        return ", ".join([str(self), *getattr(self, "__notes__", [])])

    @property
    def exit_code(self) -> int:
        """As a shell has it."""
        return 128 + self.number
