"""Runs a job's units, each in a process of its own, and records what such a process cannot: that it was killed."""

import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from windtunnel.definition.model import Limits
from windtunnel.errors import StoreError, UnavailableError
from windtunnel.host.machine import host, now
from windtunnel.ledger import Attempt, Job, Ledger
from windtunnel.ledger.failures import LOG_TAIL, record_failure
from windtunnel_trainer import causes, child, memory
from windtunnel_trainer.deferred import DeferredWork
from windtunnel_trainer.gpus import devices, visible_to
from windtunnel_trainer.left import folder_of, keep_left
from windtunnel_trainer.logs import UnitLog, log_folder, say
from windtunnel_trainer.processes import children
from windtunnel_trainer.running import Running
from windtunnel_trainer.source import Patient, Source
from windtunnel_trainer.starts import TICK, counted, handed_over
from windtunnel_trainer.waits import Waits
from windtunnel_trainer.wakeup import PREEMPTED, wake_up

RunUnit = Callable[[Ledger, Job, str, Attempt, Path], None]

_SHORT_TICK, _SHARE = 0.02, 0.1  # where nothing runs: seconds at first, later this share of the time since then
_GRACE = 10.0  # seconds that a unit gets to save its state and end when its job is told to go
_KEEPING = 60.0  # seconds that keeping the files of a unit may take that could not do so itself


