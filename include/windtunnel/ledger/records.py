"""The ledger's records. Each is one JSON object, frozen, and written as a whole."""

import math
import re
from collections.abc import Container, Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from windtunnel.ledger.stage import Stage, StageKind
from windtunnel.text import readable

Params = dict[str, Any]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
"""What may be a part of a path, a label or a command line: of a trial or another unit, a job, a stage."""


class Record(BaseModel):
    """Base of all records. Fields that another version has written are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", cache_strings="keys")  # values, such as ids, come once each

    def to_bytes(self) -> bytes:
        """The record as indented JSON, for people read it too."""
        return self.model_dump_json(indent=1).encode() + b"\n"


class State(StrEnum):
    """How a trial ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    INFEASIBLE = "infeasible"
    FAILED = "failed"

    @property
    def has_values(self) -> bool:
        """Whether such a trial has values to compare: it was trained to the end, or until a rule stopped it."""
        return self in (State.COMPLETED, State.STOPPED)


class Request(Record):
    """What is asked of one trial (`trials/<trial>/request.json`).

    Attributes:
        trial: its id; the n-th retry of a failed trial has `.r<n>` behind it.
        config: the id of its configuration.
        params: the searched parameters.
        epochs: how far to train, counted from the very beginning.
        seed: of its training.
        stage: the stage that first asked for it.
        iteration: the iteration that suggested the configuration; 0 where none did.
        parents: configurations that it was bred from.
        note: what the strategy says of it.
        known: values known before training (parameters, FLOPs, …).
        cost: predicted work, in the workload's own unit; only comparisons matter.
        continue_from: the trial whose checkpoint it goes on from, of the same configuration.
        source: URL of the ledger that holds that checkpoint, where it is another one.
        infeasible: which constraint its known values break; it is not trained then.
    """

    trial: Id
    config: Id
    params: Params
    epochs: float
    seed: int = 0
    stage: Stage
    iteration: int = 0
    parents: list[str] = []
    note: dict[str, Any] = {}
    known: dict[str, float] = {}
    cost: float = 1.0
    continue_from: Id | None = None
    source: str | None = None
    infeasible: str | None = None


_LANE = re.compile(r"lane-([0-9]{1,9})-([0-9]{1,9})")


