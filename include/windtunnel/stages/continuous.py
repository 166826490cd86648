"""A continuous search: what an iteration waits for, and what is said of those that nobody waits for."""

from collections.abc import Collection, Mapping, Sequence

from windtunnel.ledger import Decision, Request, Trial
from windtunnel.ledger.curves import EPOCH
from windtunnel.ledger.stragglers import promising
from windtunnel.stages.ending import reason_to_suggest_no_more
from windtunnel.stages.search import Search


def what_follows(search: Search, k: int, tried: int, note: str) -> tuple[int | None, bool]:
    """What iteration k waits for in a continuous search: `Plan.ahead` and `Plan.last`.

    Args:
        search: at work.
        k: the iteration.
        tried: configurations that it and those before it have tried.
        note: why its batch is smaller than was asked for; empty where it is not.
    """
    definition, limits = search.definition, search.definition.limits
    if not definition.continuous:
        return None, False
    ends = k == search.iteration(search.session.iterations)
    if not (ends or note or reason_to_suggest_no_more(search, k + 1, tried)):
        lanes = (limits.parallel or 1) * limits.slots
        return lanes if definition.trials.ahead is None else definition.trials.ahead, False
    if len(definition.rungs) > 1 and not ends:
        return None, False  # who is promoted once nothing new comes is decided from all results
    return 0, True


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