class Supervisor:
    """Runs the units of a source in order, up to `job.slots` at once, and keeps them to their limits.

    It stays free of threads and computes nothing, so that it can fork at any moment and survives what its units do.
    """

    def __init__(
        self,
        ledger: Ledger,
        job: Job,
        limits: Limits,
        run_unit: RunUnit,
        source: Source,
        cancel_file: Path | None = None,
        gpus: int = 1,
    ) -> None:
        """Nothing is started yet.

        Args:
            ledger: of the run.
            job: to run.
            limits: of the search.
            run_unit: runs one unit in a child and records its result.
            source: of the units.
            cancel_file: the job ends as soon as this file is there.
            gpus: that a unit gets, where there are any.
        """
        self._ledger, self._job, self._limits = ledger, job, limits
        self._run_unit, self._cancel_file = run_unit, cancel_file
        self._most_starts = 1 + limits.trial_retries
        ends = limits.job_time and job.session is None  # a lane is started anew instead
        self._deadline = time.monotonic() + limits.job_time if ends and limits.job_time else None
        self._source, self._patient = source, Patient(source, self._despair)
        self._waiting: deque[str] = deque()
        self._running: list[Running] = []
        self._logs: dict[str, UnitLog] = {}
        self._gpus, self._devices = gpus, devices()
        self._told_to_go = self._hopeless = False
        self._looked = time.monotonic()  # when limits were last looked at
        self._work = DeferredWork()
        self._folder = log_folder(ledger, job)
        self._worked = time.monotonic()

    def run(self) -> int:
        """Run the units until each has a result; returns the job's exit code: 1 where the store refused some."""
        self._lifeline = child.Lifeline()
        child.adopt()
        self._not_units = children(os.getpid())  # what importing the workload has started
        self._folder.mkdir(parents=True, exist_ok=True)
        with wake_up(self._note_going) as wait:
            try:
                while self._waiting or self._running or self._work or not self._source.done():
                    if self._hopeless and not self._running:
                        return 1
                    if self._told_to_go or (self._cancel_file is not None and self._cancel_file.exists()):
                        return self._go()
                    self._fill_slots()
                    wait(self._tick(), ())
                    self._look()
                    for ended, code in self._reap():
                        self._work.do(ended.unit, partial(self._settle, ended, code))
                    self._work.try_again()
                    if self._job.session is not None:
                        self._work.try_left(self._give_up)
                    for running in self._running:
                        running.log.sync()
            finally:
                for running in self._running:
                    child.kill(running.pid, signal.SIGKILL)
                child.end_orphans(self._not_units)
                self._lifeline.close()
                shutil.rmtree(self._folder, ignore_errors=True)
        left = self._work.left
        say(f"done but for {', '.join(sorted(left))}" if left else "done")
        return 1 if left else 0

    def _tick(self) -> float:
        """Seconds until the next look: where a lane has just run out of work, more may come at any moment."""
        if self._running:
            self._worked = time.monotonic()
            return TICK
        return min(TICK, max(_SHORT_TICK, _SHARE * (time.monotonic() - self._worked)))

    def _note_going(self) -> None:
        self._told_to_go = True

    def _fill_slots(self) -> None:
        while len(self._running) < self._job.slots and not (self._told_to_go or self._hopeless or self._work):
            unit = self._waiting.popleft() if self._waiting else self._patient.next()
            if unit is None:
                return
            self._work.do(unit, partial(self._begin, unit))

    def _begin(self, unit: str) -> None:
        first = self._ledger.begin_first_attempt(unit, self._job.job, host(), now())
        if first is not None:
            self._start(unit, first)
            return
        attempts = handed_over(self._ledger, unit, self._most_starts, lambda: self._told_to_go)
        starts = counted(attempts)
        if self._told_to_go:
            self._waiting.appendleft(unit)  # so that the job does not end as if all were done
        elif starts >= self._most_starts:
            why = causes.why_crashed(attempts[-1], starts, self._limits.trial_retries)
            self._fail(unit, *why, attempt=attempts[-1])
        else:
            self._start(unit, self._ledger.begin_attempt(unit, self._job.job, host(), now(), len(attempts)))

    def _start(self, unit: str, attempt: Attempt) -> None:
        slot = min(set(range(self._job.slots)) - {running.slot for running in self._running})
        log = self._logs.setdefault(unit, UnitLog(self._ledger, unit, self._folder))
        log.begin(attempt)
        memory.write_peak(log.file, 0)
        environment = visible_to(self._job.lane * self._job.slots + slot, self._gpus, self._devices)

        def work(ledger: Ledger) -> None:
            self._run_unit(ledger, self._job, unit, attempt, log.file)

        pid, waits = self._fork(work, log, environment)
        self._running.append(Running(unit, slot, pid, attempt, log, waits, longest=self._source.trial_time(unit)))
        say(f"{unit}: start {attempt.number}, process {pid}")

    def _fork(self, work: Callable[[Ledger], None], log: UnitLog, environment: Mapping[str, str]) -> tuple[int, Waits]:
        """Do work in a process that has connections of its own, and waits where the disk is full; its id, its waits."""
        url, spec, waits = self._ledger.url, self._ledger.spec, Waits()

        def run() -> None:
            ledger = Ledger.open(url)
            ledger.store.on_wait = waits.tell
            work(ledger.with_spec(spec))

        return child.start(run, log.file, self._lifeline, environment), waits

    def _look(self) -> None:
        """Keep units to their limits, and what the job's time does not reach to from beginning."""
        moment = time.monotonic()
        elapsed, self._looked = moment - self._looked, moment
        over = self._deadline is not None and moment > self._deadline
        if over:
            while (left := self._waiting.popleft() if self._waiting else self._source.next()) is not None:
                self._work.do(left, partial(self._fail, left, *causes.job_too_long(self._limits)))
        for running in self._running:
            running.measure()
            running.keep_to(self._limits, elapsed, job_over=over)

    def _reap(self) -> list[tuple[Running, int]]:
        ended = [(running, code) for running in self._running if (code := child.reap(running.pid)) is not None]
        for running, _ in ended:
            self._running.remove(running)
        if ended:
            child.end_orphans(self._not_units | {running.pid for running in self._running})
        return ended

    def _settle(self, ended: Running, code: int) -> None:
        """See that a unit whose process has ended has a result, or is started again."""
        ended.log.sync(at_once=True)
        unit = ended.unit
        if ended.failure is not None:
            self._fail(unit, *ended.failure, ended)
        elif child.is_done(code, ended.log.file) or self._ledger.result(unit) is not None:
            say(f"{unit}: has its result")
            self._forget(unit)
        elif ended.condemned is not None:
            self._end(ended, *ended.condemned)
        elif code == child.NO_STORE and causes.is_refusal(cause := ended.last_line):
            self._try_again(ended, f"{cause};", lambda starts: ("storage", f"{cause}; starts: {starts}"))
        elif code >= 0:
            self._end(ended, "error", causes.why_ended(code, ended.last_line, self._job.kind))
        else:
            cause = f"killed by {causes.signal_name(-code)},"
            self._try_again(ended, cause, lambda starts: causes.why_killed(-code, ended.kills_before, starts))

    def _end(self, ended: Running, kind: str, message: str) -> None:
        """Record that a unit failed, once what it has left on this host is kept, by a process of its own again."""
        folder = folder_of(ended.log.file, ended.attempt.number)
        if not folder.is_dir():
            self._fail(ended.unit, kind, message, ended)
            return
        pid, waits = self._fork(partial(keep_left, trial=ended.unit, folder=folder), ended.log, {})
        keeps = replace(ended, pid=pid, waits=waits, failure=(kind, message), condemned=None)
        keeps.began, keeps.longest = time.monotonic(), _KEEPING
        self._running.append(keeps)

    def _forget(self, unit: str) -> None:
        """Keep nothing of a unit that has its result: a lane may come to run thousands."""
        if (log := self._logs.pop(unit, None)) is not None:
            log.remove()
        self._source.settle(unit)

    def _try_again(self, ended: Running, cause: str, why: Callable[[int], tuple[str, str]]) -> None:
        """Start a unit again, unless it has had its starts: why it failed then is told by how many it had."""
        starts = counted(self._ledger.attempts(ended.unit))
        if starts >= self._most_starts:
            self._end(ended, *why(starts))
        else:
            say(f"{ended.unit}: {cause} is started again")
            self._waiting.appendleft(ended.unit)

    def _give_up(self, unit: str, error: StoreError) -> None:
        """A unit of which the store refuses something for good has failed; if even that, the lane goes and says why."""
        try:
            self._fail(unit, "storage", str(error))
        except UnavailableError:
            raise  # a full disk, say, is no reason to go: it is done again later
        except StoreError:
            self._despair(error)

    def _despair(self, error: StoreError) -> None:
        """End the lane once nothing runs: the store refuses what it needs. Whoever launches lanes is told why."""
        self._hopeless = True
        with suppress(StoreError):
            self._ledger.refuse_launch(self._job.job, "storage", str(error))

    def _go(self) -> int:
        """End all children and settle their starts, for the job is to leave."""
        say("told to go")
        for running in self._running:
            if running.failure is None:  # else it keeps a dead trial's files, and may end that
                child.kill(running.pid, signal.SIGTERM)
        end = time.monotonic() + _GRACE
        left = list(self._running)
        while self._running:
            if time.monotonic() > end:
                for running in self._running:
                    child.kill(running.pid, signal.SIGKILL)
            self._reap()
            time.sleep(0.01)
        for running in left:
            self._work.do(running.unit, partial(self._give_back, running))
        return PREEMPTED

    def _give_back(self, running: Running) -> None:
        """Give a unit's start back, unless it has a result, or has failed already and it is not written yet."""
        failure = running.failure or running.condemned
        unended = self._ledger.result(running.unit) is None
        if unended and failure is None:
            self._ledger.mark_preempted(running.unit, running.attempt)
        running.log.sync(at_once=True)
        if unended and failure is not None:
            self._fail(running.unit, *failure, running)

    def _fail(
        self, unit: str, kind: str, message: str, ended: Running | None = None, attempt: Attempt | None = None
    ) -> None:
        """Record that a unit failed: its process has ended, or an earlier job's attempt is its last, or none began."""
        say(f"{unit}: failed, {kind}: {message}")
        log = self._logs.setdefault(unit, UnitLog(self._ledger, unit, self._folder))
        attempt = ended.attempt if ended is not None else attempt
        record_failure(
            self._ledger,
            unit,
            kind,
            message,
            log_tail=log.tail(LOG_TAIL),
            attempt=attempt,
            gpus=min(self._gpus, len(self._devices)) if attempt else 0,
            peak_memory=ended.peak_memory if ended is not None else 0,
        )
        self._forget(unit)
