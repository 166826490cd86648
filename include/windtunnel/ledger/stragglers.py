"""Stragglers: trials without a result when what follows them begins."""

from collections.abc import Iterable, Mapping, Sequence

from windtunnel.ledger.records import Request, Result, State
from windtunnel.ledger.trial import Trial, feasible_trials
from windtunnel.objectives.front import pareto_front


def promising(
    late: Iterable[Request],
    tried: Sequence[Trial],
    reports: Mapping[str, Mapping[str, float | None]],
    objectives: Mapping[str, str],
) -> set[str]:
    """The stragglers that would be on the front if they ended now, by what they have reported last.

    One that has yet to report an objective is not among them: nothing is known of it. Without a front all are.

    Args:
        late: what was asked of them.
        tried: the trials that have ended.
        reports: values by name, by trial; see `latest_reports`.
        objectives: by name, their direction.
    """
    front = pareto_front(feasible_trials(tried), objectives)
    if not front:
        return {request.trial for request in late}

    def would_be_on_it(request: Request) -> bool:
        reported = {name: value for name, value in reports.get(request.trial, {}).items() if value is not None}
        values = request.known | reported
        now = Trial(request, Result(trial=request.trial, state=State.COMPLETED, objectives=values))
        return now in pareto_front([*front, now], objectives)

    return {request.trial for request in late if would_be_on_it(request)}


def newcomers(tried: Sequence[Trial], known: Iterable[str], objectives: Mapping[str, str]) -> list[Trial]:
    """The trials that belong on the front and ended after the last selection.

    Args:
        tried: all that have ended.
        known: ids of those that the selection knew.
        objectives: by name, their direction.
    """
    before = set(known)
    return [trial for trial in pareto_front(feasible_trials(tried), objectives) if trial.trial not in before]
