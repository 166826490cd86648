"""Curves of training."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from windtunnel.ledger import Ledger, Trial
from windtunnel.ledger.curves import Point, read_points, thinned
from windtunnel.report.payloads.plain import plain
from windtunnel.report.snapshot import WAITING, Snapshot

_AT_ONCE = 8  # requests to the store
_MOST_POINTS = 100_000  # of all curves on a page
_MOST_KEPT = 500_000  # points of curves that are remembered

Points = list[Point]


class Curves:
    """Reads curves; that of a trial with a result is read once."""

    def __init__(self, ledger: Ledger) -> None:
        """Read nothing yet."""
        self._ledger = ledger
        self._kept: dict[str, Points] = {}

    def read(self, trials: Collection[Trial]) -> dict[str, Points]:
        """The points of each trial's training, each with `epoch` and metrics; trials without any are left out."""
        unread = [trial.trial for trial in trials if trial.trial not in self._kept]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            fresh = dict(zip(unread, pool.map(lambda trial: read_points(self._ledger, trial), unread), strict=True))
        self._kept |= {trial.trial: fresh[trial.trial] for trial in trials if trial.result and trial.trial in fresh}
        points = self._kept | fresh
        if sum(map(len, self._kept.values())) > _MOST_KEPT:
            self._kept = {}
        return {trial.trial: points[trial.trial] for trial in trials if points[trial.trial]}


def curves(
    snapshot: Snapshot, source: Curves, chosen: Collection[str] = (), start: int = 0, most: int = 200
) -> dict[str, Any]:
    """Curves of the chosen trials, or a page of all: the finalists first, then the front, then the latest.

    A finalist's curve begins with its partial training's.

    Args:
        snapshot: of the run.
        source: reads them.
        chosen: ids of trials; all if there are none.
        start: of the page.
        most: on the page.
    """
    models = {model.trial.trial: model for model in snapshot.models}
    if chosen:
        wanted = [trial for name in chosen if (trial := snapshot.find(name))]
    else:
        begun = [trial for trial in reversed(snapshot.trials) if snapshot.state(trial) != WAITING]
        others = sorted(begun, key=lambda trial: trial.trial not in snapshot.front)
        wanted = [model.trial for model in snapshot.models] + others
    page = wanted[start : start + most]
    points = source.read(page)
    for name in [name for name in points if name in models and models[name].partial]:
        points[name] = _with_partial(snapshot, source, str(models[name].partial), points[name])
    most_each = max(2, _MOST_POINTS // max(len(points), 1))
    return {
        "version": snapshot.version,
        "total": len(wanted),
        "next": start + most if start + most < len(wanted) else None,
        "finalists": list(models),
        "curves": [{"trial": name, "points": plain(thinned(each, most_each))} for name, each in points.items()],
    }


def _with_partial(snapshot: Snapshot, source: Curves, partial: str, own: Points) -> Points:
    trial = snapshot.find(partial)
    begun = source.read([trial]).get(partial, []) if trial else []
    return [point for point in begun if (point["epoch"] or 0) < (own[0]["epoch"] or 0)] + own
