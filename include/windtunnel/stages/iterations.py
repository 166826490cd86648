"""An iteration: suggest trials; then, when their results are in, select."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import replace

from windtunnel.errors import WorkloadError
from windtunnel.ledger import Decision, Plan, Request, Result, Selection, State, Trial
from windtunnel.ledger.curves import EPOCH, latest_reports
from windtunnel.ledger.ids import retry_id
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.trial import configurations, ended, furthest, outstanding
from windtunnel.objectives.direction import near
from windtunnel.space import Params
from windtunnel.stages.continuous import batch_size, left_behind, trial_times, what_follows
from windtunnel.stages.front import front_of
from windtunnel.stages.history import History
from windtunnel.stages.planning import plan_trials
from windtunnel.stages.promotion import promote, promoted, repeats, to_repeat
from windtunnel.stages.search import Search
from windtunnel.stages.search_end import reason_to_fail, reason_to_stop, reason_to_suggest_no_more
from windtunnel.stages.warm_start import best_of_other_tasks
from windtunnel.strategies import Batch, Problem, Suggestion, get_strategy
from windtunnel.text import counted


def goes_on(search: Search, group: int) -> bool:
    """Whether the session's `group`-th iteration (from 1) is to be performed."""
    if group > search.session.iterations:
        return False
    before = search.ledger.selection(Stage.iteration(search.iteration(group) - 1))
    return group == 1 or (before is not None and before.stop is None and before.failure is None)


def suggest(search: Search, k: int) -> Plan:
    """Fix iteration k's trials.

    Args:
        search: at work.
        k: the iteration, counted from 1.

    Returns:
        The plan; trials whose results are known already are in it.
    """
    stage, history = Stage.iteration(k), History(search.ledger)
    plan = history.plan(stage)
    if plan is not None:
        return plan
    failing: dict[str, str] = {}
    own, seconds = _own(history, k)
    batch = _batch(search, history, k, _watched(search.problem, failing), trial_times(own, seconds))
    requests = [_first_rung(search, stage, suggestion) for suggestion in batch.suggestions]
    requests += promoted(search, history, k) + repeats(search, history, k)
    if search.session.retry_failed and k == search.iteration(1):
        requests += _retries(history, stage)
    tried = _configurations(history, k - 1) + len(batch.suggestions)
    more = not (batch.note or reason_to_suggest_no_more(search, k + 1, tried))
    ends = k == search.iteration(search.session.iterations)
    owed = [one for one in outstanding([*own, *requests], history.results) if not one.infeasible]
    times = trial_times([*own, *requests], seconds)
    ahead, last = what_follows(search.definition, last=ends, more=more, requests=owed, times=times)
    left_out = "" if any(plan.left_out for plan in history.plans.values()) else _left_out(failing)
    return plan_trials(search, history, stage, requests, note=batch.note, left_out=left_out, ahead=ahead, last=last)


def select(search: Search, k: int) -> Selection:
    """Fix what iteration k's selection knows: the front, who is promoted, and whether the search goes on."""
    stage, history = Stage.iteration(k), History(search.ledger)
    fixed = history.selection(k)
    if fixed is not None:
        return fixed
    requests = history.requests(k)
    in_time = [trial for trial in requests if trial in history.results]
    late = outstanding(requests.values(), history.results)
    tried = ended((requests[trial] for trial in in_time), history.results)
    configurations = furthest(tried)
    front, facts = front_of(search, history, k, configurations)
    promotions, of_trials = promote(search, history, k, tried)
    plan = history.plans.get(stage)
    note, left_out = (plan.note, plan.left_out) if plan is not None else ("", "")
    stop = reason_to_stop(search, history, k, tried, front)
    left = bool(promotions or to_repeat(search, requests, [trial.trial for trial in front]))
    stop = stop or _used_up(search, history, k, note, left=left)
    underway = _reports(search, [request.trial for request in late])
    ends = stop is not None or (stage in history.plans and history.plans[stage].last)
    of_trials += left_behind(search, late, tried, underway) if ends else []
    return search.ledger.create_selection(
        Selection(
            stage=stage,
            results=in_time,
            decisions=[
                *_of_search(len(front), len(in_time), len(late), note, left_out),
                *of_trials,
                *_end(stop),
            ],
            promotions=promotions,
            underway=underway,
            stop=stop,
            failure=reason_to_fail(search, configurations, len(front), len(late)),
            **facts,
        )
    )


def _of_search(front: int, in_time: int, late: int, note: str, left_out: str) -> list[Decision]:
    decisions = [Decision(what="front", reason=f"{front} of {in_time} trials are on the front")]
    if late:
        reason = counted(late, "late trial counts once it has a result", "late trials count once they have results")
        decisions.append(Decision(what="late", reason=reason))
    if note:
        decisions.append(Decision(what="note", reason=note))
    if left_out:
        decisions.append(Decision(what="left out", reason=left_out))
    return decisions


def _end(stop: str | None) -> list[Decision]:
    return [Decision(what="end", reason=f"the search ends here: {stop}")] if stop else []


def _first_rung(search: Search, stage: Stage, suggestion: Suggestion) -> Request:
    return search.request(
        suggestion.params,
        search.definition.rungs[0],
        stage,
        iteration=stage.number,
        parents=suggestion.parents,
        note=suggestion.note,
        infeasible=search.problem.broken(suggestion.params),
    )


