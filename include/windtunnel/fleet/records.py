"""What a fleet's run records: its plan, and how each mini-batch ended, with a row for each of its partitions."""

import json
from collections.abc import Container, Iterable, Iterator
from itertools import chain
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from windtunnel.errors import NotFoundError, UnreadableError
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.reading import named, read_record, unreadable
from windtunnel.ledger.records import Record
from windtunnel.ledger.stage import FLEET
from windtunnel.stores.base import METADATA_LIMIT, Entry, Metadata
from windtunnel.text import readable
from windtunnel.validation import shown

Row = tuple[int, dict[str, Any]]
"""A returned row: the partition's place in the run, or -1 where it is not known, and the values by column."""

_PLAN, _RESULTS = "plan.json", "results/"
_COUNTS = [str, int, int, int, int, str]  # of `Ended`, but for its number


class FleetPlan(Record):
    """What a run does (`plan.json`), fixed before anything is launched.

    Attributes:
        basis: digest of all that decides a model beside its partition: the entry's source and the fleet's settings.
        batches: places of each mini-batch's partitions; the n-th is `batch_name(n)`.
        taken: places of those that have not changed since an earlier run, and are taken over; see `Past`.
        skipped: places of those that were not chosen for this run, and that no earlier run has.
        last: name of the fleet's run before.
        session: number of the session that made it.
    """

    basis: str
    batches: tuple[tuple[int, ...], ...]
    taken: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    last: str | None = None
    session: int = 0

    def to_bytes(self) -> bytes:
        """The plan without line breaks, for it may have thousands of mini-batches."""
        return self.model_dump_json(exclude_defaults=True).encode() + b"\n"

    def check(self, partitions: int, ledger: Ledger) -> None:
        """See that the plan is one of so many partitions.

        Raises:
            UnreadableError: it names another.
        """
        if any(not 0 <= place < partitions for place in chain(*self.batches, self.taken, self.skipped)):
            raise unreadable(ledger.store, ledger.path(_PLAN), f"has other partitions than the {partitions} of the run")


class Outcome(Record):
    """How one partition ended.

    Attributes:
        state: completed or failed.
        metrics: what its training reported, by name.
        files: names of what it saved, below its folder, and paths within the run of what its mini-batch put into the
            run's own outputs.
        seconds: that it took; 0 where it was not timed by itself.
        message: what went wrong.
        verified: whether its ONNX model was checked and passed; None where it has none, or it was not checked.
    """

    state: State
    metrics: dict[str, float] = Field(default_factory=dict)
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    message: Annotated[str, BeforeValidator(readable)] = ""
    verified: bool | None = None


class Past(Record):
    """A partition that is taken over (a line of `taken/<session>.jsonl`).

    Attributes:
        partition: its place in this run.
        source: name of the run that trained it.
        outcome: how it ended there.
        rows: that came back for it.
    """

    partition: int
    source: str
    outcome: Outcome
    rows: tuple[dict[str, Any], ...] = ()


class Ended(NamedTuple):
    """What every poll knows of a mini-batch that has ended.

    Attributes:
        number: its place in the plan.
        state: completed or failed.
        items, failed: what it had to do, and how much of it failed.
        partitions_failed: how many of its partitions did.
        attempts: how often it was begun.
        kind: of the failure.
    """

    number: int
    state: str
    items: int
    failed: int
    partitions_failed: int
    attempts: int
    kind: str


class BatchResult(Record):
    """How a mini-batch ended (`results/<batch>.json`): written once, the first writer wins.

    Attributes:
        batch: its name.
        state: completed or failed.
        items: what it had to do: paths, or rows of a frame.
        succeeded: elements that came back; what lacks has failed.
        outcomes: of its partitions, in their order.
        rows: what came back, for the gathered table.
        lane, slot, process: the job, its place in the job, and the process id that ran it last.
        host: where.
        attempts: how often it was begun.
        started: its last try, ISO 8601 in UTC.
        seconds: that its last try took.
        kind: of the failure: `error`, `timeout`, `killed`, `short`, `out_of_memory`, `gone`.
        message: what went wrong, for a person.
        log_tail: the end of its process's log, where it failed; a listing lacks it.
    """

    batch: str
    state: State
    items: int
    succeeded: int = 0
    outcomes: tuple[Outcome, ...] = ()
    rows: tuple[Row, ...] = ()
    lane: str = ""
    slot: int = 0
    process: int = 0
    host: str = ""
    attempts: int = 1
    started: str = ""
    seconds: float = 0.0
    kind: str = ""
    message: Annotated[str, BeforeValidator(readable)] = ""
    log_tail: str = ""

    @property
    def failed(self) -> int:
        """Items that failed."""
        return max(0, self.items - self.succeeded)


def batch_name(number: int) -> str:
    """The name of a mini-batch, by its place in the plan, from 0 on."""
    return f"b{number:06}"


def batch_number(name: str) -> int:
    """A mini-batch's place in the plan; -1 where it is no mini-batch's name."""
    digits = name[1:]
    return int(digits) if name[:1] == "b" and digits.isdecimal() and digits.isascii() else -1


