"""A fleet performed in this process: what its DAG does, one stage after another."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from windtunnel.definition import Fleet
from windtunnel.engine.perform import patiently, why_ended
from windtunnel.engine.session import own_session
from windtunnel.errors import FleetError
from windtunnel.fleet.beginning import begin, evaluates, evaluation_job, lanes
from windtunnel.fleet.evaluating import EvaluationMonitor
from windtunnel.fleet.gathering import gather
from windtunnel.fleet.monitor import FleetMonitor, FleetProgress
from windtunnel.fleet.planning import RunChoice, plan
from windtunnel.fleet.publishing import publish
from windtunnel.fleet.records import FleetPlan
from windtunnel.fleet.split import split
from windtunnel.launchers import get_launcher
from windtunnel.launchers.lanes import end_other_sessions, launch
from windtunnel.launchers.monitor import wait
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.queue import open_queue
from windtunnel.ledger.stage import FLEET

_SHORTEST = 0.05  # seconds between two looks

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class FleetEngine:
    """Performs a fleet. Whatever ends it, nothing that it launched runs on.

    Attributes:
        fleet: its definition.
        ledger: of the run.
        choice: what a person chose for the run.
        look: told of each look at what runs.
        say: told what a person should know of, a line each.
        sleep: waits for some seconds.
    """

    fleet: Fleet
    ledger: Ledger
    choice: RunChoice = field(default_factory=RunChoice)
    look: Callable[[FleetProgress], None] = lambda progress: None
    say: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def perform(self) -> dict[str, Any]:
        """Go from the data to what is published; what is done already is not done again.

        Returns:
            What `published.json` holds.

        Raises:
            FleetError: a threshold was gone beyond, no process came up, or the evaluation failed.
            LedgerError: another session works on the run.
            WindtunnelError: a stage cannot be performed.
        """
        session, running = own_session(self.ledger)
        ledger = self._patiently(begin, self.fleet, self.ledger, session, running, self.sleep)
        try:
            published = self._perform(ledger)
        except BaseException as error:
            ledger.end(session, why_ended(error))
            raise
        finally:
            get_launcher(self.fleet.launcher).cancel(ledger)
        self._patiently(ledger.close, session)
        return published

    def _perform(self, ledger: Ledger) -> dict[str, Any]:
        launcher = get_launcher(self.fleet.launcher)
        partitions = self._patiently(split, ledger, self.fleet)
        what = self._patiently(plan, ledger, self.fleet, partitions, self.choice)
        self._patiently(end_other_sessions, ledger, launcher)
        progress = self._train(ledger, what)
        self._patiently(gather, ledger, self.fleet, what, partitions)
        if progress.failure:
            raise FleetError(f"the fleet has failed: {progress.failure}")
        if evaluates(self.fleet):
            self._evaluate(ledger)
        return self._patiently(publish, ledger, self.fleet, what)

    def _train(self, ledger: Ledger, what: FleetPlan) -> FleetProgress:
        launcher = get_launcher(self.fleet.launcher)
        jobs = lanes(ledger, self.fleet, what)
        self._patiently(open_queue, ledger, FLEET)
        self._launch(ledger, jobs)
        monitor = FleetMonitor(ledger, self.fleet, what, jobs, launcher)
        return self._patiently(wait, monitor.poll, partial(self._launch, ledger), _SHORTEST, self.look, self.sleep)

    def _evaluate(self, ledger: Ledger) -> None:
        launcher = get_launcher(self.fleet.launcher)
        self._launch(ledger, [evaluation_job(ledger)])
        monitor = EvaluationMonitor(ledger, launcher)
        self._patiently(wait, monitor.poll, partial(self._launch, ledger), _SHORTEST, sleep=self.sleep)

    def _launch(self, ledger: Ledger, jobs: Sequence[Job]) -> None:
        self._patiently(launch, ledger, get_launcher(self.fleet.launcher), jobs, self.say)

    def _patiently(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return patiently(partial(work, *arguments, **named), self.say, self.sleep)
