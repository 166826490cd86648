"""Results of earlier runs: copied, with their source, where the very same trial is asked for."""

import tempfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from windtunnel.bound import Bound
from windtunnel.definition import definition_of
from windtunnel.errors import NotFoundError
from windtunnel.ledger import Decision, Known, Ledger, Plan, Request, Result, State
from windtunnel.ledger.ids import last_try
from windtunnel.ledger.trial import ended, furthest
from windtunnel.stages.history import requests
from windtunnel.stages.promotion import promote
from windtunnel.stages.search import Search
from windtunnel.stages.standing import standing

_FILES = ("metrics.jsonl", "log.txt", "checkpoint.pt", "model.onnx", "weights.pt")


def start(search: Search) -> Plan | None:
    """Fix iteration 0: the trials of the runs in `warm_start` that are trials of this search too, with their results.

    Runs on other data, code or settings train other trials: none of theirs is taken, and the plan's note says so.
    """
    fixed = search.ledger.plan("0")
    if fixed is not None:
        _know(search, fixed)
        return fixed
    if not search.definition.warm_start or search.ledger.iterations_done():
        return None
    taken: dict[str, Request] = {}
    notes = []
    for url in search.definition.warm_start:
        found = _same_trials(search, url)
        notes.append(f"{len(found)} trials taken from {url}")
        for request in found:
            taken.setdefault(request.trial, request)
    adopt_results(search, taken.values())
    plan = search.ledger.create_plan(Plan(stage="0", requests=list(taken.values()), jobs=[], note="; ".join(notes)))
    _know(search, plan)
    return plan


def adopt_results(search: Search, asked: Iterable[Request]) -> None:
    """Copy the results that earlier runs have of these trials, and the files that going on from them needs."""
    sources = list(search.definition.warm_start)
    if search.origin is not None:
        sources.append(search.origin["from_run"])
    wanted = list(asked)
    have = search.ledger.outcomes() if sources else {}
    for url in sources:
        source, outcomes = _outcomes(url)
        for request in wanted:
            outcome = _outcome(request.trial, outcomes)
            if outcome is None or request.trial in have:
                continue
            if _counts(search, source, request, outcome):
                _adopt(source, outcome.trial, search.ledger, request.trial)
            elif outcome.state is State.STOPPED:  # by other rules: it goes on from there
                _copy(source, outcome.trial, search.ledger, request.trial, "checkpoint.pt")


def _same_trials(search: Search, url: str) -> list[Request]:
    source, outcomes = _outcomes(url)
    rungs = search.definition.rungs
    found = []
    for request in requests(source, source.iterations_done()).values():
        outcome = _outcome(request.trial, outcomes)
        if outcome is None or request.epochs not in rungs or not search.space.contains(request.params):
            continue
        same = search.request(request.params, request.epochs, "0", note={"source": url}, source=url)
        if same.trial == request.trial and _counts(search, source, same, outcome):
            found.append(same)
    return found


def _counts(search: Search, source: Ledger, request: Request, outcome: Result) -> bool:
    """Whether an earlier run's result is one of this search: it has all objectives, and keeps all constraints.

    A trial that was stopped early counts only where the same rules hold.
    """
    if outcome.state is State.STOPPED and definition_of(source).early_stopping != search.definition.early_stopping:
        return False
    values = {**outcome.metrics, **outcome.objectives, **request.known}
    return (
        outcome.feasible
        and search.definition.objectives.keys() <= outcome.objectives.keys()
        and all(_keeps(bound, values.get(name)) for name, bound in search.definition.constraints.items())
    )


def _keeps(bound: Bound, value: float | None) -> bool:
    return value is not None and bound.broken(value) is None


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


def _know(search: Search, plan: Plan) -> None:
    tried = ended(plan.requests, search.ledger.outcomes())
    stands = standing(search, 0, furthest(tried))
    promotions, of_trials = promote(search, 0, {request.trial: request for request in plan.requests}, tried)
    search.ledger.create_known(
        Known(
            stage="0",
            results=[observation.trial for observation in tried],
            front=stands.trials,
            hypervolume=stands.hypervolume,
            reference=stands.reference,
            decisions=[Decision(what="note", reason=plan.note), *of_trials],
            promotions=promotions,
        )
    )


def _outcome(trial: str, outcomes: Mapping[str, Result]) -> Result | None:
    """How the trial ended there, at its last try."""
    return outcomes.get(last_try(trial, outcomes))


@lru_cache(maxsize=8)
def _outcomes(url: str) -> tuple[Ledger, dict[str, Result]]:
    source = Ledger.open(url)
    source.search_record()
    return source, source.outcomes()
