"""Runs a job's units, each in a process of its own, and records what such a process cannot: that it was killed."""

import math
import os
import select
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

from windtunnel.definition.model import Limits
from windtunnel.errors import StoreError, UnavailableError
from windtunnel.host.machine import host, now
from windtunnel.host.private import private_folder
from windtunnel.ledger import Attempt, Job, Ledger
from windtunnel.ledger.failures import LOG_TAIL, record_failure
from windtunnel_trainer import child, memory, shared_memory
from windtunnel_trainer.logs import UnitLog, say

RunUnit = Callable[[Ledger, Job, str, Attempt, Path], None]

PREEMPTED = 128 + signal.SIGTERM  # exit code of a job that was told to go
_TICK = 0.2  # seconds between two looks at clocks, memory and the cancel file
_MEASURE = 1.0  # seconds between two looks at memory where no limit is set
_PAUSE = 5.0  # seconds until a store that failed for now is tried again
_GRACE = 10.0  # seconds that a unit gets to save its state and end when its job is told to go
_DEV = Path("/dev")
_HANDOVER = 30.0  # seconds that Kubernetes lets a pod take to leave, in which it may give its start back


@dataclass(eq=False)
class _Running:
    unit: str
    slot: int
    pid: int
    attempt: Attempt
    log: UnitLog
    began: float = field(default_factory=time.monotonic)
    measured: float = -math.inf  # when its memory was last measured
    peak_memory: int = 0
    kills_before: int = field(default_factory=memory.kernel_kills)
    condemned: tuple[str, str] | None = None  # kind and message, where the supervisor killed it


