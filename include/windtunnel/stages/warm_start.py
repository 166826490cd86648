"""Results of earlier runs: copied, with their source, where the very same trial is asked for."""

import tempfile
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path

from windtunnel.definition import recorded_definition
from windtunnel.errors import LedgerError, NotFoundError, UnreadableError
from windtunnel.ledger import Decision, Ledger, Plan, Request, Result, Selection, State
from windtunnel.ledger.format import has_other_ids, maker
from windtunnel.ledger.ids import last_try, repeated
from windtunnel.ledger.model import ONNX
from windtunnel.ledger.sources import open_source
from windtunnel.ledger.stage import Stage
from windtunnel.ledger.trial import ended, furthest, outstanding
from windtunnel.objectives.constraint import Constraint
from windtunnel.objectives.front import fittest
from windtunnel.stages.front import front_of
from windtunnel.stages.history import History
from windtunnel.stages.promotion import promote
from windtunnel.stages.search import Search, identity
from windtunnel.strategies import Suggestion
from windtunnel.text import counted

_FILES = ("metrics.jsonl", "log.txt", "checkpoint.pt", ONNX, "weights.pt")
_NAMES = {
    "code": "the source of the workload",
    "horizon": "epochs.full or epochs.horizon",
    "best": "objective_at",
    "seed": "trial_seed",
}


def start(search: Search) -> Plan | None:
    """Fix iteration 0: the trials of the runs in `warm_start` that are trials of this search too, with their results.

    Runs on other data, code or settings train other trials: none of theirs is taken, but what did best there is where
    the first iteration begins (`best_of_other_tasks`). The plan's note says what was taken, and why the rest was not; a
    start done again adds which runs are gone since.
    """
    stage, history = Stage.iteration(0), History(search.ledger)
    plan = history.plan(stage)
    if plan is not None:
        _select(search, history)
        gone = [url for url in search.definition.warm_start if _source(url) is None]
        notes = [plan.note, *(f"{url} is gone since; what was taken from it stays" for url in gone)]
        return plan.model_copy(update={"note": "; ".join(notes)})
    if not search.definition.warm_start or history.iterations_done:
        return None
    taken: dict[str, Request] = {}
    notes = []
    for url in search.definition.warm_start:
        same, note = _same_trials(search, url)
        notes.append(note)
        for request in same:
            taken.setdefault(request.trial, request)
    adopt_results(search, history, taken.values())
    plan = history.create_plan(Plan(stage=stage, requests=list(taken.values()), jobs=[], note="; ".join(notes)))
    _select(search, History(search.ledger))
    return plan


def best_of_other_tasks(search: Search, most: int) -> list[Suggestion]:
    """What did best in the runs in `warm_start` that trained other trials, as on other data: a good place to begin.

    Rankings of configurations carry over from task to task far better than values do (Feurer, Springenberg and Hutter,
    "Initializing Bayesian Hyperparameter Optimization via Meta-Learning", 2015). A run that is gone tells nothing.

    Args:
        search: at work.
        most: configurations at most, the runs' best in turn.
    """
    objectives, ranked = search.problem.objectives, []
    for url in search.definition.warm_start:
        source, results = _source(url) or (None, {})
        if source is None or not _obstacle_of_all(search, source):
            continue
        history = History(source)
        tried = furthest(ended(history.requests(history.iterations_done).values(), results))
        fit = [trial for trial in fittest(tried, objectives) if search.space.contains(trial.params)]
        ranked.append([Suggestion(trial.params, note={"from": "other task", "source": url}) for trial in fit])
    in_turn = [one for each in zip_longest(*ranked) for one in each if one is not None]
    return list({search.space.key(one.params): one for one in reversed(in_turn)}.values())[::-1][:most]


def adopt_results(search: Search, history: History, requests: Iterable[Request]) -> None:
    """Copy the results that earlier runs have of these trials, and the files that going on from them needs."""
    sources = list(search.definition.warm_start)
    if search.origin is not None:
        sources.append(open_source(search.origin["from_run"], search.ledger, "from_run").url)
    missing = outstanding(requests, history.results)
    adopted: set[str] = set()
    begun = history.plan(Stage.iteration(0)) is not None  # what counts of earlier runs is copied then
    for url in sources:
        source_results = _source(url) if begun and url in search.definition.warm_start else _results(url)
        if source_results is None:
            continue
        source, results = source_results
        for request in missing:
            theirs = results.get(last_try(request.trial, results))
            if theirs is None or request.trial in adopted:
                continue
            if not _why_not(search, source, request, theirs):
                _adopt(source, theirs.trial, search.ledger, request.trial)
                adopted.add(request.trial)
            elif theirs.state is State.STOPPED:  # by other rules: it goes on from there
                _copy(source, theirs.trial, search.ledger, request.trial, "checkpoint.pt")


