"""Learning curves of trials, so kept that one listing gives those of all."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from windtunnel.ledger.ledger import Ledger

METRICS = "metrics.jsonl"
EPOCH = "epoch"
_ROOM = 6000  # bytes of metadata


def curve_metadata(latest: str, curve: Sequence[float] | None = None) -> dict[str, str]:
    """The metadata of a trial's metrics: the latest values and, where rules watch a metric, its curve.

    Args:
        latest: the latest values as JSON; `null` stands for them where they are too long.
        curve: the watched metric at each interval. It has seven significant digits; one too long, of some five hundred
            intervals, is left to be read from the file itself.
    """
    latest = latest if len(latest) < 4096 else "null"
    if curve is None:
        return {"latest": latest}
    text = json.dumps([rounded(value) for value in curve], separators=(",", ":"))
    return {"latest": latest, "curve": text if len(latest) + len(text) <= _ROOM else "null"}


def read_curves(ledger: Ledger, metric: str) -> dict[str, list[float]]:
    """The metric at the end of each epoch, of every trial that has reported: one listing.

    Args:
        ledger: of the run.
        metric: that the rules watch.

    Returns:
        Curves by trial.
    """
    base, curves = ledger.path("trials/"), {}
    for entry in ledger.store.list(base):
        trial, _, name = entry.path.removeprefix(base).partition("/")
        if name == METRICS:
            curve = json.loads(entry.metadata.get("curve", "null"))
            curves[trial] = _from_file(ledger, trial, metric) if curve is None else curve
    return curves


def latest_reports(ledger: Ledger, trials: Collection[str]) -> dict[str, dict[str, float]]:
    """What trials have reported last, by trial: one listing, or none without trials.

    Returns:
        The epoch and the values that are finite numbers; trials that have reported nothing are left out.
    """
    if not trials:
        return {}
    paths = {ledger.trial_path(trial, METRICS): trial for trial in trials}
    entries = [entry for entry in ledger.store.list(ledger.path("trials/")) if entry.path in paths]
    reports = {paths[entry.path]: json.loads(entry.metadata.get("latest", "null")) or {} for entry in entries}
    return {trial: _finite(report) for trial, report in reports.items() if report}


def rounded(value: float) -> float:
    """The value as curves hold it."""
    return float(f"{value:.7g}")


def _finite(report: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in report.items() if isinstance(value, int | float) and math.isfinite(value)}


def _from_file(ledger: Ledger, trial: str, metric: str) -> list[float]:
    points = map(json.loads, ledger.store.get(ledger.trial_path(trial, METRICS)).decode().splitlines())
    return [rounded(point[metric]) for point in points if point["epoch"] % 1 == 0 and point.get(metric) is not None]
