"""The finalists: which trials are trained fully."""

from collections.abc import Collection, Sequence

from windtunnel.errors import DefinitionError, LedgerError, SearchError
from windtunnel.ledger import Plan, Request, State, Trial, ids
from windtunnel.ledger.ids import first_id, is_repeat, last_try, retry_id
from windtunnel.ledger.sources import open_source
from windtunnel.ledger.stage import Stage
from windtunnel.objectives.direction import sign
from windtunnel.objectives.front import comparable, fittest, spread
from windtunnel.stages.history import History
from windtunnel.stages.iterations import to_learn_from
from windtunnel.stages.planning import plan_trials
from windtunnel.stages.search import Search
from windtunnel.strategies import get_strategy
from windtunnel.text import counted

_FEWEST = 2  # finalists of several objectives


def full_stage(search: Search, history: History) -> Stage:
    """The stage that trains the finalists of a search at work."""
    chosen = search.origin is not None
    sessions = search.ledger.sessions() if chosen else []
    earlier = [session for session in sessions if session.order <= search.session.order]
    return ids.full_stage(history.iterations_done, earlier, chosen=chosen)


def choose_finalists(search: Search) -> Plan:
    """Fix the full training of the front's members, spread over it, or of the trials that the session names.

    Args:
        search: at work.

    Raises:
        SearchError: no trial is on the front.
        LedgerError: a named trial is not in its run, or not of this search's space.
    """
    history = History(search.ledger)
    stage = full_stage(search, history)
    plan = history.plan(stage)
    if plan is not None:
        return plan
    requests = _chosen(search, stage) if search.origin else _front(search, history, stage)
    has_time = search.session.seconds_left(search.definition.limits.search_time) > 0
    return plan_trials(
        search,
        history,
        stage,
        _last_tries(search, history, requests),
        ends_stragglers=has_time and search.origin is None,
    )


def _front(search: Search, history: History, stage: Stage) -> list[Request]:
    k = history.iterations_done
    selection = history.selection(k)
    if selection is None or not selection.front:
        why = f" ({selection.stop}: change what ended it, and resume the run)" if selection and selection.stop else ""
        raise SearchError(f"{search.ledger.url}: no trial is on the front, so there is nothing to train fully{why}")
    members = _members(search, history.trials(k), selection.front)
    go_on = search.definition.finalists.go_on
    return [
        search.request(
            member.params,
            search.definition.epochs.full,
            stage,
            done=member.epochs if go_on else 0.0,
            iteration=member.iteration,
            parents=member.parents,
            continue_from=member.trial if go_on else None,
        )
        for member in members
    ]


def _members(search: Search, trials: Sequence[Trial], front: Collection[str]) -> list[Trial]:
    """Members of the front, spread over it; where it has hardly any, the next best too, for a long training may fail.

    The front of one objective is one trial, mostly: the finalists are those of which the strategy expects most then,
    and the best by its own value where there is room for two. The best of many noisy values may owe that to luck alone.
    """
    objectives, most = search.problem.objectives, search.definition.finalists.max
    if len(objectives) == 1:
        best = _expected_best(search, trials)
        lucky = [trial for trial in trials if trial.trial in front][: most - 1]
        return list({one.trial: one for one in [*best[:1], *lucky, *best]}.values())[:most]
    members = spread([trial for trial in trials if trial.trial in front], objectives, most)
    others = [trial for trial in fittest(trials, objectives) if trial.trial not in front]
    return members + others[: max(0, min(most, _FEWEST) - len(members))]


def _expected_best(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The trials that may be on a front, by what the strategy expects of their objective, best first."""
    ((name, direction),) = search.problem.objectives.items()
    fit = comparable(trials, search.problem.objectives)
    strategy = get_strategy(search.definition.strategy.name, search.definition.strategy.options)
    history = [to_learn_from(trial) for trial in fit]
    expected = strategy.expected(search.problem, history, search.definition.seed)
    order = sorted(range(len(fit)), key=lambda place: sign(direction) * expected[place][name])
    return [fit[place] for place in order]


def _last_tries(search: Search, history: History, requests: list[Request]) -> list[Request]:
    """The same trials by their last tries; a failed one gets another where the session wants it."""

    def last(trial: str) -> str:
        latest = last_try(trial, history.results)
        result = history.results.get(latest)
        failed = result is not None and result.state is State.FAILED
        return retry_id(latest) if failed and search.session.retry_failed else latest

    return [request.model_copy(update={"trial": last(request.trial)}) for request in requests]


def _chosen(search: Search, stage: Stage) -> list[Request]:
    origin = search.origin or {}
    source = open_source(origin["from_run"], search.ledger, "from_run")
    plans = History(source).plans.values()
    theirs = {request.trial: request for plan in plans for request in plan.requests}
    unknown = [trial for trial in origin["trials"] if trial not in theirs]
    if unknown:
        raise LedgerError(
            f"trials: {', '.join(unknown)} are not in {source.url}, which has {counted(len(theirs), 'trial')}"
        )
    again = (_again(search, stage, theirs[trial], source.url) for trial in origin["trials"])
    return list({request.trial: request for request in again}.values())  # two may be of one configuration


def _again(search: Search, stage: Stage, first: Request, source: str) -> Request:
    """A trial of another run, trained fully; its weights are taken up only where it is the very same configuration."""
    try:
        params = search.space.canonical(first.params)
    except DefinitionError as error:
        faults = "; ".join(map(str, error.faults))
        raise LedgerError(f"trials: {first.trial} of {source} is not of this search's space: {faults}") from error
    request = search.request(params, search.definition.epochs.full, stage, iteration=first.iteration)
    same = request.config == first.config and first_id(request.trial) != first_id(first.trial)
    same = same and not is_repeat(first.trial)  # a repeat's weights are of another seed
    if not (same and search.definition.finalists.go_on and first.epochs < request.epochs):
        return request
    return request.model_copy(update={"continue_from": first.trial, "source": source})