def _same_trials(search: Search, url: str) -> tuple[list[Request], str]:
    """The trials of an earlier run that are trials of this search too, and a note on those that are not."""
    source, results = _results(url)
    history = History(source)
    requests = history.requests(history.iterations_done).values()
    first_tries = [request for request in requests if request.trial == repeated(request.trial)]
    same: list[Request] = []
    obstacles: Counter[str] = Counter()
    of_all = _obstacle_of_all(search, source) or ("" if first_tries else "none of its iterations is done")
    for theirs in [] if of_all else first_tries:
        obstacle = _obstacle(search, source, theirs, results.get(last_try(theirs.trial, results)))
        if obstacle:
            obstacles[obstacle] += 1
        else:
            same.append(_request(search, theirs, url))
    reasons = of_all or ", ".join(f"{count} {obstacle}" for obstacle, count in obstacles.most_common())
    note = f"{len(same)} of {counted(len(first_tries), 'trial')} taken from {url}"
    return same, note + (f"; {'' if of_all else 'not taken: '}{reasons}" if reasons else "")


def _obstacle_of_all(search: Search, source: Ledger) -> str:
    """Why no trial of an earlier run can be one of this search; empty where some may be."""
    record = source.search_record()
    if has_other_ids(record):
        return f"it was made by {maker(record)}, whose ids are made otherwise: retrain its trials instead (from_run)"
    theirs = identity(recorded_definition(source, record), record.get("code"), (source.manifest() or {}).get("digest"))
    others = [_NAMES.get(part, part) for part, ours in search.identity.items() if theirs[part] != ours]
    return f"it differs in {', '.join(others)}" if others else ""


def _obstacle(search: Search, source: Ledger, theirs: Request, result: Result | None) -> str:
    """Why a trial of an earlier run is none of this search, for people; empty where it is one."""
    if theirs.epochs not in search.definition.rungs:
        return f"of {counted(theirs.epochs, 'epoch')}"
    if not search.space.contains(theirs.params):
        return "outside of this search's space"
    if result is None:
        return "without a result"
    ours = _request(search, theirs, source.url)
    return _why_not(search, source, ours, result) if ours.trial == theirs.trial else "whose ids do not fit"


def _request(search: Search, theirs: Request, url: str) -> Request:
    return search.request(theirs.params, theirs.epochs, Stage.iteration(0), note={"source": url}, source=url)


def _why_not(search: Search, source: Ledger, request: Request, result: Result) -> str:
    """Why an earlier run's result does not count here; empty where it has all objectives and keeps all constraints.

    A trial that was stopped early counts only where the same rules hold.
    """
    if result.state is State.STOPPED and recorded_definition(source).early_stopping != search.definition.early_stopping:
        return "stopped early by other rules"
    if not result.state.has_values:
        return result.state.value
    lacking = [name for name in search.definition.objectives if name not in result.objectives]
    if lacking:
        return f"without {', '.join(lacking)}"
    values = {**result.metrics, **result.objectives, **request.known}
    constraints = search.definition.constraints.items()
    if result.feasible and all(_keeps(bound, values.get(name)) for name, bound in constraints):
        return ""
    return "that break a constraint"


def _keeps(bound: Constraint, value: float | None) -> bool:
    return value is not None and bound.violated(value) is None


def _adopt(source: Ledger, theirs: str, ledger: Ledger, trial: str) -> None:
    result = source.result(theirs)
    if result is None:
        return
    for name in _FILES:
        _copy(source, theirs, ledger, trial, name)
    ledger.record(result.model_copy(update={"trial": trial, "source": result.source or source.url}))


def _copy(source: Ledger, theirs: str, ledger: Ledger, trial: str, name: str) -> None:
    """Copy one of a trial's files from another ledger, if it is there."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
        file = Path(folder) / name
        try:
            metadata = source.store.stat(source.trial_path(theirs, name)).metadata
            source.store.download(source.trial_path(theirs, name), file)
        except NotFoundError:
            return
        ledger.store.upload(ledger.trial_path(trial, name), file, metadata)


def _select(search: Search, history: History) -> None:
    plan = history.plans[Stage.iteration(0)]
    tried = ended(plan.requests, history.results)
    _, facts = front_of(search, history, 0, furthest(tried))
    promotions, of_trials = promote(search, history, 0, tried)
    search.ledger.create_selection(
        Selection(
            stage=plan.stage,
            results=[trial.trial for trial in tried],
            decisions=[Decision(what="note", reason=plan.note), *of_trials],
            promotions=promotions,
            **facts,
        )
    )


def _source(url: str) -> tuple[Ledger, dict[str, Result]] | None:
    """An earlier run and its results; None where it is there no more."""
    try:
        return _results(url)
    except UnreadableError:
        raise
    except LedgerError:
        return None


@lru_cache(maxsize=8)
def _results(url: str) -> tuple[Ledger, dict[str, Result]]:
    source = Ledger.open(url)
    source.search_record()
    return source, source.outcomes()