def unit_of(place: int) -> str:
    """The name of a partition's folder in the ledger, by its place in the run."""
    return f"p{place:06}"


def fix_plan(ledger: Ledger, plan: FleetPlan) -> FleetPlan:
    """Fix the run's plan unless it is fixed, and return the one that holds.

    Raises:
        LedgerError: a later session has begun.
    """
    return ledger.fix("planned", FLEET, _PLAN, plan)


def fixed_plan(ledger: Ledger) -> FleetPlan | None:
    """The run's plan, if it holds: what a session wrote that was overtaken does not.

    Raises:
        LedgerError: a later session has begun.
    """
    return read_plan(ledger) if FLEET in (ledger.own_turn.check().planned or ()) else None


def read_plan(ledger: Ledger) -> FleetPlan | None:
    """The run's plan, once it is fixed."""
    try:
        return read_record(ledger.store, ledger.path(_PLAN), FleetPlan)
    except NotFoundError:
        return None


def record(ledger: Ledger, result: BatchResult) -> bool:
    """Write how a mini-batch ended, unless that is written; whether this is the record that holds."""
    content = result.model_dump_json(exclude_defaults=True).encode() + b"\n"
    return ledger.take(ledger.path(f"{_RESULTS}{result.batch}.json"), content, _metadata(result))


def result_of(ledger: Ledger, batch: str) -> BatchResult | None:
    """How a mini-batch ended, if it did."""
    try:
        return _read(ledger, ledger.path(f"{_RESULTS}{batch}.json"), batch)
    except NotFoundError:
        return None


def has_ended(ledger: Ledger, batch: str) -> bool:
    """Whether a mini-batch has a result."""
    return ledger.has(f"{_RESULTS}{batch}.json")


def results(ledger: Ledger, but: Container[int] = ()) -> Iterator[BatchResult]:
    """How all mini-batches that have a result ended, in their order, without logs: one listing, and one at a time.

    Args:
        ledger: of the run.
        but: numbers of those that are passed over.
    """
    folder = ledger.path(_RESULTS)
    for name, entry in named(ledger.store, folder):
        if (number := batch_number(name)) >= 0 and number not in but:
            result = _listed(entry.metadata) or _read(ledger, entry.path, name)
            if result.batch != name:
                raise unreadable(ledger.store, entry.path, f"is the result of {shown(result.batch)}")
            yield result


def ended(ledger: Ledger) -> Iterator[Ended]:
    """The mini-batches that have a result, in their order: one listing, and little of it is held."""
    folder = ledger.path(_RESULTS)
    for name, entry in named(ledger.store, folder):
        number = batch_number(name)
        if number >= 0:
            yield Ended(number, *_counts(ledger, entry))


def ended_of(result: BatchResult) -> Ended:
    """What polls know of a mini-batch that ended so."""
    return Ended(batch_number(result.batch), *_summary(result))


def recorded(ledger: Ledger) -> dict[str, float]:
    """When each mini-batch's result was recorded, in seconds since 1970 by the store's clock: one listing."""
    folder = ledger.path(_RESULTS)
    listed = named(ledger.store, folder)
    return {name: entry.modified.timestamp() for name, entry in listed if batch_number(name) >= 0}


def _read(ledger: Ledger, path: str, batch: str) -> BatchResult:
    """A result; a failure that tells so where it cannot be read, for it was written once and for all."""
    try:
        return read_record(ledger.store, path, BatchResult)
    except UnreadableError as error:
        facts = {"state": State.FAILED, "message": str(error)}
        whole = {"batch": batch, "items": 1, "kind": "unreadable", "outcomes": [facts], **facts}
        return BatchResult.model_validate(whole)


def _counts(ledger: Ledger, entry: Entry) -> Iterable[Any]:
    try:
        counts = json.loads(entry.metadata["counts"])
        if isinstance(counts, list) and [*map(type, counts)] == _COUNTS:
            return counts
    except (KeyError, ValueError, TypeError):
        pass  # lost in copying
    return _summary(_read(ledger, entry.path, entry.path.rpartition("/")[2].removesuffix(".json")))


def _summary(result: BatchResult) -> list[Any]:
    failed = sum(outcome.state is State.FAILED for outcome in result.outcomes)
    return [str(result.state), result.items, result.failed, failed, result.attempts, result.kind]


def _metadata(result: BatchResult) -> Metadata:
    """The result as metadata where it is short enough, and what every poll needs in any case."""
    counts = json.dumps(_summary(result))
    body = json.dumps(result.model_dump(mode="json", exclude_defaults=True, exclude={"log_tail"}))
    fits = len(body) + len(counts) < METADATA_LIMIT - 100
    return {"counts": counts} | ({"result": body} if fits else {})


def _listed(metadata: Metadata) -> BatchResult | None:
    body = metadata.get("result")
    try:
        return BatchResult.model_validate_json(body) if body is not None else None
    except ValueError:
        return None
