"""A fleet's run on a terminal: a line whenever more partitions are done, and what came of it."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from windtunnel.errors import WindtunnelError
from windtunnel.fleet.gathering import LEADERBOARD
from windtunnel.fleet.publishing import is_over, published, summary
from windtunnel.fleet.records import read_plan
from windtunnel.ledger import Ledger
from windtunnel.report import FleetReader
from windtunnel.report.fleet.text import progress
from windtunnel.report.summary import duration
from windtunnel.text import printable

_EVERY = 2.0  # seconds between looks


class FleetDisplay:
    """Shows how far a fleet's run is until the block ends."""

    def __init__(self, reader: FleetReader, heading: str) -> None:
        """Show a run, which need not have begun."""
        self._reader = reader
        self._heading = heading
        self._begun = False
        self._shown = ""
        self._next = 0.0

    def __enter__(self) -> Self:
        print(printable(self._heading), flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def update(self, *, now: bool = False) -> None:
        """Look at the run, unless that was done just before, and say what is new."""
        if not now and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        try:
            snapshot = self._reader.read()
            self._begun, message, line = True, snapshot.message, progress(snapshot)
        except WindtunnelError as error:
            message = line = f"the ledger cannot be read: {error}" if self._begun else ""
        if message != self._shown:  # the pace and the time left are others at each look
            self._shown = message
            print(printable(f"  {line}"), flush=True)


def results_of_fleet(ledger: Ledger, seconds: float, latest: Path | None) -> list[str]:
    """What a run that has succeeded has found, and where to look.

    Args:
        ledger: of the run.
        seconds: that the command took.
        latest: a link to the run.
    """
    plan = read_plan(ledger)
    first, *more = summary(ledger, plan) if plan is not None else [""]
    shown = latest.relative_to(Path.cwd()) if latest is not None and latest.is_relative_to(Path.cwd()) else latest
    files = published(ledger) or {}
    lines = [f"{ledger.search} took {duration(seconds)}: {first}.", *(f"  {line}" for line in more)]
    lines.append(f"  report         {shown or ledger.url}/report.html")
    lines.append(f"  leaderboard    {shown or ledger.url}/{LEADERBOARD}")
    if files.get("table"):
        lines.append(f"  table          {shown or ledger.url}/{files['table']}")
    return [*lines, f"  run            {ledger.url}"]


def failure_of_fleet(ledger: Ledger) -> list[str]:
    """Why a run failed, by its ledger; nothing where that does not know."""
    plan = read_plan(ledger)
    return summary(ledger, plan) if plan is not None and is_over(ledger) else []
