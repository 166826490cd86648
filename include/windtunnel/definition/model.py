"""The definition of a search: what its YAML file may say, field by field."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PositiveFloat, model_validator

from windtunnel.definition.early_stopping import EarlyStopping
from windtunnel.definition.script import Script
from windtunnel.definition.units import Bytes, Count, EpochCount, Seconds
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.objectives.constraint import Constraint
from windtunnel.validation import LARGEST, Name, StrictModel

Direction = Literal["maximize", "minimize"]
LAUNCHERS = ("kubernetes", "local")  # by name; `windtunnel.launchers` has a class for each
_LANES = 8  # of a continuous search, where the definition does not say how many it has
_MOST_BATCHES = 50  # that a continuous search is cut into by default
_MOST_ITERATIONS = 1000


class Epochs(StrictModel):
    """How far to train. Fractions are allowed."""

    partial: EpochCount = 1.0
    """Epochs of every trial, by which trials are ranked."""
    full: EpochCount = 10.0
    """Epochs of the finalists."""
    horizon: EpochCount | None = None
    """Epochs that schedules of the learning rate are laid out for, however many a trial has; by default `full`."""

    @model_validator(mode="after")
    def _partial_is_less(self) -> "Epochs":
        if self.partial > self.full:
            raise ValueError(f"partial {self.partial:g} is above full {self.full:g}")
        return self


class Trials(StrictModel):
    """How many trials to suggest."""

    initial: Count = 10
    """Trials of the first iteration; of a continuous search that has `limits.trials` and neither `iterations` nor
    `ahead` by default one and a half times as many as run at once (8 where `limits.parallel` does not say), or just as
    many where that is more than half of all."""
    per_iteration: Count = 16
    """Trials of each later iteration, at most; of a continuous search by default as many as run at once (8 where
    `limits.parallel` does not say). Where it has `limits.trials` and neither `iterations` nor `ahead`, half as many and
    two at least, or more where there would be more than 50 iterations. Where it has no `ahead`, `limits.trials` lets
    batches grow to four trials a lane where trials are short, and joins the last ones: up to four a lane and a sixth
    of all."""
    ahead: int | None = Field(default=None, ge=0)
    """With `continuous`: the next batch is suggested when no more trials than this wait for a lane; by default one for
    four lanes until a time is known, and then as many as keep the lanes busy for a turn of Airflow's, four a lane at
    most."""
    default_first: bool = False
    """Whether the space's default configuration is one of the first iteration's."""


class StrategyChoice(StrictModel):
    """What suggests configurations; a name alone is short for `{name: …}`."""

    name: str = "pareto"
    """`pareto`, another of docs/strategies.md, or the dotted name of your own class: `my_module.MyStrategy`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the strategy; its class lists them."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Finalists(StrictModel):
    """Which trials are trained fully, and how."""

    max: Count = 6
    """The largest number of finalists: at least two, spread over the front; with one objective, as many of the best."""
    go_on: bool = True
    """Whether finalists go on from the weights of their partial training."""


class Limits(StrictModel):
    """What a search may use. Times are seconds or text such as `90s`, `15m`, `2h`; sizes bytes or `500 MB`, `2 GiB`."""

    elsewhere: ClassVar[dict[str, str]] = {
        "quorum": "is no more: give `continuous: true`, with which no lane waits for a straggler"
    }

    trials: Count | None = None
    """Number of configurations that ends the search: the most that are ever tried."""
    gpu_hours: PositiveFloat | None = None
    """GPU hours that end the search: the time of every trial times the GPUs that it held, summed over all trials."""
    parallel: Count | None = None
    """Lanes, that is jobs at once; by default the launcher's own number, which is that of the cores for `local`."""
    slots: Count = 1
    """Trials at once within one job."""
    trial_time: Seconds | None = None
    """The longest time that a trial of the search may take; a finalist gets as much more as it has more epochs."""
    job_time: Seconds | None = None
    """The time after which a lane begins no more trials and is started anew, and a job of another kind is ended."""
    search_time: Seconds | None = None
    """Time after which no further iteration begins, and what still runs of the present one is cancelled."""
    pending: Seconds = 3600.0
    """The longest time that a job may wait to be started, while no other pod of its run holds a place."""
    linger: Seconds = 120.0
    """The longest time that a lane waits for work before it ends; it is started again when there is some."""
    failed_trials: Count = 10
    """Number of failed trials that ends the search."""
    trial_retries: int = Field(default=2, ge=0)
    """Starts after the first that a trial gets when its process or its job dies."""
    memory: Bytes | None = None
    """The most resident memory that one trial may use."""
    artifacts: Bytes = 256 * 1024 * 1024
    """The most bytes of files that one trial may keep, by `trial.save` and in `trial.folder`."""
    threads: Count | None = None
    """Threads of torch in each trial; by default the cores are shared out among the lanes."""


