"""The record of a session: what began it, and what it does with a run."""

import math
import time
from datetime import datetime
from typing import Any

from pydantic import Field

from windtunnel.ledger.records import Id, Record


class Origin(Record):
    """Trials of an earlier run that are trained fully, where there is no search.

    Attributes:
        from_run: URL of that run's ledger.
        trials: ids of the trials.
    """

    from_run: str
    trials: list[Id]


class Session(Record):
    """One DAG run that works on the ledger's run (`sessions/<session>.json`).

    Attributes:
        session: the DAG run's id.
        number: which of the run's sessions it is, counted from 1; 0 where an earlier version wrote it.
        offset: how many iterations were done when it began: its group i performs iteration offset + i.
        iterations: how many it may perform.
        written: how many the definition's file has, whatever was chosen; 0 where an earlier version wrote it.
        definition: the search as this session performs it, to be shown.
        spec: digest of what it runs, its definition included.
        retry_failed: whether its first iteration tries the failed trials once more.
        started: when, ISO 8601 in UTC.
    """

    session: str
    number: int = Field(default=0, ge=0)
    offset: int = Field(ge=0)
    iterations: int = Field(ge=0)
    written: int = Field(default=0, ge=0)
    definition: dict[str, Any]
    spec: str = ""
    retry_failed: bool = False
    started: str

    @property
    def order(self) -> tuple[int, str]:
        """Sorts a run's sessions; no clock orders those that have numbers."""
        return self.number, self.started

    def seconds_left(self, search_time: float | None) -> float:
        """How much of its `limits.search_time` it still has, below 0 once that is used up; for ever without a limit."""
        if search_time is None:
            return math.inf
        return datetime.fromisoformat(self.started).timestamp() + search_time - time.time()
