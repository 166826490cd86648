"""What a fleet's run records: its plan, and how each mini-batch ended, with a row for each of its partitions."""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from windtunnel.errors import NotFoundError
from windtunnel.ledger import Ledger, State
from windtunnel.ledger.reading import named, read_record
from windtunnel.ledger.records import Record
from windtunnel.stores.base import METADATA_LIMIT, Entry, Metadata
from windtunnel.text import readable

Row = tuple[int, dict[str, Any]]
"""A returned row: the partition's place in the run, or -1 where it is not known, and the values by column."""

_PLAN = "plan.json"
_RESULTS = "results/"


class Taken(NamedTuple):
    """A partition whose model an earlier run has.

    Attributes:
        partition: its place in this run.
        source: name of the run that trained it.
    """

    partition: int
    source: str


class FleetPlan(Record):
    """What a run does (`plan.json`), fixed before anything is launched.

    Attributes:
        batches: places of each mini-batch's partitions; the n-th is `batch_name(n)`.
        taken: partitions that have not changed since the fleet's last run, and are taken over from it.
        skipped: places of those that were not chosen for this run, and that no earlier run has.
        last: name of that last run.
        lanes: how many jobs train.
    """

    batches: tuple[tuple[int, ...], ...]
    taken: tuple[Taken, ...] = ()
    skipped: tuple[int, ...] = ()
    last: str | None = None
    lanes: int = 1


class Outcome(Record):
    """How one partition ended.

    Attributes:
        state: completed or failed.
        metrics: what its training reported, by name.
        files: names of what it saved, below its folder.
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


def create_plan(ledger: Ledger, plan: FleetPlan) -> FleetPlan:
    """Fix the run's plan unless it is fixed, and return the one that holds."""
    content = plan.model_dump_json(exclude_defaults=True).encode() + b"\n"
    ledger.store.create(ledger.path(_PLAN), content)
    return read_record(ledger.store, ledger.path(_PLAN), FleetPlan)


def read_plan(ledger: Ledger) -> FleetPlan | None:
    """The run's plan, once it is fixed."""
    try:
        return read_record(ledger.store, ledger.path(_PLAN), FleetPlan)
    except NotFoundError:
        return None


def record(ledger: Ledger, result: BatchResult) -> bool:
    """Write how a mini-batch ended, unless that is written; whether this is the record that holds."""
    content = result.model_dump_json(exclude_defaults=True).encode() + b"\n"
    return ledger.store.create(ledger.path(f"{_RESULTS}{result.batch}.json"), content, _metadata(result))


def result_of(ledger: Ledger, batch: str) -> BatchResult | None:
    """How a mini-batch ended, if it did."""
    try:
        return read_record(ledger.store, ledger.path(f"{_RESULTS}{batch}.json"), BatchResult)
    except NotFoundError:
        return None


def results(ledger: Ledger) -> Iterator[BatchResult]:
    """How all mini-batches that have a result ended, in their order, without logs: one listing, and one at a time."""
    folder = ledger.path(_RESULTS)
    for name, entry in named(ledger.store.list(folder), folder):
        if batch_number(name) >= 0:
            yield _listed(entry.metadata) or read_record(ledger.store, entry.path, BatchResult)


def ended(ledger: Ledger) -> Iterator[tuple[int, int, int, bool]]:
    """Of each mini-batch that has a result its number, items, failed items, and whether it failed; one listing."""
    folder = ledger.path(_RESULTS)
    for name, entry in named(ledger.store.list(folder), folder):
        number = batch_number(name)
        if number >= 0:
            yield number, *_counts(ledger, entry)


def _counts(ledger: Ledger, entry: Entry) -> tuple[int, int, bool]:
    try:
        items, failed, state = json.loads(entry.metadata["counts"])
        return int(items), int(failed), state == State.FAILED
    except (KeyError, ValueError, TypeError):
        result = read_record(ledger.store, entry.path, BatchResult)
        return result.items, result.failed, result.state is State.FAILED


def _metadata(result: BatchResult) -> Metadata:
    """The result as metadata where it is short enough, and what every poll needs in any case."""
    counts = json.dumps([result.items, result.failed, result.state])
    body = result.model_dump_json(exclude_defaults=True, exclude={"log_tail"}, ensure_ascii=True)
    fits = len(body) + len(counts) < METADATA_LIMIT - 100
    return {"counts": counts} | ({"result": body} if fits else {})


def _listed(metadata: Metadata) -> BatchResult | None:
    body = metadata.get("result")
    try:
        return BatchResult.model_validate_json(body) if body is not None else None
    except ValueError:
        return None


def rows_of(results: Iterable[BatchResult]) -> Iterator[Row]:
    """The returned rows of all mini-batches, in order."""
    for result in results:
        yield from result.rows
