"""Learning curves of trials, so kept that one listing gives those of all."""

import json
import math
from collections.abc import Sequence

from windtunnel.errors import NotFoundError
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
    base, found = ledger.path("trials/"), {}
    for entry in ledger.store.list(base):
        trial, _, name = entry.path.removeprefix(base).partition("/")
        if name == METRICS:
            curve = json.loads(entry.metadata.get("curve", "null"))
            found[trial] = _from_file(ledger, trial, metric) if curve is None else curve
    return found


def latest_report(ledger: Ledger, trial: str) -> dict[str, float]:
    """What a trial has reported last: its epoch and the values that are finite numbers; empty if nothing yet."""
    try:
        entry = ledger.store.stat(ledger.trial_path(trial, METRICS))
    except NotFoundError:
        return {}
    report = json.loads(entry.metadata.get("latest", "null")) or {}
    return {name: value for name, value in report.items() if isinstance(value, int | float) and math.isfinite(value)}


def rounded(value: float) -> float:
    """The value as curves hold it."""
    return float(f"{value:.7g}")


def _from_file(ledger: Ledger, trial: str, metric: str) -> list[float]:
    points = map(json.loads, ledger.store.get(ledger.trial_path(trial, METRICS)).decode().splitlines())
    return [rounded(point[metric]) for point in points if point["epoch"] % 1 == 0 and point.get(metric) is not None]