class Job(Record):
    """What one process or pod runs: given units (`jobs/<job>.json`), or as a lane whatever it claims.

    Attributes:
        job: its id, unique in the run.
        stage: the stage that it belongs to; None of a lane, which serves all stages that train.
        units: ids of trials; of other kinds' units, the ids that their results have; none of a lane.
        lane: its place among the jobs that run at once.
        slots: how many units run at once in it.
    """

    job: Id
    stage: Stage | None = None
    units: list[Id] = []
    lane: int = Field(default=0, ge=0)
    slots: int = Field(default=1, ge=1)

    @classmethod
    def of_lane(cls, session: int, lane: int) -> "Job":
        """The lane of that place, from 0, in the session of that number: its name says all that there is to know."""
        return cls(job=f"lane-{session}-{lane}", lane=lane)

    @classmethod
    def named_lane(cls, job: str) -> "Job | None":
        """The lane of that name; None where the name is no lane's."""
        match = _LANE.fullmatch(job)
        return cls.of_lane(int(match[1]), int(match[2])) if match else None

    @property
    def kind(self) -> StageKind:
        """What its units are, as its stage says; a lane's are trials."""
        return self.stage.kind if self.stage is not None else StageKind.SEARCH

    @property
    def session(self) -> int | None:
        """Number of the session that the lane belongs to; None of other jobs."""
        match = _LANE.fullmatch(self.job)
        return int(match[1]) if match else None

    def owed(self, ended: Container[str]) -> list[str]:
        """Its units that have no result yet, given those that have one."""
        return owed(self.units, ended)

    @model_serializer(mode="wrap")
    def _with_kind(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The record also tells what its units are, for people and for other versions."""
        return {**write(self), "kind": "train" if self.kind.trains else self.kind}


def owed(units: Iterable[str], ended: Container[str]) -> list[str]:
    """The units that have no result yet, given those that have one."""
    return [unit for unit in units if unit not in ended]


class Plan(Record):
    """Everything a stage will run (`iterations/<stage>/plan.json`), fixed before anything of it is launched.

    Attributes:
        stage: its name.
        requests: the trials that the stage needs, those with a result already included.
        jobs: those that the stage launches for itself, such as verifications; trials are claimed by lanes.
        note: what the strategy says of the whole batch, such as a space that is used up.
        left_out: which configurations were passed over since the workload's cost failed; said once a run.
        ahead: of an iteration of a continuous search: so many trials may be unclaimed when the next batch is suggested;
            None where all must have ended.
        last: whether no batch follows in a continuous search, so that finalists are chosen while stragglers still end.
        ends_stragglers: of a full training: whether lanes also end what they have begun of the iterations; not where
            the search's time was used up before.
    """

    stage: Stage
    requests: list[Request]
    jobs: list[Job]
    note: str = ""
    left_out: str = ""
    ahead: int | None = Field(default=None, ge=0)
    last: bool = False
    ends_stragglers: bool = False

    @property
    def units(self) -> list[str]:
        """Ids of its trials, or of what its jobs do where it has none."""
        return [request.trial for request in self.requests] or [unit for job in self.jobs for unit in job.units]

    def is_over(self, unended: int, unclaimed: int) -> bool:
        """Whether what follows an iteration may begin.

        Args:
            unended: how many trials of this iteration and earlier ones have no result.
            unclaimed: how many of these no lane has claimed.
        """
        return unended == 0 if self.ahead is None else unclaimed <= self.ahead


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Result(Record):
    """How a trial or another unit ended (`results/<trial>.json`, `steps/<unit>.json`).

    Attributes:
        trial: its id.
        state: how it ended.
        objectives: the values that selection compares, by name, as the definition names them.
        metrics: every other number that is known of it, by name; None where it was not finite.
        epoch: the epoch that the values are from.
        violation: by how much measured constraints are broken, relative to their bounds, summed; 0 where none is.
        kind: of the failure or of the stop: `error`, `nan`, `out_of_memory`, `timeout`, `killed`, `crashed`, `gone`, …
        message: what went wrong, for a person.
        log_tail: the end of its log, where it failed; a listing lacks it.
        started, ended: of its last attempt, ISO 8601 in UTC.
        seconds: how long its last attempt took.
        gpus: how many GPUs its last attempt held.
        peak_memory: the most resident memory that its last attempt's processes had at once, in bytes; 0 where unknown.
        attempts: how often it was started.
        source: URL of the ledger that it was copied from.
        recorded: when the record was written, in seconds since 1970 by the store's clock; only a listing has it.
    """

    trial: str
    state: State
    objectives: dict[str, float] = {}
    metrics: dict[str, Annotated[float | None, BeforeValidator(_finite)]] = {}
    epoch: float = 0.0
    violation: float = 0.0
    kind: str = ""
    message: Annotated[str, BeforeValidator(readable)] = ""
    log_tail: str = ""
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    gpus: int = 0
    peak_memory: int = 0
    attempts: int = 1
    source: str | None = None
    recorded: float = Field(default=0.0, exclude=True)

    @property
    def feasible(self) -> bool:
        """Whether it may be on a front: it has values, and breaks no constraint."""
        return self.state.has_values and self.violation == 0


class Attempt(Record):
    """One start of a unit (`trials/<trial>/attempts/<n>.json`).

    Attributes:
        number: counted from 1.
        job: that started it.
        host: where.
        started: when, ISO 8601 in UTC.
        preempted: whether the job was told to go before the unit was done; the first fifty such starts are not held
            against the unit.
        kind, message: what took the job down with it, where the launcher's platform tells.
    """

    number: int
    job: str
    host: str
    started: str
    preempted: bool = False
    kind: str = ""
    message: str = ""


class Launch(Record):
    """One launch of a job (`jobs/<job>/launches/<n>.json`).

    Attributes:
        number: counted from 1.
        host: that launched it.
        launched: when, ISO 8601 in UTC.
    """

    number: int
    host: str
    launched: str
