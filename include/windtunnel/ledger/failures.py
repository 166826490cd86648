"""Failures: recorded for units that can no longer do so, counted by cause, and how many are too many."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from windtunnel.host.machine import now
from windtunnel.ledger import Attempt, Ledger, Result, State
from windtunnel.ledger.curves import EPOCH, SECONDS, last_report
from windtunnel.text import counted, headline

LOG_TAIL = 4096  # bytes of a log that go into a failed result
_SAME = 5  # trials that have failed for one cause, with no other yet, after which a search is hopeless
_VARYING = re.compile(r"(?<==)\S+|0x[0-9a-f]+|[0-9a-f]{8,}|\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)


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


def cause(result: Result) -> str:
    """Why a unit failed, in one line: the failure's kind, and the headline of its message."""
    return ": ".join(part for part in (result.kind, headline(result.message)) if part) or "for no known reason"


def causes(results: Iterable[Result]) -> list[tuple[str, list[str]]]:
    """Why units failed, the commonest cause first: in the words of the first unit that has it, with all their ids.

    Causes that differ in numbers, ids and what stands behind a `=` only are one.
    """
    groups: dict[str, tuple[str, list[str]]] = {}
    for result in results:
        if result.state is State.FAILED:
            text = cause(result)
            groups.setdefault(_VARYING.sub("#", text), (text, []))[1].append(result.trial)
    return sorted(groups.values(), key=lambda group: -len(group[1]))


def hopeless(ended: Collection[Result], most: int, own: Collection[str]) -> str | None:
    """Why a search whose trials have ended like this is to be given up; None where it is not.

    Args:
        ended: how its trials have ended so far, each by its last try.
        most: failed trials that it may not have, `limits.failed_trials`.
        own: the trials that the present session asked for: what failed before may have been mended.
    """
    trained = [result for result in ended if result.state is not State.INFEASIBLE]
    groups = causes(trained)
    failed = sum(len(units) for _, units in groups)
    if failed >= most:
        share = f"{failed} of {counted(len(ended), 'trial')}"
        return f"{share} failed, and limits.failed_trials is {most}; {commonest(groups)}"
    first = causes(result for result in trained if result.trial in own)
    if failed == len(trained) and len(first) == 1 and len(first[0][1]) >= _SAME:
        return f"the first {len(first[0][1])} trials failed for the same cause: {first[0][0]}"
    return None


def commonest(causes_by_count: Collection[tuple[str, list[str]]]) -> str:
    """The commonest of the causes with its count: `3 times nan: the loss is nan`."""
    text, units = next(iter(causes_by_count))
    return f"{counted(len(units), 'time')} {text}"


def _seconds(started: str, ended: str) -> float:
    first, last = (datetime.fromisoformat(moment).astimezone(UTC) for moment in (started, ended))
    return max(0.0, (last - first).total_seconds())
