"""A continuous search: how many trials an iteration suggests and waits for, and what is said of those it leaves."""

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate

from windtunnel.definition import Definition
from windtunnel.ledger import Decision, Request, Trial
from windtunnel.ledger.curves import EPOCH
from windtunnel.ledger.prediction import work_of
from windtunnel.ledger.stragglers import promising
from windtunnel.stages.search import Search

_TURN = 20.0  # seconds from an iteration's end to the next one's first claims, where Airflow is slow
_MOST = 4  # trials a lane that wait, or are one batch, at most
_UNTIMED = 1 / 4  # trials a lane that wait until a time is known
_LAST_SHARE = 1 / 6  # of all trials that the last batch may have: none of it is suggested with others of it known


def trial_times(requests: Iterable[Request], seconds: Mapping[str, float]) -> dict[str, float]:
    """The seconds that each trial takes, by trial; none until one has ended.

    Trials are taken to last in proportion to their predicted costs, for those that end first are short.

    Args:
        requests: all trials that the search has asked for.
        seconds: that those took which have ended with values, by trial.
    """
    costs = {request.trial: work_of(request) for request in requests if not request.infeasible}
    done = sum(cost for trial, cost in costs.items() if seconds.get(trial))
    spent = sum(seconds.get(trial, 0.0) for trial in costs)
    return {trial: spent / done * cost for trial, cost in costs.items()} if done else {}


def batch_size(definition: Definition, left: int | None, times: Collection[float]) -> int:
    """How many configurations an iteration after the first suggests.

    A continuous search that `limits.trials` bounds suggests as many as may end in a turn of Airflow's, or else its
    lanes would wait. Its last trials are one batch, for lanes that begin with the longest of many end closer together.

    Args:
        definition: of the search, its lanes fixed.
        left: how many there may still be; None where nothing but the iterations limits them.
        times: the seconds that trials take, as `trial_times` gives them.
    """
    size, most = definition.trials.per_iteration, definition.limits.trials
    if most is None or left is None:
        return size
    if definition.continuous and definition.trials.ahead is None:
        lanes = _lanes(definition)
        if left <= min(_MOST * lanes, _LAST_SHARE * most):
            return left
        ending = math.ceil(lanes * _TURN / statistics.fmean(times)) if times else 0
        size = max(size, min(ending, _MOST * lanes))
    return min(left, size)


def what_follows(
    definition: Definition, *, last: bool, more: bool, requests: Collection[Request], times: Mapping[str, float]
) -> tuple[int | None, bool]:
    """What an iteration waits for: `Plan.ahead` and `Plan.last`.

    Args:
        definition: of the search, its lanes fixed.
        last: whether the iteration is the last one that there may be.
        more: whether the next one would suggest new configurations, rather than promote or repeat at most.
        requests: feasible trials that have not ended, the iteration's own among them.
        times: the seconds that trials take, as `trial_times` gives them.
    """
    if not definition.continuous:
        return None, False
    if more and not last:
        return _ahead(definition, requests, times), False
    if (len(definition.rungs) > 1 or definition.repeats > 1) and not last:
        return None, False  # who is promoted or repeated once nothing new comes is decided from all results
    return 0, True


def _ahead(definition: Definition, requests: Collection[Request], times: Mapping[str, float]) -> int:
    """How many trials wait for a lane when the next batch is suggested, if the definition does not say.

    Few until a time is known: what is suggested before trials have ended is suggested with nothing known. Then those
    that fill the time in which lanes would be idle during a turn of Airflow's. They are taken to be the shortest, for
    lanes begin with the longest of a rung; and no one fills more than half a turn, for its lane becomes free within it.

    A lane whose trials end at random moments, after m seconds on average, is idle for T - m (1 - exp(-T / m)) of a turn
    of T seconds.
    """
    if definition.trials.ahead is not None:
        return definition.trials.ahead
    lanes = _lanes(definition)
    most = max(0, min(_MOST * lanes, len(requests) - lanes - 1))  # so that a lane has claimed one of the batch
    if not times:
        return min(most, math.floor(_UNTIMED * lanes))
    seconds = sorted(times[request.trial] for request in requests)
    mean = statistics.fmean(seconds)
    idle = lanes * (_TURN + mean * math.expm1(-_TURN / mean))
    return min(most, 1 + sum(filled < idle for filled in accumulate(min(each, _TURN / 2) for each in seconds)))


def _lanes(definition: Definition) -> int:
    """How many trials run at once."""
    return (definition.limits.parallel or 1) * definition.limits.slots


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
