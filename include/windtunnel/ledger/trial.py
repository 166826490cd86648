"""One trial, from suggestion to page: what was asked, and once it has ended, what came of it."""

import math
import statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from windtunnel.ledger.ids import is_repeat, last_tries, repeated
from windtunnel.ledger.records import Params, Request, Result, State
from windtunnel.ledger.stage import Stage
from windtunnel.objectives.direction import loss, told


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration, trained to a number of epochs.

    The ledger, the strategies, the status, the report and the page have this same object. What a listing of results
    gives is all but the end of the log, and a message too long for it: `Ledger.result` has the whole result.

    Attributes:
        request: what was asked.
        result: how it ended; None until it has.
        earlier: the objectives that its configuration had after fewer epochs, by epochs: the rungs below.
        repeats: where it was repeated, the results of all seeds, its own first; its values are their means then.
        errors: standard errors of those means by objective; empty without repeats.
    """

    request: Request
    result: Result | None = None
    earlier: Mapping[float, Mapping[str, float]] = field(default_factory=dict)
    repeats: Sequence[Result] = ()
    errors: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        params: Params,
        config: str,
        *,
        trial: str = "",
        iteration: int = 0,
        state: State | None = State.COMPLETED,
        objectives: Mapping[str, float] | None = None,
        metrics: Mapping[str, float | None] | None = None,
        violation: float = 0.0,
        known: Mapping[str, float] | None = None,
        parents: Sequence[str] = (),
        epochs: float = 0.0,
        earlier: Mapping[float, Mapping[str, float]] | None = None,
    ) -> "Trial":
        """A trial from its parts, for trying out strategies without a ledger; the arguments are the properties."""
        request = Request.model_construct(  # unchecked, for it goes into no ledger
            trial=trial,
            config=config,
            params=params,
            epochs=epochs,
            stage=Stage.iteration(iteration),
            iteration=iteration,
            parents=list(parents),
            known=dict(known or {}),
        )
        values = dict(objectives or {})
        if state is None:
            return cls(request, None, earlier or {})
        measured = {**request.known, **values, **(metrics or {})}
        result = Result(
            trial=trial, state=state, objectives=values, metrics=measured, epoch=epochs, violation=violation
        )
        return cls(request, result, earlier or {})

    @property
    def trial(self) -> str:
        """Its id."""
        return self.request.trial

    @property
    def config(self) -> str:
        """The id of its configuration."""
        return self.request.config

    @property
    def is_repeat(self) -> bool:
        """Whether it measures its configuration again, with another seed: no configuration of its own."""
        return is_repeat(self.trial)

    @property
    def params(self) -> Params:
        """The searched parameters."""
        return self.request.params

    @property
    def iteration(self) -> int:
        """The iteration that suggested the configuration; 0 where none did."""
        return self.request.iteration

    @property
    def parents(self) -> list[str]:
        """Configurations that it was bred from."""
        return self.request.parents

    @property
    def known(self) -> dict[str, float]:
        """Values known before training."""
        return self.request.known

    @property
    def state(self) -> State | None:
        """How it ended; None until it has."""
        return self.result.state if self.result is not None else None

    @property
    def has_values(self) -> bool:
        """Whether training gave it values to compare."""
        return self.result is not None and self.result.state.has_values

    @property
    def objectives(self) -> dict[str, float]:
        """The values that selection compares, by name; empty where training gave none."""
        return self.result.objectives if self.result is not None and self.result.state.has_values else {}

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """Every number there is of it, by name, constrained ones included; None where it was not finite."""
        return self.result.metrics if self.result is not None else self.request.known

    @property
    def violation(self) -> float:
        """By how much measured constraints are broken, relative to their bounds, summed; 0 where none is."""
        return self.result.violation if self.result is not None else 0.0

    @property
    def epochs(self) -> float:
        """The epochs that its values are from: those asked for, or fewer where a rule stopped it."""
        if self.result is not None and self.result.state is State.STOPPED:
            return self.result.epoch
        return self.request.epochs

    @property
    def message(self) -> str:
        """Why it failed, was stopped or is not trained; empty where nothing of the kind happened."""
        if self.request.infeasible:
            return f"breaks {self.request.infeasible}"
        return self.result.message if self.result is not None else ""

    @property
    def recorded(self) -> float:
        """When its result was written, in seconds since 1970 by the store's clock; 0 without a result."""
        return self.result.recorded if self.result is not None else 0.0

    @property
    def feasible(self) -> bool:
        """Whether it may be on a front: it has values, and breaks no constraint."""
        return self.result is not None and self.result.feasible

    def with_params(self, params: Mapping[str, Any]) -> "Trial":
        """The same trial with its configuration in another form."""
        return replace(self, request=self.request.model_copy(update={"params": dict(params)}))


