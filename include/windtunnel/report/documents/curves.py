"""Curves of training."""

import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from windtunnel.errors import NotFoundError
from windtunnel.ledger import Ledger
from windtunnel.report.documents.plain import plain
from windtunnel.report.view import WAITING, RunView, TrialView

_AT_ONCE = 8  # requests to the store

Points = list[Mapping[str, float | None]]


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
            found = dict(zip(missing, pool.map(lambda trial: curve(self._ledger, trial), missing), strict=True))
        self._kept |= {trial.trial: found[trial.trial] for trial in trials if trial.recorded and trial.trial in found}
        both = self._kept | found
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
    return {
        "version": view.version,
        "total": len(wanted),
        "next": start + most if start + most < len(wanted) else None,
        "finalists": list(models),
        "curves": [{"trial": name, "points": plain(each)} for name, each in points.items()],
    }


def curve(ledger: Ledger, trial: str) -> Points:
    """The points of one trial's training, as far as they are whole."""
    try:
        lines = ledger.store.get(ledger.trial_path(trial, "metrics.jsonl")).decode(errors="replace").splitlines()
    except NotFoundError:
        return []
    return [point for line in lines if (point := _point(line)) is not None]


def _point(line: str) -> Mapping[str, float | None] | None:
    try:
        point = json.loads(line)
    except ValueError:  # the last line of a file that is being written
        return None
    return point if isinstance(point, dict) and isinstance(point.get("epoch"), (int, float)) else None


def _with_partial(view: RunView, source: Curves, partial: str, own: Points) -> Points:
    trial = view.find(partial)
    begun = source.read([trial]).get(partial, []) if trial else []
    return [point for point in begun if (point["epoch"] or 0) < (own[0]["epoch"] or 0)] + own
