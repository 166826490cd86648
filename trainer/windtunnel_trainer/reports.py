"""What a trial reports: values that are numbers, the epoch that they are of, and several calls that make one report."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from windtunnel.definition.model import Definition
from windtunnel.errors import WindtunnelError, WorkloadError
from windtunnel.ledger.curves import EPOCH, SECONDS
from windtunnel.text import printable
from windtunnel.validation import shown
from windtunnel.workload.contract import number
from windtunnel_trainer.checkpoints import Report, TrainingState
from windtunnel_trainer.process_group import ProcessGroup


class NotFiniteError(WindtunnelError):
    """A value that the search compares is infinite or no number."""


def add_report(
    progress: TrainingState, *nameless: Any, metrics: Mapping[str, Any], target: int | None, epochs: float
) -> Report:
    """Add a report to a training's, or its metrics to the last report, where that is of the same point.

    Args:
        progress: of the training.
        nameless: what has no name; there is to be none.
        metrics: by name; where the trial does not train by `Trial.epochs`, also `epoch`, which the report is of.
        target: the step at which the trial ends, where it is known.
        epochs: how many epochs are done there.

    Raises:
        WorkloadError: a value is no number, or has no name, or one that is none for a metric.
    """
    if nameless:
        raise WorkloadError(f"report({shown(nameless[0])}): name what is reported: report(loss=0.5), report(**values)")
    metrics = dict(metrics)
    epoch = (
        _take_epoch(progress, metrics) if progress.steps_per_epoch is None else _epochs_done(progress, target, epochs)
    )
    report = Report(
        epoch=epoch,
        seconds=round(progress.seconds, 4),
        metrics={name: _value(name, value) for name, value in metrics.items()},
        early=progress.position == "early",
        closes=progress.position != "within",
    )
    if progress.steps_per_epoch is None:  # training that begins again says anew what it said before
        progress.reports = [earlier for earlier in progress.reports if earlier.epoch <= epoch]
    last = progress.last
    if last is not None and (last.epoch, last.closes) == (report.epoch, report.closes):
        report = replace(report, metrics=last.metrics | report.metrics)
        progress.reports.pop()
    progress.reports.append(report)
    return report


def require_finite(report: Report, definition: Definition, group: ProcessGroup) -> None:
    """See that the objectives and constrained values of a report are finite, in all of the trial's processes.

    Raises:
        NotFiniteError: one is not.
    """
    compared = {*definition.objectives, *definition.constraints}
    broken = [name for name, value in report.metrics.items() if value is None and name in compared]
    if broken := group.agree(broken):
        raise NotFiniteError(f"{', '.join(broken)} is not finite at epoch {report.epoch:g}")


def as_line(report: Report, definition: Definition) -> str:
    """The report as people read it in the trial's log."""
    origin = "read as " if definition.script is not None else ""  # of a script's own line, which stands above
    values = ((name, "not finite" if value is None else f"{value:.6g}") for name, value in report.metrics.items())
    return f"{origin}epoch {report.epoch:g}: " + "  ".join(f"{name} {value}" for name, value in values)


def _epochs_done(progress: TrainingState, target: int | None, epochs: float) -> float:
    if progress.position != "within" and progress.step == target:
        return epochs
    return round(progress.step / (progress.steps_per_epoch or 1), 6)


def _take_epoch(progress: TrainingState, metrics: dict[str, Any]) -> float:
    """The epoch of a report, which may name it among its metrics."""
    if EPOCH in metrics:
        return number(metrics.pop(EPOCH))
    last = progress.last
    if last is None:
        return 1.0
    return last.epoch + 1 if last.metrics.keys() & metrics.keys() else last.epoch


def _value(name: str, value: Any) -> float | None:
    if name in (EPOCH, SECONDS):
        raise WorkloadError(f"report({name}=…): {name} is the trainer's own; leave it out or rename it")
    if name.encode(errors="replace").decode() != name:
        raise WorkloadError(f"report({printable(name)}=…): a metric's name is text that UTF-8 can hold")
    try:
        converted = number(value)
    except (TypeError, ValueError) as error:
        raise WorkloadError(f"report({name}=…): {shown(value)} is no number") from error
    return converted if math.isfinite(converted) else None
