"""A lane: one job that claims mini-batches and keeps processes alive over many of them."""

import json
import math
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from windtunnel.definition import Fleet, fleet_of
from windtunnel.definition.threads import threads_of
from windtunnel.errors import LedgerError, StoreError, UnavailableError
from windtunnel.fleet.beginning import RUN, lanes_of
from windtunnel.fleet.entry import fetch_script
from windtunnel.fleet.monitor import fail
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.queue import Claimed, Queue
from windtunnel.fleet.records import FleetPlan, batch_name, read_plan
from windtunnel.host.machine import host, now
from windtunnel.ledger import Job, Ledger
from windtunnel.ledger.failures import LOG_TAIL, record_failure
from windtunnel.workload.source import fetch_source
from windtunnel_trainer import child, memory
from windtunnel_trainer.fleet.logs import LaneLog
from windtunnel_trainer.fleet.samples import Samples
from windtunnel_trainer.fleet.worker import READY, Worker
from windtunnel_trainer.logs import say
from windtunnel_trainer.supervisor import PREEMPTED, devices

_TICK = 0.2  # seconds between two looks at clocks, memory and the cancel file
_PAUSE = 5.0  # seconds until a store that failed for now is tried again
_INIT_TIME = 600.0  # seconds that a process may take to import the entry and to come through its init
_SHUTDOWN_TIME = 10.0  # seconds that a process may take for its shutdown
_DEATHS = 10  # times that a mini-batch may be begun and lost with its lane, beside its tries
_SHORT = 0.25  # seconds: of mini-batches that take less, the next is claimed before one ends
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(eq=False)
class _Process:
    """A worker's process, as the lane knows it."""

    pid: int
    slot: int
    line: socket.socket
    began: float
    ready: bool = False
    task: "_Task | None" = None
    done: int = 0
    condemned: tuple[str, str] | None = None
    kills_before: int = field(default_factory=memory.kernel_kills)


@dataclass
class _Task:
    """A mini-batch at work: how often it was begun, in all and by this lane."""

    claimed: Claimed
    tries: int = 0
    began: float = 0.0
    started: str = ""

    @property
    def attempt(self) -> int:
        return self.claimed.begun + self.tries


def run_lane(ledger: Ledger, job: Job, cancel_file: Path | None = None) -> int:
    """Do mini-batches until none can be claimed any more.

    Returns:
        The exit code: 0 when nothing is left for this lane, 143 when it was told to go, 1 when it cannot work.

    Raises:
        LedgerError: the run has no plan.
        WorkloadError: the entry's source cannot be had.
    """
    fleet, plan, partitions = fleet_of(ledger), read_plan(ledger), Partitions.read(ledger)
    if plan is None or partitions is None:
        raise LedgerError(f"{ledger.url} has no plan yet: its lanes were launched too early")
    return Lane(ledger, fleet, plan, partitions, job, cancel_file).run()


