"""Why a unit failed whose process, or whose job, could not say so itself: a failure's kind and its message."""

import re
import signal

from windtunnel.definition.model import Limits
from windtunnel.errors import StoreError
from windtunnel.ledger import Attempt
from windtunnel.ledger.stage import StageKind
from windtunnel.text import counted
from windtunnel_trainer import memory, shared_memory

_ERROR = re.compile(r"[\w.]*(Error|Exception|Interrupt|Exit)\w*\b(:|$)")


def why_crashed(last: Attempt, starts: int, retries: int) -> tuple[str, str]:
    """For a unit whose job has died with it once too often.

    Args:
        last: its last start.
        starts: how many of all are held against it.
        retries: the limit.
    """
    if last.kind:
        return last.kind, f"{last.message}; starts: {starts}"
    if last.preempted:
        why = "its job was told to go again and again: does it send SIGTERM itself?"
        return "crashed", f"{why} Held against it are {starts} of {counted(last.number, 'start')}"
    return "crashed", f"its job died each time it ran: {counted(starts, 'start')}, limits.trial_retries {retries}"


def why_killed(number: int, kills_before: int, starts: int) -> tuple[str, str]:
    """For a unit that a signal has ended once too often.

    Args:
        number: of the signal.
        kills_before: how many processes the kernel had killed for their memory when the unit began.
        starts: how many are held against the unit.
    """
    if number == signal.SIGKILL and memory.kernel_kills() > kills_before:
        return "out_of_memory", f"the kernel killed its process: the memory was used up; starts: {starts}"
    why = f": {shared_memory.ADVICE}" if number == signal.SIGBUS else ""
    return "killed", f"its process was killed by {signal_name(number)}{why}; starts: {starts}"


def is_refusal(line: str) -> bool:
    """Whether a log that ends with this line ends with what the store refused: any workload may use any exit code."""
    errors: tuple[type[StoreError], ...] = (StoreError, *StoreError.__subclasses__())
    return line.startswith(tuple(f"{error.__name__}: " for error in errors))


def why_ended(code: int, line: str, kind: StageKind) -> str:
    """The message of a unit whose process has ended of itself, without a result.

    Args:
        code: its exit code.
        line: the last of its log, which is part of it if it is an error's.
        kind: what the unit is.
    """
    function = "train()" if kind.trains else "it"
    why = line if _ERROR.match(line) else f"{function} must return, or raise an error"
    return f"its process ended without a result, with exit code {code}: {why}"


def job_too_long(limits: Limits) -> tuple[str, str]:
    """For a unit whose job has used up its time."""
    return "timeout", f"limits.job_time, {limits.job_time:g} s, ended it: its job took longer"


def trial_too_long(limits: Limits, seconds: float) -> tuple[str, str]:
    """For a unit that has used up its time, which is the limit's share for its epochs."""
    longer = f", which is {seconds:g} s for its epochs," if seconds != limits.trial_time else ","
    return "timeout", f"limits.trial_time, {limits.trial_time:g} s{longer} ended it"


def too_big(limit: int, used: int) -> tuple[str, str]:
    """For a unit that uses more memory than its limit, in bytes."""
    return "out_of_memory", f"limits.memory, {limit:,} bytes, ended it: it used {used:,}"


def signal_name(number: int) -> str:
    """Such as `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
