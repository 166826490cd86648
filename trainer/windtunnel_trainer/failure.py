"""What an error says of a unit, in the terms of a result."""

import traceback
from pathlib import Path

from windtunnel.errors import LedgerError, StoreError, WindtunnelError
from windtunnel.text import error_text
from windtunnel_trainer import shared_memory
from windtunnel_trainer.reports import NotFiniteError
from windtunnel_trainer.verification import VerificationError


class NoMetricsError(WindtunnelError):
    """The workload never reported a value that the search compares."""


class ScriptError(WindtunnelError):
    """A script did not end well; what it wrote tells why."""


_KINDS: dict[type[BaseException], str] = {
    NotFiniteError: "nan",
    NoMetricsError: "no_metrics",
    VerificationError: "verification",
    MemoryError: "out_of_memory",
    StoreError: "storage",
    LedgerError: "refused",
}
_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "bad allocation", "bad_alloc", "out of memory")


def why_failed(error: BaseException) -> tuple[str, str]:
    """The failure's kind, one word for machines, and its message for a person: with the line, where it is no clear one.

    Args:
        error: that ended the unit.
    """
    kind = next((kind for cause, kind in _KINDS.items() if isinstance(error, cause)), "error")
    if kind == "error" and isinstance(error, RuntimeError) and any(word in error_text(error) for word in _MEMORY_WORDS):
        kind = "out_of_memory"
    if isinstance(error, WindtunnelError):
        return kind, str(error)
    headline, end, notes = error_text(error).partition("\n")
    advice = f"; {shared_memory.ADVICE}" if shared_memory.is_meant(error) else ""
    return kind, f"{headline}{_where(error)}{advice}{end}{notes}"


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