class Resources(StrictModel):
    """What a job's pod asks for, in place of what the pod template says; of a local job, `gpus` and `cpu`."""

    gpus: int | None = Field(default=None, ge=0)
    """GPUs of each job. Its slots share them out, and a trial trains in as many processes as it has GPUs."""
    cpu: PositiveFloat | None = None
    """Cores of each pod. Of a local job they are its threads, and there are as many lanes as there are cores for."""
    memory: Bytes | None = None
    """Memory of each pod, which is killed when it uses more."""
    priority: str | None = None
    """Name of a PriorityClass: who goes first, and who is preempted."""
    queue: str | None = None
    """Name of a Kueue LocalQueue that the jobs wait in."""
    namespace: str | None = None
    """Namespace that the jobs run in; by default the connection's."""


class Verification(StrictModel):
    """When an exported model passes."""

    tolerance: PositiveFloat = 1e-3
    """The largest absolute difference of a logit between ONNX and torch."""


class Stopping(StrictModel):
    """When a search ends before its last iteration."""

    target: dict[Name, float] = Field(default_factory=dict)
    """Objectives and the values that one trial on the front must reach, all of them."""
    stale_iterations: Count | None = None
    """Number of iterations that ends the search if the front's hypervolume did not grow in any of them; those of a
    continuous search are short."""


class Callback(StrictModel):
    """What Airflow calls: a function of yours that takes the context, or a notifier."""

    name: Annotated[str, Field(pattern=r"^\w+(\.\w+)+$")]
    """Dotted name: `my_module.tell`, or `airflow.providers.slack.notifications.slack.SlackNotifier`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments that a notifier is made with, or that a function takes beside the context."""


class Dag(StrictModel):
    """What Airflow is told of the search's DAG, beside its schedule and tags."""

    owner: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Who is named as the DAG's owner."""
    timezone: str | None = None
    """Time zone that `schedule` is meant in, such as `Europe/Berlin`; by default Airflow's own, which is UTC."""
    on_failure: list[Callback] = Field(default_factory=list)
    """Called when a DAG run fails."""
    on_success: list[Callback] = Field(default_factory=list)
    """Called when a DAG run succeeds."""


