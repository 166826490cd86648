"""Curves of training."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from windtunnel.ledger import Ledger
from windtunnel.ledger.curves import Point, read_points, thinned
from windtunnel.report.documents.plain import plain
from windtunnel.report.view import WAITING, RunView, TrialView

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

    def read(self, trials: Collection[TrialView]) -> dict[str, Points]:
        """The points of each trial's training, each with `epoch` and metrics; trials without any are left out."""
        missing = [trial.trial for trial in trials if trial.trial not in self._kept]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = dict(zip(missing, pool.map(lambda trial: read_points(self._ledger, trial), missing), strict=True))
        self._kept |= {trial.trial: found[trial.trial] for trial in trials if trial.recorded and trial.trial in found}
        both = self._kept | found
        if sum(map(len, self._kept.values())) > _MOST_KEPT:
            self._kept = {}
        return {trial.trial: points for trial in trials if (points := both[trial.trial])}


def curves(
    view: RunView, source: Curves, chosen: Collection[str] = (), start: int = 0, most: int = 200
) -> dict[str, Any]:
    """Curves of the chosen trials, or a page of all: the finalists first, then the front, then the latest.

    A finalist's curve begins with its partial training's.

    Args:
        view: of the run.
        source: reads them.
        chosen: ids of trials; all if there are none.
        start: of the page.
        most: on the page.
    """
    models = {model.trial.trial: model for model in view.models}
    if chosen:
        wanted = [trial for name in chosen if (trial := view.find(name))]
    else:
        begun = [trial for trial in view.trials if trial.state != WAITING]
        others = sorted(begun, key=lambda trial: (not trial.front, -trial.number))
        wanted = [model.trial for model in view.models] + others
    page = wanted[start : start + most]
    points = source.read(page)
    for name in [name for name in points if name in models and models[name].partial]:
        points[name] = _with_partial(view, source, str(models[name].partial), points[name])
    most_each = max(2, _MOST_POINTS // max(len(points), 1))
    return {
        "version": view.version,
        "total": len(wanted),
        "next": start + most if start + most < len(wanted) else None,
        "finalists": list(models),
        "curves": [{"trial": name, "points": plain(thinned(each, most_each))} for name, each in points.items()],
    }


def _with_partial(view: RunView, source: Curves, partial: str, own: Points) -> Points:
    trial = view.find(partial)
    begun = source.read([trial]).get(partial, []) if trial else []
    return [point for point in begun if (point["epoch"] or 0) < (own[0]["epoch"] or 0)] + own
