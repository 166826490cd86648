"""The finalists: which trials are trained fully."""

from collections.abc import Collection

from windtunnel.errors import DefinitionError, LedgerError, SearchError
from windtunnel.front import spread
from windtunnel.ledger import Plan, Request, State, ids
from windtunnel.ledger.ids import first_id, last_try, retry_id
from windtunnel.sources import open_source
from windtunnel.stages.history import history
from windtunnel.stages.planning import plan_trials
from windtunnel.stages.search import Search


def full_stage(search: Search) -> str:
    """The name of the stage that trains the finalists of a search at work."""
    sessions = [session for session in search.ledger.sessions() if session.started <= search.session.started]
    return ids.full_stage(search.ledger.iterations_done(), sessions, chosen=search.origin is not None)


def choose_finalists(search: Search, busy: Collection[int] = ()) -> Plan:
    """Fix the full training of the front's members, spread over it, or of the trials that the session names.

    Args:
        search: at work.
        busy: lanes that stragglers still hold.

    Raises:
        SearchError: no trial is on the front.
        LedgerError: a named trial is not in its run, or not of this search's space.
    """
    stage = full_stage(search)
    fixed = search.ledger.plan(stage)
    if fixed is not None:
        return fixed
    asked = _chosen(search, stage) if search.origin else _front(search, stage)
    return plan_trials(search, stage, _last_tries(search, asked), busy)


def _front(search: Search, stage: str) -> list[Request]:
    k = search.ledger.iterations_done()
    known = search.ledger.known(str(k))
    if known is None or not known.front:
        raise SearchError(f"{search.ledger.url}: no trial is on the front, so there is nothing to train fully")
    front = [seen for seen in history(search, k) if seen.trial in known.front]
    members = spread(front, search.problem.objectives, search.definition.finalists.max)
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


def _last_tries(search: Search, asked: list[Request]) -> list[Request]:
    """The same trials by their last tries; a failed one gets another where the session wants it."""
    outcomes = search.ledger.outcomes()

    def last(trial: str) -> str:
        found = last_try(trial, outcomes)
        failed = found in outcomes and outcomes[found].state is State.FAILED
        return retry_id(found) if failed and search.session.retry_failed else found

    return [request.model_copy(update={"trial": last(request.trial)}) for request in asked]


def _chosen(search: Search, stage: str) -> list[Request]:
    origin = search.origin or {}
    source = open_source(origin["from_run"], search.ledger, "from_run")
    stages = (source.plan(name) for name in source.stages())
    asked = {request.trial: request for plan in stages if plan is not None for request in plan.requests}
    unknown = [trial for trial in origin["trials"] if trial not in asked]
    if unknown:
        raise LedgerError(f"trials: {', '.join(unknown)} are not in {source.url}, which has {len(asked)} trials")
    again = (_again(search, stage, asked[trial], origin["from_run"]) for trial in origin["trials"])
    return list({request.trial: request for request in again}.values())  # two may be of one configuration


def _again(search: Search, stage: str, first: Request, source: str) -> Request:
    """A trial of another run, trained fully; its weights are taken up only where it is the very same configuration."""
    try:
        params = search.space.canonical(first.params)
    except DefinitionError as error:
        faults = "; ".join(map(str, error.faults))
        raise LedgerError(f"trials: {first.trial} of {source} is not of this search's space: {faults}") from error
    request = search.request(params, search.definition.epochs.full, stage, iteration=first.iteration)
    same = request.config == first.config and first_id(request.trial) != first_id(first.trial)
    if not (same and search.definition.finalists.go_on and first.epochs < request.epochs):
        return request
    return request.model_copy(update={"continue_from": first.trial, "source": source})
