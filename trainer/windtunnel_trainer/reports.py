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
from windtunnel_trainer.checkpoints import Progress, Report


class NotFiniteError(WindtunnelError):
    """A value that the search compares is infinite or no number."""


def add_report(progress: Progress, metrics: Mapping[str, Any], *, target: int | None, epochs: float) -> Report:
    """Add a report to a training's, or its metrics to the last report, where that is of the same point.

    Args:
        progress: of the training.
        metrics: by name; where the trial does not train by `Trial.epochs`, also `epoch`, which the report is of.
        target: the step at which the trial ends, where it is known.
        epochs: how many epochs are done there.

    Raises:
        WorkloadError: a value is no number, or a name is none for a metric.
    """
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


def not_finite(report: Report, definition: Definition) -> list[str]:
    """The objectives and constrained metrics that a report has without a finite value."""
    compared = {*definition.objectives, *definition.constraints}
    return [name for name, value in report.metrics.items() if value is None and name in compared]


def as_line(report: Report) -> str:
    """The report as people read it in the trial's log."""
    values = ((name, "not finite" if value is None else f"{value:.6g}") for name, value in report.metrics.items())
    return f"epoch {report.epoch:g}: " + "  ".join(f"{name} {value}" for name, value in values)


def _epochs_done(progress: Progress, target: int | None, epochs: float) -> float:
    if progress.position != "within" and progress.step == target:
        return epochs
    return round(progress.step / (progress.steps_per_epoch or 1), 6)


def _take_epoch(progress: Progress, metrics: dict[str, Any]) -> float:
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