class Definition(StrictModel):
    """One search. `name` is the file's stem unless given."""

    missed: ClassVar[dict[str, str]] = {"workload": "is missing; give a workload, or a script of yours in its place"}

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
    """Name of the search and of its DAG."""
    description: str = ""
    """Text for the DAG's page."""
    workload: str
    """Dotted name of the module that prepares, trains and verifies; or `script` is given."""
    script: Script | None = None
    """A script of yours that trains, instead of a workload; its file, or a section."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Settings for the workload's `prepare`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Fixed settings for the workload's `train` and `cost`."""
    space: dict[Name, Any] | None = None
    """The searched parameters; by default the workload's own `space()`."""
    objectives: dict[Name, Direction] = Field(min_length=1, max_length=5)
    """What to `maximize` or `minimize`, by metric; the first two make the default picture."""
    constraints: dict[Name, Constraint] = Field(default_factory=dict)
    """Bounds on values known before training or measured."""
    strategy: StrategyChoice = StrategyChoice()
    """The algorithm that suggests configurations."""
    continuous: bool = False
    """Whether the next batch is suggested while the last one still runs, so that no lane waits for a slow trial; the
    order in which trials end then decides what is suggested. Otherwise each iteration waits for all its trials."""
    iterations: int = Field(default=5, ge=1, le=_MOST_ITERATIONS)
    """The largest number of iterations; by default 5, or with `limits.trials` as many as these take."""
    trials: Trials = Trials()
    """How many trials each iteration has."""
    epochs: Epochs = Epochs()
    """How many epochs partial and full training have; by default one each where nothing asks how far to train."""
    objective_at: Literal["last", "best"] = "last"
    """Whether a trial's values are its last or its best epoch's, by the first objective."""
    early_stopping: EarlyStopping = EarlyStopping()
    """When a trial ends before all its epochs."""
    finalists: Finalists = Finalists()
    """Which trials are trained fully."""
    verification: Verification = Verification()
    """How near to torch an exported model must be."""
    limits: Limits = Limits()
    """What may be used."""
    stopping: Stopping = Stopping()
    """When the search ends early."""
    launcher: str = "local"
    """`local`, or `kubernetes` for pods on a cluster."""
    resources: Resources = Resources()
    """What each job asks for; with `launcher: kubernetes`, what its pod does."""
    pod_template: str | dict[str, Any] | None = None
    """The pods' template, or its file, relative to the definition's; by default `pod_template.yaml` beside the
    definition or in the folder above."""
    store: str | None = None
    """URL or folder where ledgers live, relative to the working directory; by default `$WINDTUNNEL_STORE`, else
    `runs`."""
    schedule: str | None = None
    """Cron expression or Airflow preset."""
    dag: Dag = Dag()
    """What Airflow is told of the DAG."""
    warm_start: list[str] = Field(default_factory=list)
    """URLs of ledgers whose results count from the start; of other data, code or settings the best are tried first."""
    approval: bool = False
    """Whether a person is asked before full training."""
    seed: int = Field(default=0, ge=0, le=LARGEST)
    """Seed of the search."""
    trial_seed: int = Field(default=0, ge=0, le=LARGEST)
    """Seed of every trial's training, but of repeats."""
    repeats: int = Field(default=1, ge=1, le=100)
    """How many trials, each with another seed, a configuration on the front gets: one more an iteration, on top of
    `limits.trials`. Their mean is what counts. The last iterations only repeat."""
    tags: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list)
    """Tags of the DAG, to find it by."""

    @model_validator(mode="wrap")
    @classmethod
    def _with_sizes(cls, fields: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """The definition with those sizes filled in that follow from others."""
        definition = validate(fields)
        trials, limits, given = definition.trials, definition.limits, definition.trials.model_fields_set
        as_many_as_it_takes = limits.trials is not None and "iterations" not in definition.model_fields_set
        small = definition.continuous and as_many_as_it_takes and trials.ahead is None  # with more known of each
        at_once = (limits.parallel or _LANES) * limits.slots
        sizes: dict[str, Any] = {}
        if small and limits.trials is not None and "initial" not in given:
            first = math.ceil(1.5 * at_once)
            first = first if 2 * first <= limits.trials else min(at_once, limits.trials)
            trials = sizes["trials"] = trials.model_copy(update={"initial": first})
        later = max(0, limits.trials - trials.initial) if limits.trials is not None else 0
        if definition.continuous and "per_iteration" not in given:
            each = max(2, math.ceil(at_once / 2)) if small else at_once
            each = max(each, math.ceil(later / (_MOST_BATCHES - 1)))
            trials = sizes["trials"] = trials.model_copy(update={"per_iteration": each})
        if as_many_as_it_takes:
            batches = math.ceil(later / trials.per_iteration)
            sizes["iterations"] = min(_MOST_ITERATIONS, batches + len(definition.rungs) + definition.repeats - 1)
        return definition.model_copy(update=sizes) if sizes else definition

    @property
    def most_trials(self) -> int:
        """The most configurations that the search may try."""
        batches = self.trials.initial + (self.iterations - 1) * self.trials.per_iteration
        return min(batches, self.limits.trials or batches)

    @property
    def program(self) -> str:
        """What trains, as people call it: the script or the workload."""
        return self.script.name if self.script is not None else self.workload

    @property
    def rungs(self) -> list[float]:
        """The epochs that trials of the search are trained to, one after the other; the last is `epochs.partial`."""
        halving, last = self.early_stopping.halving, self.epochs.partial
        return halving.epochs(last) if halving is not None else [last]

    def trial_time(self, stage: Stage) -> float | None:
        """The seconds that a unit of a stage may take, by `limits.trial_time`; None where that is not given."""
        limit = self.limits.trial_time
        longer = self.epochs.full / self.epochs.partial if stage.kind is StageKind.FULL else 1.0
        return limit * longer if limit is not None else None

    @property
    def watched(self) -> str:
        """The objective that the rules of early stopping watch."""
        return self.early_stopping.metric or next(iter(self.objectives))
