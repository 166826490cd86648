"""Jobs that are performed in this process between two looks of whoever waits for them: a launcher, and `SteppedJobs`.

Lanes and units are the trainer's own, each a process that may die by the rules of `tests.dying`.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from tests.dying import Fate, Killed
from windtunnel.definition import Definition, definition_of, fleet_of
from windtunnel.definition.fleet import is_fleet
from windtunnel.fleet.beginning import EVALUATION, lanes_of
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import batch_name, read_plan
from windtunnel.launchers.base import JobFailure, Launcher
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.queue import owed
from windtunnel_trainer import units
from windtunnel_trainer.fleet.evaluation import run_evaluation
from windtunnel_trainer.fleet.worker import Worker
from windtunnel_trainer.lane import Lane


class SteppedLauncher(Launcher):
    """Jobs wait until `SteppedJobs` performs them."""

    waiting: ClassVar[dict[tuple[str, str], str]] = {}

    def launch(self, ledger: Ledger, job: Job) -> None:
        if owed(ledger, job) and (ledger.url, job.job) not in self.waiting:
            ledger.begin_launch(job.job, "here", datetime.now(UTC).isoformat())
            self.waiting[ledger.url, job.job] = ledger.digest

    def live(self, ledger: Ledger) -> set[str]:
        return {job for url, job in self.waiting if url == ledger.url}

    def may_relaunch(self, ledger: Ledger, job: Job) -> bool:
        return True

    def failure_reason(self, ledger: Ledger, job: Job) -> JobFailure:
        return JobFailure("gone", "it is gone")

    def cancel(self, ledger: Ledger, jobs: Any = None) -> None:
        for url, job in [*self.waiting]:
            if url == ledger.url and (jobs is None or job in jobs):
                del self.waiting[url, job]


class SteppedJobs:
    """Performs what waits.

    Attributes:
        fate: of every job and unit.
        resumes: whether any death is everybody's.
        alone: whether a unit dies alone, and its job lives on.
        most: units that a lane claims between two looks, at most.
    """

    def __init__(self, fate: Fate, *, resumes: bool = False, alone: bool = False, most: int = 2) -> None:
        self.fate, self.resumes, self.alone, self.most = fate, resumes, alone, most
        self._folder = Path(tempfile.mkdtemp(prefix="windtunnel-stepped-"))
        weakref.finalize(self, shutil.rmtree, self._folder)

    def perform(self) -> None:
        """Let every job work a while: one that is no lane does all that it has to do."""
        for (url, job), digest in [*SteppedLauncher.waiting.items()]:
            ends = True
            try:
                self.fate.begin(f"{url} {job}")
                ends = self._job(url, job, digest)
            except Killed:
                if self.resumes:
                    raise
            finally:
                if ends:
                    SteppedLauncher.waiting.pop((url, job), None)

    def _job(self, url: str, name: str, digest: str) -> bool:
        """Whether the job ends."""
        ledger = Ledger.open(url).with_spec(digest)
        job = ledger.job(name)
        if is_fleet(ledger.spec.definition):
            return self._fleet_job(ledger, job)
        definition = definition_of(ledger)
        if job.session is None:
            for unit in owed(ledger, job):
                self._unit(ledger, job, unit, definition)
            return True
        lane = Lane(ledger, job, ledger.last_launch(name), definition)
        for _ in range(self.most):
            unit = lane.next()
            if unit is None:
                return True
            self._unit(ledger, job, unit, definition)
            lane.settle(unit)
        return False

    def _unit(self, ledger: Ledger, job: Job, unit: str, definition: Definition) -> None:
        while ledger.result(unit) is None:
            started = datetime.now(UTC).isoformat()
            first = ledger.begin_first_attempt(unit, job.job, "here", started)
            attempt = first or ledger.begin_attempt(unit, job.job, "here", started)
            work = partial(units.run, ledger, job, unit, attempt, None, definition, adopts=bool(ledger.spec.sources))
            self._process(f"{ledger.url} {unit}", work, job)

    def _fleet_job(self, ledger: Ledger, job: Job) -> bool:
        if job.job == EVALUATION:
            run_evaluation(ledger)
            return True
        fleet, plan, partitions = fleet_of(ledger), read_plan(ledger), Partitions.read(ledger)
        assert plan is not None and partitions is not None
        queue = Queue(ledger, plan, job, lanes_of(fleet, plan), ledger.last_launch(job.job))
        for _ in range(self.most):
            claimed = queue.next()
            if claimed is None:
                return True
            number = claimed.number
            if claimed.begun:
                ledger.begin_attempt(batch_name(number), job.job, "here", datetime.now(UTC).isoformat())
            worker = Worker(ledger, fleet, partitions, self._folder, {"lane": job.job, "slot": 0})
            worker.load(Path(fleet.entry_script) if fleet.entry_script else None)
            do = partial(worker.do, number, list(plan.batches[number]), claimed.begun + 1, True)
            self._process(f"{ledger.url} {batch_name(number)}", do, job)
        return False

    def _process(self, name: str, work: Callable[[], Any], job: Job) -> None:
        self.fate.begin(name)
        try:
            work()
        except Killed:
            if not self.alone:
                raise
        self.fate.begin(f"{name.partition(' ')[0]} {job.job}")
