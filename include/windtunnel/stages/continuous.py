"""A continuous search: how many trials an iteration suggests and waits for, and what is said of those it leaves."""

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate

from windtunnel.definition import Definition
from windtunnel.ledger import Decision, Request, Trial
from windtunnel.ledger.curves import EPOCH
from windtunnel.ledger.stragglers import promising
from windtunnel.stages.search import Search

_TURN = 20.0  # seconds from an iteration's end to the next one's first claims, where Airflow is slow
_MOST = 4  # trials a lane that wait, or are one batch, at most
_UNTIMED = 4  # lanes a trial that waits, until a time is known
_LAST_SHARE = 1 / 6  # of all trials that the last batch may have: none of it is suggested with others of it known


def trial_times(requests: Iterable[Request], seconds: Mapping[str, float]) -> dict[str, float]:
    """The seconds that each trial takes, by trial; none until one has ended.

    Trials are taken to last in proportion to their predicted costs, for those that end first are short.

    Args:
        requests: all trials that the search has asked for.
        seconds: that those took which have ended with values, by trial.
    """
    feasible = [request for request in requests if not request.infeasible]
    done = sum(request.cost for request in feasible if seconds.get(request.trial))
    spent = sum(seconds.get(request.trial, 0.0) for request in feasible)
    return {request.trial: spent / done * request.cost for request in feasible} if done > 0 else {}


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
    if _sizes_itself(definition):
        limit = _MOST * _lanes(definition)
        if left <= min(limit, _LAST_SHARE * most):
            return left
        size = max(size, min(_ending(definition, times), limit))
    return min(left, size)


def what_follows(
    definition: Definition, *, last: bool, more: bool, times: Collection[float]
) -> tuple[int | None, bool]:
    """What an iteration waits for: `Plan.ahead` and `Plan.last`.

    Args:
        definition: of the search, its lanes fixed.
        last: whether the iteration is the last one that there may be.
        more: whether the next one would suggest new configurations, rather than promote or repeat at most.
        times: the seconds that the trials take which have not ended, as `trial_times` gives them.
    """
    if not definition.continuous:
        return None, False
    if more and not last:
        return _ahead(definition, times), False
    if (len(definition.rungs) > 1 or definition.repeats > 1) and not last:
        return None, False  # who is promoted or repeated once nothing new comes is decided from all results
    return 0, True


def _ahead(definition: Definition, times: Collection[float]) -> int:
    """How many trials wait for a lane when the next batch is suggested.

    Few until a time is known: what is suggested before trials have ended is suggested with nothing known. Then those
    that fill the time in which lanes would be idle during a turn of Airflow's, if trials ended at random. They are the
    shortest, for lanes begin with the longest; one that lasts longer than a turn fills half of it on average.
    """
    trials, lanes = definition.trials, _lanes(definition)
    if trials.ahead is not None:
        return trials.ahead
    if not times:
        return min(lanes // _UNTIMED, trials.initial - 1, trials.per_iteration - 1)
    mean = statistics.fmean(times)
    idle = lanes * (_TURN + mean * math.expm1(-_TURN / mean))
    filling = sum(filled <= idle for filled in accumulate(min(time, _TURN / 2) for time in sorted(times)))
    return max(0, min(filling, _MOST * lanes, len(times) - lanes - 1))  # so that a lane has seen the batch


def _ending(definition: Definition, times: Collection[float]) -> int:
    """How many trials end in a turn of Airflow's."""
    return math.ceil(_lanes(definition) * _TURN / statistics.fmean(times)) if times else 0


def _sizes_itself(definition: Definition) -> bool:
    """Whether batches follow from the trials' times, and not from `trials.per_iteration` alone."""
    return definition.continuous and definition.trials.ahead is None and definition.limits.trials is not None


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