def _watched(problem: Problem, failing: dict[str, str]) -> Problem:
    """The same problem, which notes the configurations that the workload's cost fails for, and why."""

    def known(params: Params) -> Mapping[str, float]:
        try:
            return problem.known(params)
        except WorkloadError as error:
            failing.setdefault(problem.space.key(params), str(error))
            raise

    return replace(problem, known=known)


def _left_out(failing: Mapping[str, str]) -> str:
    if not failing:
        return ""
    count = counted(len(failing), "configuration is", "configurations are")
    return f"{count} left out, since what they cost is not known: {next(iter(failing.values()))}"


def _batch(search: Search, history: History, k: int, problem: Problem, times: Mapping[str, float]) -> Batch:
    """The iteration's new configurations, the space's default one first where that is wanted."""
    definition = search.definition
    begun = _configurations(history, k - 1)
    nothing_new = reason_to_suggest_no_more(search, k, begun)
    if nothing_new is not None:
        return Batch([], nothing_new)
    left = definition.limits.trials - begun if definition.limits.trials is not None else None
    if k == 1:
        wanted = definition.trials.initial if left is None else min(definition.trials.initial, left)
    else:
        wanted = batch_size(definition, left, times.values())
    past = history.trials(k - 1)
    past += _underway(search, history, k - 1, past)
    first = _first(search, past, wanted) if k == 1 else []
    past += [Trial(_first_rung(search, Stage.iteration(k), default)) for default in first]
    wanted -= len(first)
    strategy = get_strategy(definition.strategy.name, definition.strategy.options)
    learnt = [to_learn_from(trial) for trial in past]
    rest = strategy.suggest(problem, learnt, wanted, definition.seed, k) if wanted else Batch([])
    return Batch(first + rest.suggestions, rest.note)


def _own(history: History, k: int) -> tuple[list[Request], dict[str, float]]:
    """The trials of the iterations before k that ran on these machines, and the seconds of those with values."""
    seconds = {trial: result.seconds for trial, result in history.results.items() if result.state.has_values}
    return [request for request in history.requests(k - 1).values() if request.stage.number > 0], seconds


def to_learn_from(trial: Trial) -> Trial:
    """The trial as strategies get it: a copy, for one may be a user's own, with values that one can calculate with."""
    request, result = deepcopy(trial.request), trial.result
    result = _near(result) if result is not None else None
    earlier = {epochs: {name: near(value) for name, value in then.items()} for epochs, then in trial.earlier.items()}
    return Trial(request, result, earlier, [_near(one) for one in trial.repeats], dict(trial.errors))


def _near(result: Result) -> Result:
    objectives = {name: near(value) for name, value in result.objectives.items()}
    metrics = {name: value if value is None else near(value) for name, value in result.metrics.items()}
    return result.model_copy(update={"objectives": objectives, "metrics": metrics})


def _first(search: Search, past: list[Trial], wanted: int) -> list[Suggestion]:
    """What the first iteration begins with: the default, and what did best on other tasks; neither was tried before."""
    first = _default(search, past) if search.definition.trials.default_first else []
    tried = {search.space.key(one.params) for one in past} | {search.space.key(one.params) for one in first}
    others = best_of_other_tasks(search, (wanted - len(first)) // 2)
    return first + [
        one for one in others if search.space.key(one.params) not in tried and search.problem.feasible(one.params)
    ]


def _default(search: Search, past: list[Trial]) -> list[Suggestion]:
    """The space's default configuration, if it was not tried before."""
    default = search.space.default()
    tried = {search.space.key(trial.params) for trial in past}
    return [] if search.space.key(default) in tried else [Suggestion(default, note={"from": "default"})]


def _configurations(history: History, upto: int) -> int:
    """How many configurations iterations up to that one have tried."""
    return configurations(history.requests(upto).values())


def _used_up(search: Search, history: History, k: int, note: str, *, left: bool) -> str | None:
    """Why the next iteration would have nothing to do: no new configuration, and none left to promote or repeat."""
    nothing_new = note or reason_to_suggest_no_more(search, k + 1, _configurations(history, k))
    if left or not nothing_new:
        return None
    halving = search.definition.early_stopping.halving is not None
    return f"{nothing_new}; none is left to promote" if halving else nothing_new


def _underway(search: Search, history: History, upto: int, past: list[Trial]) -> list[Trial]:
    """Stragglers, whose configurations must not be suggested again; the plans and records fix which they are."""
    ended_ones = {trial.config for trial in past}
    selection = history.selection(upto)
    reports = selection.underway if selection is not None else {}
    return [
        Trial(request, earlier={report[EPOCH]: _objectives(search, report)} if report else {})
        for request in history.requests(upto).values()
        if request.config not in ended_ones
        for report in [reports.get(request.trial)]
    ]


def _reports(search: Search, late: Collection[str]) -> dict[str, dict[str, float]]:
    """What late trials have reported of the objectives so far, and after which epoch."""
    return {
        trial: {EPOCH: report[EPOCH]} | values
        for trial, report in latest_reports(search.ledger, late).items()
        if (values := _objectives(search, report))
    }


def _objectives(search: Search, report: Mapping[str, float]) -> dict[str, float]:
    return {name: report[name] for name in search.problem.objectives if name in report}


def _retries(history: History, stage: Stage) -> list[Request]:
    """One more try of each trial that has failed."""
    failed = [trial.request for trial in history.trials(stage.number - 1) if trial.state is State.FAILED]
    return [request.model_copy(update={"trial": retry_id(request.trial), "stage": stage}) for request in failed]
