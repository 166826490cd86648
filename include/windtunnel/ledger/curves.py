"""Learning curves of trials, so kept that one listing gives those of all."""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from windtunnel.errors import NotFoundError
from windtunnel.ledger.ledger import Ledger

METRICS = "metrics.jsonl"
EPOCH, SECONDS = "epoch", "seconds"  # which the trainer gives with every report
MOST_BYTES = 1024 * 1024  # of one trial's file that are read: of a bigger one, parts from all over it
MOST_POINTS = 1000  # of one curve: of more, some that are evenly spread
MOST_VALUES = 100  # of one point
_MOST_WATCHED = 16 * 1024 * 1024  # bytes that rules read of a curve too long for its metadata
_WINDOWS = 16  # parts that a big file is read in
_ROOM = 6000  # bytes of metadata

Point = Mapping[str, float | None]


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
            curve = _plain(entry.metadata.get("curve", "null"))
            curves[trial] = curve if _is_curve(curve) else _from_file(ledger, trial, metric)
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
    reports = {paths[entry.path]: _point(entry.metadata.get("latest", "null")) or {} for entry in entries}
    return {trial: _finite(report) for trial, report in reports.items() if report}


def last_report(ledger: Ledger, unit: str) -> Point:
    """What a unit has reported last, its epoch and seconds included; empty where it has reported nothing."""
    try:
        metadata = ledger.store.stat(ledger.trial_path(unit, METRICS)).metadata
    except NotFoundError:
        return {}
    return _point(metadata.get("latest", "null")) or next(iter(read_points(ledger, unit)[-1:]), {})


def read_points(ledger: Ledger, trial: str) -> list[Point]:
    """A trial's reports, as far as they are whole: each has `epoch` and metrics; a value that is not finite is None.

    However big the file is, little is read and kept: see `MOST_BYTES`, `MOST_POINTS` and `MOST_VALUES`. The first and
    the last report are always among what is.
    """
    path = ledger.trial_path(trial, METRICS)
    try:
        content = ledger.store.read(path, 0, MOST_BYTES + 1)
        lines = content.splitlines() if len(content) <= MOST_BYTES else _lines_of_parts(ledger, path)
    except NotFoundError:
        return []
    return thinned([point for line in lines if (point := _point(line)) is not None], MOST_POINTS)


def thinned(points: list[Point], most: int) -> list[Point]:
    """At most so many points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(at * last / (most - 1))] for at in range(most)]


def rounded(value: float) -> float:
    """The value as curves hold it."""
    return float(f"{value:.7g}")


def _finite(report: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in report.items() if value is not None}


def _from_file(ledger: Ledger, trial: str, metric: str) -> list[float]:
    content = ledger.store.read(ledger.trial_path(trial, METRICS), 0, _MOST_WATCHED)
    points = (point for line in content.splitlines() if (point := _point(line)) is not None)
    return [rounded(point[metric]) for point in points if point[EPOCH] % 1 == 0 and point.get(metric) is not None]


def _lines_of_parts(ledger: Ledger, path: str) -> list[bytes]:
    """Whole lines from parts of a big file that are evenly spread over it."""
    size = ledger.store.stat(path).size
    length = MOST_BYTES // _WINDOWS
    lines: list[bytes] = []
    for part in range(_WINDOWS):
        start = round(part * (size - length) / (_WINDOWS - 1))
        part_lines = ledger.store.read(path, start, length).split(b"\n")
        lines += part_lines[1 if part else 0 : None if part == _WINDOWS - 1 else -1]
    return lines


def _point(line: str | bytes) -> dict[str, Any] | None:
    """A line's report; None where it is none, as is the last line of a file that is being written."""
    report = _plain(line)
    if not isinstance(report, dict) or not _is_number(report.get(EPOCH)):
        return None
    values = [(name, value) for name, value in report.items() if value is None or isinstance(value, int | float)]
    known = {name: value if _is_number(value) else None for name, value in values[:MOST_VALUES]}
    return known | {EPOCH: report[EPOCH]}


def _is_curve(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    """Whether it is a finite number, and no integer beyond what a float can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _plain(text: str | bytes) -> Any:
    """What JSON says; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
