"""What a lane records of processes that have ended and could not do so themselves."""

import signal
import time

from windtunnel.definition import Fleet
from windtunnel.fleet.beginning import RUN
from windtunnel.fleet.monitor import fail
from windtunnel.fleet.records import FleetPlan
from windtunnel.host.machine import host
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.failures import LOG_TAIL, record_failure
from windtunnel_trainer import causes, child, memory
from windtunnel_trainer.fleet.logs import LaneLog
from windtunnel_trainer.fleet.process import Process, Task


def record_lost(
    ledger: Ledger,
    plan: FleetPlan,
    job: Job,
    log: LaneLog,
    task: Task,
    kind: str,
    message: str,
    process: Process | None = None,
) -> None:
    """Record that a mini-batch has failed with its last process, or without one.

    Args:
        ledger: of the run.
        plan: what the run does.
        job: the lane.
        log: the lane's.
        task: the mini-batch.
        kind: one word for machines.
        message: for a person.
        process: that it ended with.
    """
    number = task.claimed.number
    facts: dict[str, str | int | float] = {"attempts": task.attempt, "lane": job.job, "host": host()}
    if process is not None:
        seconds = round(time.monotonic() - task.began, 6)
        facts |= {"slot": process.slot, "process": process.pid, "started": task.started, "seconds": seconds}
        facts |= {"log_tail": log.tail(f"{job.job}-{process.slot}", LOG_TAIL)}
    fail(ledger, number, plan.batches[number], kind, message, **facts)


def record_hopeless(ledger: Ledger, fleet: Fleet, job: Job, log: LaneLog, process: Process, code: int) -> None:
    """Record that the run has failed, for no process comes up; the arguments are those of `record_lost`."""
    kind, message = process.condemned or ("error", f"its process ended, {how(code)}")
    tail = log.tail(f"{job.job}-{process.slot}", LOG_TAIL)
    lines = [line for line in tail.splitlines() if line.strip() and not line.startswith("--- ")]
    cause = lines[-1] if lines and not process.condemned and code >= 0 else message
    message = f"no process of {job.job} came through the import of {fleet.entry} and its init: {cause}"
    record_failure(ledger, RUN, kind, message, log_tail=tail)


def why(process: Process, code: int) -> tuple[str, str]:
    """Kind and message for a mini-batch whose process has ended with this code, or minus the number of a signal."""
    if code >= 0:
        return "error", f"its process ended in the midst of it, {how(code)}"
    if code == -signal.SIGKILL and memory.kernel_kills() > process.kills_before:
        return "out_of_memory", "the kernel killed its process: the memory was used up"
    return "killed", f"its process was {how(code)}"


def how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return "as it should" if code == child.DONE else f"with exit code {code}"
    return f"killed by {causes.signal_name(-code)}"