class Lane:
    """Claims, hands out, watches over and retries; free of threads, so that it can fork at any moment."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        plan: FleetPlan,
        partitions: Partitions,
        job: Job,
        cancel_file: Path | None = None,
    ) -> None:
        """Nothing is claimed or started yet.

        Args:
            ledger: of the run.
            fleet: its definition.
            plan: what it does.
            partitions: of its data.
            job: this lane.
            cancel_file: the lane ends as soon as this file is there.
        """
        self._ledger, self._fleet, self._plan, self._partitions = ledger, fleet, plan, partitions
        self._job, self._cancel_file = job, cancel_file
        self._launch = len(ledger.launches(job.job)) or 1
        self._queue = Queue(ledger, plan, job, lanes_of(fleet, plan), self._launch)
        self._due: deque[_Task] = deque()
        self._processes: list[_Process] = []
        self._empty = False
        self._init_failures = 0
        self._mean = math.inf  # seconds of a mini-batch, lately
        self._told_to_go = False
        self._not_before = 0.0
        self._devices = devices()

    def run(self) -> int:
        """Work until nothing can be claimed; returns the exit code."""
        self._folder = Path(tempfile.mkdtemp(prefix="windtunnel-lane-"))
        self._log = LaneLog(self._ledger, self._job.job, self._launch, self._folder)
        self._samples = Samples(self._ledger, self._job.job, self._launch, self._fleet.resource_monitor_interval)
        self._lifeline = child.Lifeline()
        child.adopt()
        self._strangers = child.children()
        try:
            self._load()
            with self._wake_up() as wake:
                return self._work(wake)
        finally:
            for process in self._processes:
                child.kill(process.pid, signal.SIGKILL)
            child.end_orphans(self._strangers)
            self._log.sync(at_once=True)
            self._samples.write()
            self._lifeline.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _load(self) -> None:
        """Have the entry's source, and the libraries' threads, before any process needs them."""
        fleet = self._fleet
        threads = str(threads_of(fleet))
        os.environ |= dict.fromkeys(_THREADS, threads) | fleet.environment_variables
        if fleet.entry_script is not None:
            self._script: Path | None = fetch_script(self._ledger, fleet)
        else:
            self._script = None
            fetch_source(self._ledger)

    def _work(self, wake: int) -> int:
        while True:
            if self._told_to_go or (self._cancel_file is not None and self._cancel_file.exists()):
                say("told to go")
                return PREEMPTED
            self._spare(self._fill)
            if not self._due and self._empty and not any(process.task for process in self._processes):
                break
            lines: list[Any] = [process.line for process in self._processes]
            ready = select.select([wake, *lines], [], [], _TICK)[0]
            if wake in ready:
                os.read(wake, 512)
            for process in [process for process in self._processes if process.line in ready]:
                self._hear(process)
            self._condemn()
            self._reap()
            self._log.sync()
            self._samples.take([(process.slot, process.pid) for process in self._processes])
            if self._init_failures > self._fleet.retry_settings.max_retries:
                return 1
        self._dismiss()
        say("nothing is left to claim")
        return 0

    def _spare(self, work: Callable[[], None]) -> None:
        """Do something with the store; where it does not answer for now, later."""
        if time.monotonic() < self._not_before:
            return
        try:
            work()
        except UnavailableError as error:
            say(f"waiting: {error}")
            self._not_before = time.monotonic() + _PAUSE

    # What is to be done

    def _fill(self) -> None:
        """Give every process that is free a mini-batch, and every slot a process while there is work."""
        idle = [process for process in self._processes if process.ready and process.task is None]
        slots = self._job.slots - len(self._processes)
        ahead = self._job.slots if self._mean < _SHORT else 0
        starting = sum(not process.ready for process in self._processes)
        while not self._empty and len(self._due) < len(idle) + starting + slots + ahead:
            claimed = self._queue.next()
            if claimed is None:
                self._empty = True
            elif claimed.begun > self._most + _DEATHS:
                self._fail(
                    _Task(claimed), "crashed", f"its lane died each time it ran: it was begun {claimed.begun} times"
                )
            else:
                self._due.append(_Task(claimed))
            for process in idle:
                if process.task is None and self._due:
                    self._begin(process, self._due.popleft())
        for process in idle:
            if process.task is None and self._due:
                self._begin(process, self._due.popleft())
        for slot in sorted(set(range(self._job.slots)) - {process.slot for process in self._processes}):
            if len(self._due) > sum(not process.ready for process in self._processes):
                self._start(slot)

    @property
    def _most(self) -> int:
        return 1 + self._fleet.retry_settings.max_retries

    def _begin(self, process: _Process, task: _Task) -> None:
        task.tries += 1
        if task.attempt > 1:
            self._ledger.begin_attempt(
                batch_name(task.claimed.number), self._job.job, host(), now(), after=task.attempt - 2
            )
        task.began, task.started = time.monotonic(), now()
        process.task = task
        number = task.claimed.number
        places = list(self._plan.batches[number])
        asked = {"number": number, "places": places, "attempt": task.attempt, "last": task.tries >= self._most}
        with suppress(OSError):  # it has died, which is seen elsewhere
            process.line.sendall(json.dumps(asked).encode() + b"\n")

    def _start(self, slot: int) -> None:
        here, there = socket.socketpair()
        name = f"{self._job.job}-{slot}"
        folder = self._folder / f"slot-{slot}"
        environment = {"CUDA_VISIBLE_DEVICES": self._devices_of(slot)} if self._devices else {}
        url, spec, script = self._ledger.url, self._ledger.spec, self._script
        fleet, partitions = self._fleet, self._partitions
        facts = {"lane": self._job.job, "slot": slot}

        def work() -> None:
            here.close()
            ledger = Ledger.open(url).with_spec(spec)
            ledger.store.on_wait = say
            worker = Worker(ledger, fleet, partitions, folder, facts)
            worker.load(script)
            worker.serve(there)

        pid = child.start(work, self._log.file(name), self._lifeline, environment)
        there.close()
        self._processes.append(_Process(pid, slot, here, time.monotonic()))
        self._log.say(name, f"process {pid} starts")

    def _devices_of(self, slot: int) -> str:
        """The GPUs of a slot: those of all lanes on one host are shared out in turn."""
        each = max(1, (self._fleet.resources.gpus or self._job.slots) // self._job.slots)
        first = (self._job.lane * self._job.slots + slot) * each
        places = (place % len(self._devices) for place in range(first, first + each))
        return ",".join(dict.fromkeys(self._devices[place] for place in places))

    # What comes of it

    def _hear(self, process: _Process) -> None:
        """Take what a process says: that it is ready, or how a try ended."""
        try:
            content = process.line.recv(65536)
            while content and not content.endswith(b"\n"):
                content += process.line.recv(65536)
        except OSError:
            return
        for line in content.splitlines():
            said = json.loads(line)
            if said["state"] == READY:
                process.ready = True
                self._init_failures = 0
            elif process.task is not None:
                task, process.task = process.task, None
                process.done += 1
                self._settle(task, said["kind"], said["message"])
        if self._fleet.workload is not None and not self._fleet.reuse and process.done:
            self._let_go(process)

    def _settle(self, task: _Task, kind: str, message: str) -> None:
        """A try has ended, in a process that lives on; where it was the last, its process has recorded it."""
        seconds = time.monotonic() - task.began
        self._mean = seconds if math.isinf(self._mean) else 0.8 * self._mean + 0.2 * seconds
        if not kind:
            return
        name = batch_name(task.claimed.number)
        say(f"{name}: try {task.tries} failed, {kind}: {message}")
        if task.tries < self._most:
            self._due.append(task)

    def _condemn(self) -> None:
        """Kill processes that take too long or too much memory; they are settled once they have ended."""
        moment, limit = time.monotonic(), self._fleet.retry_settings.timeout
        for process in self._processes:
            if process.condemned is not None:
                continue
            if process.task is not None and moment - process.task.began > limit:
                process.condemned = "timeout", f"retry_settings.timeout, {limit:g} s, ended it"
            elif not process.ready and moment - process.began > _INIT_TIME:
                process.condemned = "timeout", f"its process was not ready after {_INIT_TIME:g} s"
            elif (most := self._fleet.limits.memory) and (used := memory.beyond(process.pid, most)):
                process.condemned = "out_of_memory", f"limits.memory, {most:,} bytes, ended it: it used {used:,}"
            if process.condemned is not None:
                child.kill(process.pid, signal.SIGKILL)

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
            self._log.say(f"{self._job.job}-{process.slot}", f"process {process.pid} ended, {_how(code)}")
            if not process.ready:
                self._init_failed(process, code)
            elif process.task is not None:
                self._spare(partial(self._lost, process, process.task, code))

    def _lost(self, process: _Process, task: _Task, code: int) -> None:
        """A process has ended in the midst of a mini-batch."""
        kind, message = process.condemned or _why(code, process)
        say(f"{batch_name(task.claimed.number)}: try {task.tries}: {kind}: {message}")
        if task.tries < self._most:
            self._due.append(task)
        else:
            self._fail(task, kind, message, process)

    def _fail(self, task: _Task, kind: str, message: str, process: _Process | None = None) -> None:
        number = task.claimed.number
        facts: dict[str, str | int | float] = {"attempts": task.attempt, "lane": self._job.job, "host": host()}
        if process is not None:
            log = self._log.tail(f"{self._job.job}-{process.slot}", LOG_TAIL)
            seconds = round(time.monotonic() - task.began, 6)
            facts |= {"slot": process.slot, "process": process.pid, "started": task.started, "seconds": seconds}
            facts |= {"log_tail": log}
        fail(self._ledger, number, self._plan.batches[number], kind, message, **facts)

    def _init_failed(self, process: _Process, code: int) -> None:
        """The entry cannot be imported, or its init fails: after some tries, the run has failed."""
        self._init_failures += 1
        if self._init_failures <= self._fleet.retry_settings.max_retries:
            return
        kind, message = process.condemned or ("error", f"its process ended, {_how(code)}")
        log = self._log.tail(f"{self._job.job}-{process.slot}", LOG_TAIL)
        cause = log.strip().rpartition("\n")[2]
        message = f"no process of lane {self._job.job} came through its import and init: {cause or message}"
        with suppress(StoreError):
            record_failure(self._ledger, RUN, kind, message, log_tail=log)

    # Coming and going

    def _let_go(self, process: _Process) -> None:
        """Ask a process for nothing more: it shuts down and ends."""
        with suppress(OSError):
            process.line.shutdown(socket.SHUT_WR)

    def _dismiss(self) -> None:
        for process in self._processes:
            self._let_go(process)
        end = time.monotonic() + _SHUTDOWN_TIME
        while self._processes and time.monotonic() < end:
            self._reap()
            time.sleep(0.005)

    @contextmanager
    def _wake_up(self) -> Iterator[int]:
        """A descriptor that can be read as soon as a process has ended or the lane is told to go."""
        read, write = os.pipe()
        os.set_blocking(write, False)

        def note(number: int, frame: object) -> None:
            self._told_to_go |= number != signal.SIGCHLD

        numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
        before = [signal.signal(number, note) for number in numbers]
        wake_before = signal.set_wakeup_fd(write)
        try:
            yield read
        finally:
            signal.set_wakeup_fd(wake_before)
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
            os.close(read)
            os.close(write)


def _why(code: int, process: _Process) -> tuple[str, str]:
    if code == -signal.SIGKILL and memory.kernel_kills() > process.kills_before:
        return "out_of_memory", "the kernel killed its process: the memory was used up"
    return "killed" if code < 0 else "error", f"its process ended in the midst of it, {_how(code)}"


def _how(code: int) -> str:
    if code >= 0:
        return "as it should" if code == child.DONE else f"with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