class Supervisor:
    """Runs the units in order, up to `job.slots` at once, and keeps them to their limits.

    It stays free of threads and computes nothing, so that it can fork at any moment and survives what its units do.
    """

    def __init__(
        self,
        ledger: Ledger,
        job: Job,
        limits: Limits,
        run_unit: RunUnit,
        cancel_file: Path | None = None,
        gpus: int = 1,
        trial_time: float | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            ledger: of the run.
            job: to run.
            limits: of the search.
            run_unit: runs one unit in a child and records its result.
            cancel_file: the job ends as soon as this file is there.
            gpus: that a unit gets, where there are any.
            trial_time: the seconds that a unit may take; by default those of the limits.
        """
        self._ledger = ledger
        self._job = job
        self._limits = limits
        self._run_unit = run_unit
        self._cancel_file = cancel_file
        self._most_starts = 1 + limits.trial_retries
        self._deadline = time.monotonic() + limits.job_time if limits.job_time else None
        self._trial_time = limits.trial_time if trial_time is None else trial_time
        self._waiting: deque[str] = deque()
        self._running: list[_Running] = []
        self._logs: dict[str, UnitLog] = {}
        self._gpus = gpus
        self._devices = devices()
        self._told_to_go = False
        self._left: set[str] = set()
        self._postponed: list[tuple[str, Callable[[], None]]] = []
        self._next_try = 0.0
        self._folder = _log_folder(ledger, job)

    def run(self, units: list[str]) -> int:
        """Run the units until each has a result; returns the job's exit code: 1 where the store refused some."""
        self._waiting.extend(units)
        self._lifeline = child.Lifeline()
        child.adopt()
        self._not_units = child.children()  # what importing the workload has started
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._wake_up() as wake:
            try:
                while self._waiting or self._running or self._postponed:
                    if self._told_to_go or (self._cancel_file is not None and self._cancel_file.exists()):
                        return self._go()
                    self._fill_slots()
                    if select.select([wake], [], [], _TICK)[0]:
                        os.read(wake, 512)
                    self._measure()
                    self._condemn()
                    for ended, code in self._reap():
                        self._spare(ended.unit, partial(self._settle, ended, code))
                    self._try_postponed()
                    for running in self._running:
                        running.log.sync()
            finally:
                for running in self._running:
                    child.kill(running.pid, signal.SIGKILL)
                child.end_orphans(self._not_units)
                self._lifeline.close()
                shutil.rmtree(self._folder, ignore_errors=True)
        say(f"done but for {', '.join(sorted(self._left))}" if self._left else "done")
        return 1 if self._left else 0

    def _spare(self, unit: str, work: Callable[[], None]) -> None:
        """Do something for a unit; whatever the store refuses of it, others go on.

        What the store cannot do for now, as a full disk cannot, is done again until it can, and nothing new is begun
        meanwhile; for the rest the unit is left to the job's next start.
        """
        try:
            work()
        except UnavailableError as error:
            if not self._postponed:
                say(f"{unit}: waiting: {error}")
            self._postponed.append((unit, work))
            self._next_try = time.monotonic() + _PAUSE
        except StoreError as error:
            say(f"{unit}: {error}; it is left to the job's next start")
            self._left.add(unit)

    def _try_postponed(self) -> None:
        if not self._postponed or time.monotonic() < self._next_try:
            return
        postponed, self._postponed = self._postponed, []
        (unit, first), *others = postponed
        try:
            first()
        except UnavailableError:  # told before
            self._postponed = postponed
            self._next_try = time.monotonic() + _PAUSE
            return
        except StoreError as error:
            say(f"{unit}: {error}; it is left to the job's next start")
            self._left.add(unit)
        say("the store answers again")
        for unit, work in others:
            self._spare(unit, work)

    @contextmanager
    def _wake_up(self) -> Iterator[int]:
        """A descriptor that can be read as soon as a child has ended or the job is told to go."""
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

    def _fill_slots(self) -> None:
        while self._waiting and len(self._running) < self._job.slots and not self._told_to_go:
            if self._postponed:
                return
            unit = self._waiting.popleft()
            self._spare(unit, partial(self._begin, unit))

    def _begin(self, unit: str) -> None:
        first = self._ledger.begin_first_attempt(unit, self._job.job, host(), now())
        if first is not None:
            self._start(unit, first)
            return
        attempts = self._ledger.attempts(unit)
        if self._used_up(attempts) and attempts[-1].host != host():
            attempts = self._handed_over(unit)
        if self._told_to_go:
            self._waiting.appendleft(unit)  # so that the job does not end as if all were done
        elif self._used_up(attempts):
            self._fail(unit, *self._why_crashed(attempts[-1], _counted(attempts)), attempt=attempts[-1])
        else:
            self._start(unit, self._ledger.begin_attempt(unit, self._job.job, host(), now(), len(attempts)))

    def _used_up(self, attempts: list[Attempt]) -> bool:
        return _counted(attempts) >= self._most_starts

    def _handed_over(self, unit: str) -> list[Attempt]:
        """The unit's starts, once its last one is given back; a cluster may replace a pod that is still preemption."""
        end = time.monotonic() + _HANDOVER
        while self._used_up(attempts := self._ledger.attempts(unit)) and time.monotonic() < end:
            if self._told_to_go or attempts[-1].kind:
                break
            time.sleep(_TICK)
        return attempts

    def _start(self, unit: str, attempt: Attempt) -> None:
        slot = min(set(range(self._job.slots)) - {running.slot for running in self._running})
        log = self._logs.setdefault(unit, UnitLog(self._ledger, unit, self._folder))
        log.begin(attempt)
        memory.write_peak(log.file, 0)
        environment = {"CUDA_VISIBLE_DEVICES": self._share_of(slot)} if self._devices else {}
        url, spec = self._ledger.url, self._ledger.spec

        def run() -> None:
            ledger = Ledger.open(url)  # the child has connections of its own
            ledger.store.on_wait = say
            self._run_unit(ledger.with_spec(spec), self._job, unit, attempt, log.file)

        pid = child.start(
            run,
            log.file,
            self._lifeline,
            environment,
        )
        self._running.append(_Running(unit, slot, pid, attempt, log))
        say(f"{unit}: start {attempt.number}, process {pid}")

    def _share_of(self, slot: int) -> str:
        first = (self._job.lane * self._job.slots + slot) * self._gpus
        places = (place % len(self._devices) for place in range(first, first + self._gpus))
        return ",".join(dict.fromkeys(self._devices[place] for place in places))

    def _measure(self) -> None:
        """Leave the most memory that each unit has had so far where its process finds it for the result."""
        moment = time.monotonic()
        for running in self._running:
            if moment - running.measured < _MEASURE:
                continue
            running.measured = moment
            peak = memory.peak_of(running.pid)
            if peak > running.peak_memory:
                running.peak_memory = peak
                memory.write_peak(running.log.file, peak)

    def _condemn(self) -> None:
        """Kill the units that exceed a limit; they are settled once they have ended."""
        moment = time.monotonic()
        over = self._deadline is not None and moment > self._deadline
        if over:
            while self._waiting:
                unit = self._waiting.popleft()
                self._spare(unit, partial(self._fail, unit, "timeout", self._job_time_message()))
        for running in self._running:
            if running.condemned is not None:
                continue
            if over:
                running.condemned = "timeout", self._job_time_message()
            elif self._trial_time is not None and moment - running.began > self._trial_time:
                running.condemned = "timeout", self._trial_time_message()
            elif (limit := self._limits.memory) is not None and (used := memory.beyond(running.pid, limit)):
                message = f"limits.memory, {limit:,} bytes, ended it: it used {used:,}"
                running.condemned = "out_of_memory", message
                running.peak_memory = max(running.peak_memory, used)
            if running.condemned is not None:
                child.kill(running.pid, signal.SIGKILL)

    def _reap(self) -> list[tuple[_Running, int]]:
        ended = [(running, code) for running in self._running if (code := child.reap(running.pid)) is not None]
        for running, _ in ended:
            self._running.remove(running)
        if ended:
            child.end_orphans(self._not_units | {running.pid for running in self._running})
        return ended

    def _settle(self, ended: _Running, code: int) -> None:
        """See that a unit whose process has ended has a result, or is started again."""
        ended.log.sync(at_once=True)
        unit = ended.unit
        if child.is_done(code, ended.log.file) or self._ledger.result(unit) is not None:
            say(f"{unit}: has its result")
        elif ended.condemned is not None:
            self._fail(unit, *ended.condemned, ended)
        elif code == child.NO_STORE:
            self._try_again(ended)
        elif code >= 0:
            self._fail(unit, "error", f"its process ended without a result, with exit code {code}", ended)
        elif (starts := self._starts(unit)) >= self._most_starts:
            self._fail(unit, *_why_killed(-code, ended.kills_before, starts), ended)
        else:
            say(f"{unit}: killed by {_signal_name(-code)}, is started again")
            self._waiting.appendleft(unit)

    def _try_again(self, ended: _Running) -> None:
        """Start a unit again that could not read or write its files, unless it has had its starts."""
        cause = ended.log.tail(LOG_TAIL).strip().rpartition("\n")[2]
        if (starts := self._starts(ended.unit)) >= self._most_starts:
            self._fail(ended.unit, "storage", f"{cause}; starts: {starts}", ended)
        else:
            say(f"{ended.unit}: {cause}; is started again")
            self._waiting.appendleft(ended.unit)

    def _go(self) -> int:
        """End all children and give their starts back, for the job is to leave."""
        say("told to go")
        for running in self._running:
            child.kill(running.pid, signal.SIGTERM)
        end = time.monotonic() + _GRACE
        left: list[_Running] = list(self._running)
        while self._running:
            if time.monotonic() > end:
                for running in self._running:
                    child.kill(running.pid, signal.SIGKILL)
            self._reap()
            time.sleep(0.01)
        for running in left:
            self._spare(running.unit, partial(self._give_back, running))
        return PREEMPTED

    def _give_back(self, running: _Running) -> None:
        if self._ledger.result(running.unit) is None:
            self._ledger.mark_preempted(running.unit, running.attempt)
        running.log.sync(at_once=True)

    def _why_crashed(self, last: Attempt, starts: int) -> tuple[str, str]:
        """Kind and message for a unit whose job has died with it once too often."""
        if last.kind:
            return last.kind, f"{last.message}; starts: {starts}"
        retries = self._limits.trial_retries
        return "crashed", f"its job died each time it ran: {starts} starts, limits.trial_retries {retries}"

    def _starts(self, unit: str) -> int:
        return _counted(self._ledger.attempts(unit))

    def _fail(
        self, unit: str, kind: str, message: str, ended: _Running | None = None, attempt: Attempt | None = None
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

    def _job_time_message(self) -> str:
        return f"limits.job_time, {self._limits.job_time:g} s, ended it: its job took longer"

    def _trial_time_message(self) -> str:
        limit = self._limits.trial_time
        longer = f", which is {self._trial_time:g} s for its epochs," if self._trial_time != limit else ","
        return f"limits.trial_time, {limit:g} s{longer} ended it"


def _log_folder(ledger: Ledger, job: Job) -> Path:
    """Where the job's units write their logs: if it is killed, its next start on this host finds them there.

    Pods may share a host's folder, and one may still leave, and clear up, while its replacement begins.
    """
    name = sha256(f"{host()} {ledger.url} {job.job}".encode()).hexdigest()[:16]
    return private_folder() / name


def _counted(attempts: list[Attempt]) -> int:
    """How many of the starts are held against the unit."""
    return sum(not attempt.preempted for attempt in attempts)


def _why_killed(number: int, kills_before: int, starts: int) -> tuple[str, str]:
    """Kind and message for a unit that some signal has ended once too often."""
    if number == signal.SIGKILL and memory.kernel_kills() > kills_before:
        return "out_of_memory", f"the kernel killed its process: the memory was used up; starts: {starts}"
    why = f": {shared_memory.ADVICE}" if number == signal.SIGBUS else ""
    return "killed", f"its process was killed by {_signal_name(number)}{why}; starts: {starts}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def devices() -> list[str]:
    """The GPUs to share out: those that this process may see."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [device for device in given.split(",") if device]
    devices_here = [str(index) for index, _ in enumerate(_DEV.glob("nvidia[0-9]*"))]
    return devices_here or (_devices_of_windows() if (_DEV / "dxg").exists() else [])


def _devices_of_windows() -> list[str]:
    """Those of WSL2, which shows one device whatever their number; only Nvidia's own program can count them."""
    program = shutil.which("nvidia-smi") or "/usr/lib/wsl/lib/nvidia-smi"
    try:
        listed = subprocess.run(
            [program, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()
