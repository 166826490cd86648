"""Failures of units that can no longer record their own."""

from datetime import UTC, datetime

from windtunnel.host.machine import now
from windtunnel.ledger import Attempt, Ledger, Result, State
from windtunnel.ledger.curves import EPOCH, SECONDS, last_report

LOG_TAIL = 4096  # bytes of a log that go into a failed result


def record_failure(
    ledger: Ledger,
    unit: str,
    kind: str,
    message: str,
    *,
    log_tail: str = "",
    attempt: Attempt | None = None,
    gpus: int = 0,
    peak_memory: int = 0,
) -> bool:
    """Record a unit as failed, unless it has a result.

    Args:
        ledger: of the run.
        unit: that failed.
        kind: one word for machines: `error`, `nan`, `out_of_memory`, `timeout`, `killed`, `crashed`, `gone`, ….
        message: for a person.
        log_tail: the end of its log.
        attempt: its last start, if it was started.
        gpus: how many GPUs that start held.
        peak_memory: the most resident memory that it had, in bytes.

    Returns:
        Whether this is the record that holds.
    """
    ended = now()
    facts = {
        "started": attempt.started if attempt else "",
        "ended": ended,
        "seconds": _seconds(attempt.started, ended) if attempt else 0.0,
        "gpus": gpus,
        "peak_memory": peak_memory,
        "attempts": attempt.number if attempt else 0,
    }
    return ledger.record(failed(ledger, unit, kind, message, log_tail).model_copy(update=facts))


def failed(ledger: Ledger, unit: str, kind: str, message: str, log_tail: str = "") -> Result:
    """A unit's failure, with what it had reported last; the arguments are those of `record_failure`."""
    report = dict(last_report(ledger, unit))
    epoch = report.pop(EPOCH, None) or 0.0
    report.pop(SECONDS, None)
    return Result(
        trial=unit,
        state=State.FAILED,
        kind=kind,
        message=message,
        log_tail=log_tail,
        metrics=report,
        epoch=epoch,
    )


def _seconds(started: str, ended: str) -> float:
    first, last = (datetime.fromisoformat(moment).astimezone(UTC) for moment in (started, ended))
    return max(0.0, (last - first).total_seconds())
