"""An iteration: suggest trials; then, when their results are in, select."""

import time
from collections.abc import Collection
from datetime import datetime

from windtunnel.ledger import Decision, Known, Plan, Request, State
from windtunnel.ledger.ids import retry_id
from windtunnel.stages.history import history, observations, requests
from windtunnel.stages.planning import plan_trials
from windtunnel.stages.search import Search
from windtunnel.stages.standing import Standing, standing
from windtunnel.strategies import Batch, Observation, get_strategy


def goes_on(search: Search, group: int) -> bool:
    """Whether the session's `group`-th iteration (from 1) is to be performed."""
    if group > search.session.iterations:
        return False
    known = search.ledger.known(str(search.iteration(group) - 1))
    return group == 1 or (known is not None and known.stop is None and known.failure is None)


def suggest(search: Search, k: int, busy: Collection[int] = ()) -> Plan:
    """Fix iteration k's trials and jobs.

    Args:
        search: at work.
        k: the iteration, counted from 1.
        busy: lanes that earlier iterations' stragglers still hold.

    Returns:
        The plan; trials whose results are known already are in it, but in no job.
    """
    fixed = search.ledger.plan(str(k))
    if fixed is not None:
        return fixed
    batch = _batch(search, k)
    asked = [
        search.request(
            suggestion.params,
            search.definition.epochs.partial,
            str(k),
            iteration=k,
            parents=suggestion.parents,
            note=suggestion.note,
            infeasible=search.problem.broken(suggestion.params),
        )
        for suggestion in batch.suggestions
    ]
    if search.session.retry_failed and k == search.iteration(1):
        asked += _retries(search, k)
    return plan_trials(search, str(k), asked, busy, batch.note)


def select(search: Search, k: int) -> Known:
    """Fix what iteration k's selection knows: the front, its hypervolume, and whether the search goes on."""
    fixed = search.ledger.known(str(k))
    if fixed is not None:
        return fixed
    asked = requests(search.ledger, k)
    outcomes = search.ledger.outcomes()
    trials = [trial for trial in asked if trial in outcomes]
    seen = observations((asked[trial] for trial in trials), outcomes)
    stands = standing(search, k, seen)
    plan = search.ledger.plan(str(k))
    note = plan.note if plan else ""
    stop = _reason_to_stop(search, k, stands, note)
    failed = sum(observation.state is State.FAILED for observation in seen)
    decisions = [Decision(what="front", reason=f"{len(stands.front)} of {len(trials)} trials are on the front")]
    late = len(asked) - len(trials)
    if late:
        decisions.append(Decision(what="late", reason=f"{late} late trials count once they have results"))
    if note:
        decisions.append(Decision(what="note", reason=note))
    if stop:
        decisions.append(Decision(what="end", reason=f"the search ends here: {stop}"))
    return search.ledger.create_known(
        Known(
            stage=str(k),
            results=trials,
            front=stands.trials,
            hypervolume=stands.hypervolume,
            reference=stands.reference,
            decisions=decisions,
            stop=stop,
            failure=_reason_to_fail(search, failed, len(seen), len(stands.front)),
        )
    )


def _batch(search: Search, k: int) -> Batch:
    definition = search.definition
    strategy = get_strategy(definition.strategy.name, definition.strategy.options)
    wanted = definition.trials.initial if k == 1 else definition.trials.per_iteration
    past = history(search, k - 1)
    unknown = _underway(search, k - 1, past)
    return strategy.suggest(search.problem, past + unknown, wanted, definition.seed, k)


def _underway(search: Search, upto: int, past: list[Observation]) -> list[Observation]:
    """Stragglers, whose configurations must not be suggested again; the plans and records fix which they are."""
    have = {observation.config for observation in past}
    return [
        Observation(
            trial=request.trial,
            params=request.params,
            config=request.config,
            iteration=request.iteration,
            state=None,
            objectives={},
            violation=0.0,
            known=request.known,
            parents=request.parents,
        )
        for request in requests(search.ledger, upto).values()
        if request.config not in have
    ]


def _retries(search: Search, k: int) -> list[Request]:
    failed = {seen.trial for seen in history(search, k - 1) if seen.state is State.FAILED}
    asked = requests(search.ledger, k - 1)
    return [
        asked[trial].model_copy(update={"trial": retry_id(trial), "stage": str(k), "continue_from": None})
        for trial in asked
        if trial in failed
    ]


def _reason_to_stop(search: Search, k: int, stands: Standing, note: str) -> str | None:
    definition = search.definition
    for name, goal in definition.stopping.target.items():
        sign = 1 if definition.objectives[name] == "maximize" else -1
        if any(sign * seen.objectives[name] >= sign * goal for seen in stands.front):
            return f"the target {name} {goal:g} is reached"
    stale = definition.stopping.stale_iterations
    if stale is not None and k > stale and stands.hypervolume is not None:
        before = search.ledger.known(str(k - stale))
        if before is not None and before.hypervolume is not None and stands.hypervolume <= before.hypervolume:
            return f"the hypervolume has not grown for {stale} iterations"
    spent = time.time() - datetime.fromisoformat(search.session.started).timestamp()
    if definition.limits.search_time is not None and spent > definition.limits.search_time:
        return f"limits.search_time of {definition.limits.search_time:g} s is used up"
    return note or None


def _reason_to_fail(search: Search, failed: int, known: int, front: int) -> str | None:
    limit = search.definition.limits.failed_trials
    if failed >= limit:
        return f"{failed} of {known} trials failed, and limits.failed_trials is {limit}"
    if known and not front and failed == known:
        return f"all {failed} trials failed"
    return None
