"""A fleet performed in this process: what its DAG does, one stage after another."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from windtunnel.definition import Fleet
from windtunnel.errors import FleetError
from windtunnel.fleet.accounts import Accounts
from windtunnel.fleet.beginning import begin, evaluates, evaluation_job, lanes
from windtunnel.fleet.evaluating import EvaluationMonitor
from windtunnel.fleet.gathering import gather
from windtunnel.fleet.monitor import FleetMonitor, FleetProgress
from windtunnel.fleet.planning import Choice, plan
from windtunnel.fleet.publishing import publish, why_failed
from windtunnel.fleet.records import read_plan
from windtunnel.fleet.split import split
from windtunnel.launchers import get_launcher
from windtunnel.launchers.base import Launcher
from windtunnel.ledger import Ledger

_SHORTEST, _SHARE = 0.05, 4.0  # seconds between two looks, and how many times as long as a look they are at least


@dataclass(frozen=True)
class Outcome:
    """What came of a fleet's run.

    Attributes:
        ledger: of the run.
        accounts: items, mini-batches and partitions.
        gathered: what the gathering wrote.
        evaluation: what the user's evaluation returned.
    """

    ledger: Ledger
    accounts: Accounts
    gathered: dict[str, Any]
    evaluation: dict[str, float | None]


@dataclass
class FleetEngine:
    """Performs a fleet. Whatever ends it, nothing that it launched runs on.

    Attributes:
        fleet: its definition.
        ledger: of the run.
        choice: what a person chose for the run.
        look: told of each look at what runs.
        sleep: waits for some seconds.
    """

    fleet: Fleet
    ledger: Ledger
    choice: Choice = field(default_factory=Choice)
    look: Callable[[FleetProgress], None] = lambda progress: None
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def perform(self) -> Outcome:
        """Go from the data to the gathered table; what is done already is not done again.

        Raises:
            FleetError: a threshold was gone beyond, no process came up, or the evaluation failed.
            WindtunnelError: a stage cannot be performed.
        """
        ledger = begin(self.fleet, self.ledger)
        launcher = get_launcher(self.fleet.launcher)
        partitions = split(ledger, self.fleet)
        what = plan(ledger, self.fleet, partitions, self.choice)
        jobs = lanes(ledger, self.fleet, what)
        try:
            for job in jobs:
                launcher.launch(ledger, job)
            progress = self._wait(FleetMonitor(ledger, self.fleet, what, jobs, launcher))
            gathered = gather(ledger, self.fleet, what, partitions)
            if progress.failure:
                raise FleetError(f"the fleet has failed: {progress.failure}")
            evaluation = self._evaluate(ledger, launcher) if evaluates(self.fleet) else {}
            publish(ledger, self.fleet, what)
        finally:
            launcher.cancel(ledger)
        return Outcome(ledger, progress.accounts, gathered, evaluation)

    def _wait(self, monitor: FleetMonitor) -> FleetProgress:
        while True:
            began = time.monotonic()
            progress = monitor.poll()
            self.look(progress)
            if progress.done:
                return progress
            self.sleep(max(_SHORTEST, _SHARE * (time.monotonic() - began)))

    def _evaluate(self, ledger: Ledger, launcher: Launcher) -> dict[str, float | None]:
        launcher.launch(ledger, evaluation_job(ledger))
        monitor = EvaluationMonitor(ledger, launcher)
        while not (progress := monitor.poll()).done:
            for job in progress.wanted:
                launcher.launch(ledger, job)
            self.sleep(_SHORTEST)
        return progress.metrics


def summary(outcome: Outcome) -> list[str]:
    """What came of a run, for people, a line each."""
    ledger, files = outcome.ledger, outcome.gathered.get("files", [])
    what = read_plan(ledger)
    lines = [f"{outcome.accounts.message}.", *(why_failed(ledger, what) if what is not None else [])]
    lines += [f"{name}: {value:g}" for name, value in outcome.evaluation.items() if value is not None]
    return [*lines, *(f"{ledger.url}/{name}" for name in files)]
