"""A continuous search: what an iteration waits for, and what is said of those that nobody waits for."""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence

from windtunnel.definition import Definition
from windtunnel.ledger import Decision, Request, Trial
from windtunnel.ledger.curves import EPOCH
from windtunnel.ledger.stragglers import promising
from windtunnel.stages.search import Search

_TURN = 20.0  # seconds from an iteration's end to the next one's first claims, where Airflow is slow
_SPARE = 4  # times as many trials may end in a turn as do on average, and a queue lets the long ones go first


def what_follows(
    definition: Definition, *, last: bool, more: bool, seconds: Sequence[float]
) -> tuple[int | None, bool]:
    """What an iteration waits for: `Plan.ahead` and `Plan.last`.

    Args:
        definition: of the search, its lanes fixed.
        last: whether the iteration is the last one that there may be.
        more: whether the next one would suggest new configurations, rather than promote or repeat at most.
        seconds: that trials took which have ended.
    """
    if not definition.continuous:
        return None, False
    if more and not last:
        return _ahead(definition, seconds), False
    if (len(definition.rungs) > 1 or definition.repeats > 1) and not last:
        return None, False  # who is promoted or repeated once nothing new comes is decided from all results
    return 0, True


def _ahead(definition: Definition, seconds: Sequence[float]) -> int:
    """How many trials wait for a lane when the next batch is suggested, unless the definition says it.

    As many as there are lanes, and fewer once trials turn out to take so long that fewer end in a turn of Airflow's:
    what waits was suggested with less known.
    """
    if definition.trials.ahead is not None:
        return definition.trials.ahead
    lanes = (definition.limits.parallel or 1) * definition.limits.slots
    mean = statistics.fmean(seconds) if seconds else 0.0
    return min(lanes, math.ceil(_SPARE * lanes * _TURN / mean)) if mean > 0 else lanes


def left_behind(
    search: Search, late: Sequence[Request], tried: Sequence[Trial], reports: Mapping[str, Mapping[str, float]]
) -> list[Decision]:
    """What is said of each straggler that the choice of the finalists does not wait for."""
    on_front = promising(late, tried, reports, search.problem.objectives)
    return [
        Decision(what="late", trial=request.trial, reason=_of_straggler(reports.get(request.trial), request, on_front))
        for request in late
    ]


def _of_straggler(report: Mapping[str, float] | None, request: Request, on_front: Collection[str]) -> str:
    if report is None:
        return "the finalists are chosen without it; it has reported nothing yet, and may belong on the front"
    would = "would" if request.trial in on_front else "would not"
    return f"the finalists are chosen without it; after {report[EPOCH]:g} epochs it {would} be on the front"
