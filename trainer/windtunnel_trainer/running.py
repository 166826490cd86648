"""A unit in a process of its own, as the supervisor sees it: what it uses, and when that is too much."""

import math
import signal
import time
from dataclasses import dataclass, field

from windtunnel.definition.model import Limits
from windtunnel.ledger import Attempt
from windtunnel.ledger.failures import LOG_TAIL
from windtunnel_trainer import causes, child, memory
from windtunnel_trainer.logs import UnitLog
from windtunnel_trainer.waits import Waits

_MEASURE = 1.0  # seconds between two looks at memory where no limit is set


@dataclass(eq=False)
class Running:
    """A unit whose process is at work, or has just ended.

    Attributes:
        unit: its id.
        slot: its place in the job.
        pid: of its process.
        attempt: this start of it.
        log: that the process writes.
        waits: whether it waits for the store; such a time does not count.
        began: when, by this process's clock; later, by as long as it waited for the store.
        measured: when its memory was last measured.
        peak_memory: the most that it had so far, in bytes.
        kills_before: how many processes the kernel had killed for their memory when it began.
        longest: seconds that it may take; None where there is no limit.
        condemned: kind and message, where the supervisor killed it.
        failure: kind and message of a unit that has failed: this process only keeps its files.
    """

    unit: str
    slot: int
    pid: int
    attempt: Attempt
    log: UnitLog
    waits: Waits
    began: float = field(default_factory=time.monotonic)
    measured: float = -math.inf
    peak_memory: int = 0
    kills_before: int = field(default_factory=memory.kernel_kills)
    longest: float | None = None
    condemned: tuple[str, str] | None = None
    failure: tuple[str, str] | None = None

    @property
    def last_line(self) -> str:
        """Of its log."""
        return self.log.tail(LOG_TAIL).strip().rpartition("\n")[2]

    def measure(self) -> None:
        """Leave the most memory that it has had so far where its process finds it for the result."""
        moment = time.monotonic()
        if moment - self.measured < _MEASURE:
            return
        self.measured = moment
        peak = memory.peak_of(self.pid)
        if peak > self.peak_memory:
            self.peak_memory = peak
            memory.write_peak(self.log.file, peak)

    def keep_to(self, limits: Limits, elapsed: float, *, job_over: bool) -> None:
        """Kill it if it exceeds a limit; it is settled once it has ended.

        Args:
            limits: of the search.
            elapsed: seconds since the last look.
            job_over: whether its job has used up its time.
        """
        if self.condemned is not None:
            return
        if self.waits:
            self.began += elapsed
        if job_over:
            self.condemned = causes.job_too_long(limits)
        elif self.longest is not None and time.monotonic() - self.began > self.longest:
            self.condemned = causes.trial_too_long(limits, self.longest)
        elif limits.memory is not None and (used := memory.beyond(self.pid, limits.memory)):
            self.condemned = causes.too_big(limits.memory, used)
            self.peak_memory = max(self.peak_memory, used)
        if self.condemned is not None:
            child.kill(self.pid, signal.SIGKILL)
