"""An iteration: suggest trials; then, when their results are in, select."""

from collections.abc import Collection, Iterable, Mapping

from windtunnel.ledger import Decision, Known, Plan, Request, State, Trial
from windtunnel.ledger.curves import EPOCH, latest_report
from windtunnel.ledger.ids import retry_id
from windtunnel.ledger.trial import ended, furthest
from windtunnel.stages.ending import reason_to_fail, reason_to_stop, reason_to_suggest_no_more
from windtunnel.stages.history import history, requests
from windtunnel.stages.planning import plan_trials
from windtunnel.stages.promotion import promote, promoted
from windtunnel.stages.search import Search
from windtunnel.stages.standing import standing
from windtunnel.strategies import Batch, Suggestion, get_strategy


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
            search.definition.rungs[0],
            str(k),
            iteration=k,
            parents=suggestion.parents,
            note=suggestion.note,
            infeasible=search.problem.broken(suggestion.params),
        )
        for suggestion in batch.suggestions
    ]
    asked += promoted(search, k)
    if search.session.retry_failed and k == search.iteration(1):
        asked += _retries(search, k)
    return plan_trials(search, str(k), asked, busy, batch.note)


def select(search: Search, k: int) -> Known:
    """Fix what iteration k's selection knows: the front, who is promoted, and whether the search goes on."""
    fixed = search.ledger.known(str(k))
    if fixed is not None:
        return fixed
    asked = requests(search.ledger, k)
    outcomes = search.ledger.outcomes()
    trials = [trial for trial in asked if trial in outcomes]
    tried = ended((asked[trial] for trial in trials), outcomes)
    seen = furthest(tried)
    stands = standing(search, k, seen)
    plan = search.ledger.plan(str(k))
    note = plan.note if plan else ""
    promotions, of_trials = promote(search, k, asked, tried)
    stop = reason_to_stop(search, k, tried, stands, outcomes) or _used_up(search, k, note, bool(promotions))
    decisions = [Decision(what="front", reason=f"{len(stands.front)} of {len(trials)} trials are on the front")]
    late = [trial for trial in asked if trial not in outcomes]
    if late:
        decisions.append(Decision(what="late", reason=f"{len(late)} late trials count once they have results"))
    if note:
        decisions.append(Decision(what="note", reason=note))
    decisions += of_trials
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
            promotions=promotions,
            underway=_reports(search, late),
            stop=stop,
            failure=reason_to_fail(search, seen, len(stands.front)),
        )
    )


def _batch(search: Search, k: int) -> Batch:
    definition = search.definition
    strategy = get_strategy(definition.strategy.name, definition.strategy.options)
    wanted = definition.trials.initial if k == 1 else definition.trials.per_iteration
    begun = _configurations(search, k - 1)
    nothing_new = reason_to_suggest_no_more(search, k, begun)
    if nothing_new is not None:
        return Batch([], nothing_new)
    if definition.limits.trials is not None:
        wanted = min(wanted, definition.limits.trials - begun)
    past = history(search, k - 1)
    past += _underway(search, k - 1, past)
    first = _default(search, past) if k == 1 and definition.trials.default_first else []
    past += [Trial.of(default.params, "", iteration=k, state=None) for default in first]
    wanted -= len(first)
    rest = strategy.suggest(search.problem, past, wanted, definition.seed, k) if wanted else Batch([])
    return Batch(first + rest.suggestions, rest.note)


def _default(search: Search, past: list[Trial]) -> list[Suggestion]:
    """The space's default configuration, if it was not tried before."""
    default = search.space.default()
    known = {search.space.key(seen.params) for seen in past}
    return [] if search.space.key(default) in known else [Suggestion(default, note={"from": "default"})]


def _configurations(search: Search, upto: int) -> int:
    """How many configurations iterations up to that one have tried; those of a warm start cost nothing."""
    asked = requests(search.ledger, upto).values()
    return len({request.config for request in asked if request.iteration and not request.infeasible})


def _used_up(search: Search, k: int, note: str, promoting: bool) -> str | None:
    """Why the next iteration would have nothing to do: no new configuration, and none to promote."""
    nothing_new = note or reason_to_suggest_no_more(search, k + 1, _configurations(search, k))
    if promoting or not nothing_new:
        return None
    halving = search.definition.early_stopping.halving is not None
    return f"{nothing_new}; none is left to promote" if halving else nothing_new


def _underway(search: Search, upto: int, past: list[Trial]) -> list[Trial]:
    """Stragglers, whose configurations must not be suggested again; the plans and records fix which they are."""
    have = {observation.config for observation in past}
    known = search.ledger.known(str(upto))
    reports = known.underway if known is not None else {}
    return [
        Trial(request, earlier={report[EPOCH]: _objectives(search, report)} if report else {})
        for request in requests(search.ledger, upto).values()
        if request.config not in have
        for report in [reports.get(request.trial)]
    ]


def _reports(search: Search, late: Iterable[str]) -> dict[str, dict[str, float]]:
    """What late trials have reported of the objectives so far, and after which epoch."""
    found = {trial: latest_report(search.ledger, trial) for trial in late}
    return {
        trial: {EPOCH: report[EPOCH]} | _objectives(search, report)
        for trial, report in found.items()
        if _objectives(search, report)
    }


def _objectives(search: Search, report: Mapping[str, float]) -> dict[str, float]:
    return {name: report[name] for name in search.problem.objectives if name in report}


def _retries(search: Search, k: int) -> list[Request]:
    failed = {seen.trial for seen in history(search, k - 1) if seen.state is State.FAILED}
    asked = requests(search.ledger, k - 1)
    return [
        asked[trial].model_copy(update={"trial": retry_id(trial), "stage": str(k)})
        for trial in asked
        if trial in failed
    ]
