"""A lane: one job that claims mini-batches and keeps processes alive over many of them."""

import math
import os
import shutil
import signal
import tempfile
import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path

from windtunnel.definition import Fleet
from windtunnel.errors import StoreError, UnavailableError
from windtunnel.fleet.beginning import lanes_of
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.queue import Queue
from windtunnel.fleet.records import FleetPlan, batch_name, has_ended
from windtunnel.host.machine import host, now
from windtunnel.ledger import Job, Ledger
from windtunnel_trainer import causes, child, memory
from windtunnel_trainer.deferred import DeferredWork
from windtunnel_trainer.fleet.contract import fetch_entry
from windtunnel_trainer.fleet.logs import LaneLog
from windtunnel_trainer.fleet.losses import how, record_hopeless, record_lost, why
from windtunnel_trainer.fleet.process import Process, Task, start
from windtunnel_trainer.fleet.samples import Samples
from windtunnel_trainer.fleet.worker import READY
from windtunnel_trainer.gpus import devices, visible_in
from windtunnel_trainer.logs import say
from windtunnel_trainer.processes import children
from windtunnel_trainer.wakeup import PREEMPTED, Wait, wake_up

_TICK = 0.2  # seconds between two looks at clocks, memory and the cancel file
_PAUSE = 5.0  # seconds until a store that gave no answer is asked for work again
_SHUTDOWN_TIME = 10.0  # seconds that a process may take for its shutdown
_DEATHS = 10  # times that a mini-batch may be lost with its lane, or a process be killed before its work, beside tries
_SHORT = 0.25  # seconds: of mini-batches that take less, the next is claimed before one ends


