"""The definition of a search: what its YAML file may say, field by field."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.definition.early_stopping import EarlyStopping
from windtunnel.definition.units import Bytes, Seconds
from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.objectives.constraint import Constraint
from windtunnel.validation import LARGEST, Name, StrictModel

Direction = Literal["maximize", "minimize"]
LAUNCHERS = ("kubernetes", "local")  # by name; `windtunnel.launchers` has a class for each


class Epochs(StrictModel):
    """How far to train. Fractions are allowed."""

    partial: PositiveFloat = 1.0
    """Epochs of every trial, by which trials are ranked."""
    full: PositiveFloat = 10.0
    """Epochs of the finalists."""
    horizon: PositiveFloat | None = None
    """Epochs that schedules of the learning rate are laid out for, however many a trial has; by default `full`."""

    @model_validator(mode="after")
    def _partial_is_less(self) -> "Epochs":
        if self.partial > self.full:
            raise ValueError(f"partial {self.partial:g} is above full {self.full:g}")
        return self


class Trials(StrictModel):
    """How many trials to suggest."""

    initial: PositiveInt = 10
    """Trials of the first iteration."""
    per_iteration: PositiveInt = 16
    """Trials of each later iteration, at most."""
    default_first: bool = False
    """Whether the space's default configuration is one of the first iteration's."""


class StrategyChoice(StrictModel):
    """What suggests configurations."""

    name: str = "pareto"
    """`pareto`, another of docs/strategies.md, or the dotted name of your own class: `my_module.MyStrategy`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the strategy; its class lists them."""


class Finalists(StrictModel):
    """Which trials are trained fully, and how."""

    max: PositiveInt = 6
    """The largest number of finalists: at least two, spread over the front; with one objective, as many of the best."""
    go_on: bool = True
    """Whether finalists go on from the weights of their partial training."""


class Limits(StrictModel):
    """What a search may use. Times are seconds or text such as `90s`, `15m`, `2h`; sizes bytes or `500 MB`, `2 GiB`."""

    trials: PositiveInt | None = None
    """Number of configurations that ends the search."""
    gpu_hours: PositiveFloat | None = None
    """GPU hours that end the search: the time of every trial times the GPUs that it held, summed over all trials."""
    parallel: PositiveInt | None = None
    """Lanes, that is jobs at once; by default the launcher's own number, which is that of the cores for `local`."""
    slots: PositiveInt = 1
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
    failed_trials: PositiveInt = 10
    """Number of failed trials that ends the search."""
    trial_retries: int = Field(default=2, ge=0)
    """Starts after the first that a trial gets when its process or its job dies."""
    memory: Bytes | None = None
    """The most resident memory that one trial may use."""
    quorum: float = Field(default=1.0, gt=0, le=1)
    """Share of the lanes that must be done before the next iteration begins. Pays from about eight lanes on: with
    fewer, the lane that a straggler holds is too much of the whole."""
    threads: PositiveInt | None = None
    """Threads of torch in each trial; by default the cores are shared out among the lanes."""


class Resources(StrictModel):
    """What a job's pod asks the cluster for, in place of what the pod template says; of a local job, `gpus` only."""

    gpus: int | None = Field(default=None, ge=0)
    """GPUs of each job. Its slots share them out, and a trial trains in as many processes as it has GPUs."""
    cpu: PositiveFloat | None = None
    """Cores of each pod."""
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
    stale_iterations: PositiveInt | None = None
    """Number of iterations that ends the search if the front's hypervolume did not grow in any of them."""


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

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
    """Name of the search and of its DAG."""
    description: str = ""
    """Text for the DAG's page."""
    workload: str
    """Dotted name of the module that prepares, trains and verifies."""
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
    iterations: int = Field(default=5, ge=1, le=1000)
    """The largest number of iterations."""
    trials: Trials = Trials()
    """How many trials each iteration has."""
    epochs: Epochs = Epochs()
    """How many epochs partial and full training have."""
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
    """URLs of ledgers whose results count from the start."""
    approval: bool = False
    """Whether a person is asked before full training."""
    seed: int = Field(default=0, ge=0, le=LARGEST)
    """Seed of the search."""
    trial_seed: int = Field(default=0, ge=0, le=LARGEST)
    """Seed of every trial's training."""
    tags: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list)
    """Tags of the DAG, to find it by."""

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
