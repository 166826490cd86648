"""What a listing of results gives: the part of each that rides along as its object's metadata."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from windtunnel.ledger.records import Result, State
from windtunnel.stores.base import METADATA_LIMIT, Entry, Metadata


@dataclass(frozen=True, slots=True)
class Outcome:
    """The part of a result that a listing gives: enough to select by, without reading the result itself.

    Attributes:
        trial: its id.
        state: how it ended.
        objectives: the values that selection compares, by name.
        metrics: every other number, by name.
        violation: of measured constraints; 0 where none is broken.
        kind: of the failure or stop.
        epoch: the epoch that the values are from.
        seconds: how long it took.
        gpus: how many GPUs it held.
        started: ISO 8601 in UTC.
        attempts: how often it was started.
        recorded: when the record was written, in seconds since 1970 by the store's clock.
    """

    trial: str
    state: State
    objectives: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    violation: float = 0.0
    kind: str = ""
    epoch: float = 0.0
    seconds: float = 0.0
    gpus: int = 0
    started: str = ""
    attempts: int = 1
    recorded: float = 0.0

    @property
    def comparable(self) -> bool:
        """Whether it may be on a front: it has values, and breaks no constraint."""
        return self.state in (State.COMPLETED, State.STOPPED) and self.violation == 0


_IN_METADATA = (
    "state",
    "objectives",
    "metrics",
    "violation",
    "kind",
    "epoch",
    "seconds",
    "gpus",
    "started",
    "attempts",
)


def outcome_metadata(result: Result) -> dict[str, str]:
    """The metadata of a result; where it is too long, a mark that the result itself is to be read."""
    facts = {key: json.dumps(getattr(result, key)) for key in _IN_METADATA}
    return facts if sum(len(key) + len(value) for key, value in facts.items()) <= METADATA_LIMIT else {"body": "true"}


def outcome_of(entry: Entry, read: Callable[[str], Result]) -> Outcome:
    """How a unit ended.

    Args:
        entry: of its result.
        read: gives the result at a path, where its metadata was too long, got lost in copying, or is none.
    """
    facts = _facts(entry.metadata)
    if facts is None:
        result = read(entry.path)
        facts = {key: getattr(result, key) for key in _IN_METADATA}
    unit = entry.path.rsplit("/", 1)[-1].removesuffix(".json")
    return Outcome(trial=unit, recorded=entry.modified.timestamp(), **facts)


def _facts(metadata: Metadata) -> dict[str, Any] | None:
    """The facts, read as one JSON object rather than each by itself: a listing has thousands of them."""
    if "state" not in metadata:
        return None
    pairs = (f'"{key}":{metadata[key]}' for key in _IN_METADATA if key in metadata)
    try:
        facts: dict[str, Any] = from_json(f"{{{','.join(pairs)}}}")
        facts["state"] = State(facts["state"])
    except ValueError:
        return None
    return facts