class Lane:
    """Claims, hands out, watches over and retries; free of threads, so that it can fork at any moment."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        plan: FleetPlan,
        partitions: Partitions,
        job: Job,
        launch: int,
        cancel_file: Path | None,
    ) -> None:
        """Nothing is claimed or started yet.

        Args:
            ledger: of the run.
            fleet: its definition.
            plan: what it does.
            partitions: of its data.
            job: this lane, with its slots.
            launch: number of its launch.
            cancel_file: the lane ends as soon as this file is there; None where none tells it so.
        """
        self._ledger, self._fleet, self._plan, self._partitions = ledger, fleet, plan, partitions
        self._job, self._cancel_file = job, cancel_file
        self._launch = launch
        self._queue = Queue(ledger, plan, job, lanes_of(fleet, plan), self._launch)
        self._most = 1 + fleet.retry_settings.max_retries
        self._reuse = fleet.reuse or fleet.entry_script is not None or fleet.script is not None
        self._due: deque[Task] = deque()
        self._processes: list[Process] = []
        self._work = DeferredWork()
        self._not_before = 0.0
        self._empty = False
        self._init_failures = 0
        self._hopeless = False
        self._mean = math.inf  # seconds of a mini-batch, lately
        self._told_to_go = False
        self._devices: list[str] = []
        self._script: Path | None = None

    def run(self) -> int:
        """Work until nothing can be claimed; returns the exit code."""
        self._folder = Path(tempfile.mkdtemp(prefix="windtunnel-lane-"))
        self._log = LaneLog(self._ledger, self._job.job, self._launch, self._folder)
        self._samples = Samples(self._ledger, self._fleet, self._job, self._launch)
        self._lifeline = child.Lifeline()
        child.adopt()
        self._strangers = children(os.getpid())
        try:
            self._script = fetch_entry(self._ledger, self._fleet)
            self._devices = devices()
            with wake_up(self._note_going) as wait:
                return self._loop(wait)
        finally:
            for process in self._processes:
                child.kill(process.pid, signal.SIGKILL)
            child.end_orphans(self._strangers)
            self._log.sync(at_once=True)
            self._samples.write()
            self._lifeline.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _note_going(self) -> None:
        self._told_to_go = True

    def _loop(self, wait: Wait) -> int:
        while not self._is_done():
            if self._told_to_go or (self._cancel_file is not None and self._cancel_file.exists()):
                say("told to go")
                return PREEMPTED
            self._claim()
            self._hand_out()
            heard = wait(_TICK, [process.line for process in self._processes])
            for process in [process for process in self._processes if process.line in heard]:
                self._hear(process)
            self._condemn()
            self._reap()
            self._work.try_again()
            self._log.sync()
            self._samples.take([(process.slot, process.pid) for process in self._processes])
            if self._hopeless:
                return 1
        self._dismiss()
        say(f"done but for {', '.join(sorted(self._work.left))}" if self._work.left else "nothing is left to claim")
        return 1 if self._work.left else 0

    def _is_done(self) -> bool:
        at_work = any(process.task is not None for process in self._processes)
        return self._empty and not self._due and not at_work and not self._work

    # What is to be done

    def _claim(self) -> None:
        """Claim as many mini-batches as there are processes without one; where they are short, so many more."""
        free = self._job.slots - sum(process.task is not None for process in self._processes)
        ahead = self._job.slots if self._mean < _SHORT else 0
        while not self._empty and not self._work and len(self._due) < free + ahead:
            if time.monotonic() < self._not_before:
                return
            try:
                claimed = self._queue.next()
            except UnavailableError as error:
                say(f"waiting: {error}")
                self._not_before = time.monotonic() + _PAUSE
                return
            if claimed is None:
                self._empty = True
                if self._queue.ended:
                    say(self._queue.ended)
                    self._due.clear()
            elif claimed.begun >= self._most + _DEATHS:
                message = f"its lane died each time it ran: it was begun {claimed.begun} times"
                self._work.do(batch_name(claimed.number), partial(self._fail, Task(claimed), "crashed", message))
            else:
                self._due.append(Task(claimed))
                self._hand_out()

    def _hand_out(self) -> None:
        """Give every process that is free a mini-batch, and start as many processes as there is work for."""
        for process in self._processes:
            if (
                self._due
                and not self._work
                and process.ready
                and process.task is None
                and not self._is_leaving(process)
            ):
                task = self._due.popleft()
                self._work.do(batch_name(task.claimed.number), partial(self._begin, process, task))
        starting = sum(not process.ready for process in self._processes)
        for slot in sorted(set(range(self._job.slots)) - {process.slot for process in self._processes}):
            if len(self._due) > starting:
                self._start(slot)
                starting += 1

    def _is_leaving(self, process: Process) -> bool:
        """Whether a process that is used for one mini-batch alone has done it."""
        return not self._reuse and process.done > 0

    def _begin(self, process: Process, task: Task) -> None:
        number = task.claimed.number
        if process not in self._processes:  # it ended while the store gave no answer
            self._due.appendleft(task)
            return
        if task.attempt and has_ended(self._ledger, batch_name(number)):
            return  # by a process that was lost just after, or by a lane that was taken for lost
        if task.attempt:  # the claim itself tells of the first
            self._ledger.begin_attempt(batch_name(number), self._job.job, host(), now(), after=task.attempt - 1)
        task.tries += 1
        task.began, task.started = time.monotonic(), now()
        process.task = task
        last = task.tries >= self._most
        places = list(self._plan.batches[number])
        process.ask({"number": number, "places": places, "attempt": task.attempt, "last": last})

    def _start(self, slot: int) -> None:
        name = f"{self._job.job}-{slot}"
        process = start(
            self._ledger,
            self._fleet,
            self._partitions,
            self._job,
            slot,
            self._script,
            self._folder / f"slot-{slot}",
            self._log.file(name),
            self._lifeline,
            visible_in(self._job, slot, self._fleet.resources.gpus, self._devices),
        )
        self._processes.append(process)
        self._log.say(name, f"process {process.pid} starts")

    # What comes of it

    def _hear(self, process: Process) -> None:
        """Take what a process says: that it is ready, or how a try ended, which it has recorded if it was the last."""
        for message in process.heard():
            if message["state"] == READY:
                self._init_failures = 0
            elif process.task is not None:
                task, process.task = process.task, None
                process.done += 1
                seconds = time.monotonic() - task.began
                self._mean = seconds if math.isinf(self._mean) else 0.8 * self._mean + 0.2 * seconds
                if message["kind"]:
                    self._try_again(task, message["kind"], message["message"])
        if self._is_leaving(process):
            process.let_go()

    def _try_again(self, task: Task, kind: str, message: str) -> bool:
        """Let a mini-batch be tried again, if it may; whether it is."""
        say(f"{batch_name(task.claimed.number)}: try {task.tries} of {self._most}: {kind}: {message}")
        if task.tries >= self._most:
            return False
        self._due.append(task)
        return True

    def _condemn(self) -> None:
        """Kill processes that take too long or too much memory; they are settled once they have ended."""
        moment, limit = time.monotonic(), self._fleet.retry_settings.timeout
        for process in self._processes:
            if process.condemned is not None or process.waits:
                continue
            if process.task is not None and moment - process.task.began > limit:
                process.kill("timeout", f"retry_settings.timeout, {limit:g} s, ended it")
            elif not process.ready and moment - process.began > (most := self._fleet.limits.init):
                process.kill("timeout", f"its process was not ready after limits.init, {most:g} s")
            elif (bound := self._fleet.limits.memory) and (used := memory.beyond(process.pid, bound)):
                process.kill(*causes.too_big(bound, used))

    def _reap(self) -> None:
        """See to processes that have ended: what they did is tried again, or has failed."""
        for process in list(self._processes):
            code = child.reap(process.pid)
            if code is None:
                continue
            self._hear(process)  # its last words
            self._processes.remove(process)
            process.line.close()
            child.end_orphans(self._strangers | {other.pid for other in self._processes})
            self._log.say(f"{self._job.job}-{process.slot}", f"process {process.pid} ended, {how(code)}")
            if not process.ready:
                self._init_failed(process, code)
            elif process.task is not None:
                kind, message = process.condemned or why(process, code)
                if not self._try_again(process.task, kind, message):
                    unit = batch_name(process.task.claimed.number)
                    self._work.do(unit, partial(self._fail, process.task, kind, message, process))

    def _fail(self, task: Task, kind: str, message: str, process: Process | None = None) -> None:
        record_lost(self._ledger, self._plan, self._job, self._log, task, kind, message, process)

    def _init_failed(self, process: Process, code: int) -> None:
        """The entry cannot be imported, or its init fails: after some tries, the run has failed."""
        self._init_failures += 1
        if self._init_failures < self._most + (_DEATHS if code == -signal.SIGKILL and not process.condemned else 0):
            return
        self._hopeless = True
        with suppress(StoreError):
            record_hopeless(self._ledger, self._fleet, self._job, self._log, process, code)

    def _dismiss(self) -> None:
        """Let all processes shut down, within some time."""
        for process in self._processes:
            process.let_go()
        end = time.monotonic() + _SHUTDOWN_TIME
        while self._processes and time.monotonic() < end:
            self._reap()
            time.sleep(0.005)