def infeasible(request: Request) -> Result:
    """How a trial ends whose known values break a constraint: it is not trained."""
    return Result(
        trial=request.trial,
        state=State.INFEASIBLE,
        metrics=dict(request.known),
        kind="infeasible",
        message=request.infeasible or "",
        attempts=0,
    )


def ended(requests: Iterable[Request], results: Mapping[str, Result]) -> list[Trial]:
    """The trials that have a result, in order of request; of several tries the last, with repeats their mean."""
    with_result = {request.trial: request for request in requests if request.trial in results}
    trials = averaged(Trial(with_result[trial], results[trial]) for trial in last_tries(with_result))
    return [trial for trial in trials if not trial.is_repeat]


def averaged(trials: Iterable[Trial]) -> list[Trial]:
    """The trials, those that were repeated with the means of all their results; repeats keep their own.

    A repeat without values tells nothing of them, and one that a rule has stopped is taken as it stood.
    """
    trials = list(trials)
    repeats: dict[str, dict[str, Result]] = {}
    for trial in trials:
        if trial.is_repeat and trial.result is not None and trial.has_values:
            repeats.setdefault(repeated(trial.trial), {})[trial.trial] = trial.result
    return [
        _mean(trial, trial.result, list(repeats[repeated(trial.trial)].values()))
        if trial.result is not None and not trial.is_repeat and repeated(trial.trial) in repeats
        else trial
        for trial in trials
    ]


def _mean(trial: Trial, own: Result, repeats: Sequence[Result]) -> Trial:
    """The trial with the means of these results; a constraint is kept where each of them keeps it."""
    every = [own, *repeats]
    objectives = {name: [one.objectives[name] for one in every if name in one.objectives] for name in own.objectives}
    metrics = {name: [one.metrics.get(name) for one in every] for name in own.metrics}
    result = own.model_copy(
        update={
            "objectives": {name: statistics.fmean(values) for name, values in objectives.items()},
            "metrics": {name: _mean_of(values) for name, values in metrics.items()},
            "violation": statistics.fmean(one.violation for one in every),
            "recorded": max(one.recorded for one in every),
        }
    )
    errors = {
        name: statistics.stdev(values) / math.sqrt(len(values))
        for name, values in objectives.items()
        if len(values) > 1 and all(map(math.isfinite, values))
    }
    return replace(trial, result=result, repeats=every, errors=errors)


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def outstanding(requests: Iterable[Request], results: Container[str]) -> list[Request]:
    """Those of the requests whose trials have no result yet."""
    return [request for request in requests if request.trial not in results]


def configurations(requests: Iterable[Request]) -> int:
    """How many configurations a search has tried by these requests; those of a warm start cost nothing."""
    return len({request.config for request in requests if request.iteration and not request.infeasible})


def furthest(trials: Iterable[Trial]) -> list[Trial]:
    """How far each configuration has come, in order of request: under halving, its trial at the highest rung."""
    latest: dict[str, Trial] = {}
    for trial in trials:
        if trial.is_repeat:
            continue
        before = latest.get(trial.config)
        earlier = {**before.earlier, before.epochs: before.objectives} if before and before.objectives else {}
        latest[trial.config] = replace(trial, earlier=earlier)
    return list(latest.values())


def feasible_trials(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that may be on a front: of each configuration the one that came furthest, if its values compare."""
    return [trial for trial in furthest(trial for trial in trials if trial.result) if trial.feasible]


def best_trial(trials: Iterable[Trial], objective: str, direction: str) -> Trial | None:
    """The feasible trial with the best value of an objective, the earliest of equal ones; None without any."""
    fit = [trial for trial in trials if trial.feasible and told(trial.objectives.get(objective))]
    return min(fit, key=lambda trial: loss(trial.objectives[objective], direction), default=None)
