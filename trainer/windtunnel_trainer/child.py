"""A process of its own for one unit, forked from a parent that has imported everything."""

import atexit
import ctypes
import faulthandler
import gc
import io
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from windtunnel.errors import StoreError
from windtunnel_trainer import preemption
from windtunnel_trainer.processes import children

DONE = 100  # exit code of work that was done
NO_STORE = 75  # of work that could not use the store; EX_TEMPFAIL of sysexits.h

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CUDA_NOT_INITIALIZED = 3  # what the driver answers in the child of a process that has initialised it
_FORK_TIME = 10.0  # seconds for a child that does nothing to end
_EXIT_TIME = 10.0  # seconds that what a workload has registered for its exit may take
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


_lock: int | None = None
_shared = False


def hold_lock(lock: int) -> None:
    """Let the units of this job, and nothing that they leave behind, hold the lock that shows that the job lives."""
    global _lock
    os.set_inheritable(lock, False)  # a program that a workload executes may outlive the job
    _lock = lock


def share_lock(shared: bool) -> None:
    """Whether processes that this one forks from now on hold the job's lock: those that train a trial together."""
    global _shared
    _shared = shared


class Lifeline:
    """A pipe that tells children when their parent is gone: its writing end is closed then."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def hold(self) -> None:
        """In a child: die with the parent, and take along whatever was started."""
        os.close(self._write)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def close(self) -> None:
        """In the parent: give up the pipe once there are no more children."""
        os.close(self._read)
        os.close(self._write)

    def _watch(self) -> None:
        os.read(self._read, 1)
        os.killpg(0, signal.SIGKILL)


def can_fork() -> bool:
    """Whether children of this process can compute: it has no threads, whose locks nobody frees there, and no CUDA."""
    cuda = sys.modules.get("torch.cuda")
    if threading.active_count() > 1 or (cuda is not None and cuda.is_initialized()):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is what is tried
        pid = os.fork()
    if pid == 0:
        os._exit(_lost_cuda())
    end = time.monotonic() + _FORK_TIME
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return False
        time.sleep(0.001)
    # The fork has ended the threads of libraries that prepare for it, such as OpenBLAS.
    return ended[1] == 0 and psutil.Process().num_threads() == 1


def _lost_cuda() -> bool:
    """In a child: whether its parent has used CUDA, if only to count devices, so that the child cannot."""
    torch = sys.modules.get("torch._C")
    if torch is not None and getattr(torch, "_cuda_isInBadFork", bool)():
        return True
    try:
        driver = ctypes.CDLL("libcuda.so.1", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except (OSError, AttributeError):  # not loaded, or no Linux
        return False
    return int(driver.cuInit(0)) == _CUDA_NOT_INITIALIZED


def start(work: Callable[[], None], log: Path, lifeline: Lifeline, environment: Mapping[str, str]) -> int:
    """Fork a process that does the work and ends; the caller must have no other threads.

    The process leads a group of its own, so that it can be ended together with whatever it starts.

    Args:
        work: what to do.
        log: file that its output is appended to.
        lifeline: of the parent.
        environment: variables to set in it.

    Returns:
        Its process id; its exit code is `DONE` unless `work` raises: `NO_STORE` where the store failed, else 1.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a full disk
            stream.flush()
    _done(log).unlink(missing_ok=True)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _settle_in(parent, log, lifeline, environment)
            work()
            code = DONE
            with suppress(OSError):  # a full disk
                _done(log).touch()
        except StoreError as error:
            code = NO_STORE
            print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201  (the last line of its log)
        except BaseException:
            traceback.print_exc()
        finally:
            _end(code)
    _lead_group(pid)  # both do it, so that it is done whoever comes first
    return pid


def is_done(code: int, log: Path) -> bool:
    """Whether a process that ended with this code came to the end of its work: a workload may use any code itself."""
    return code == DONE and _done(log).exists()


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child's whole group; one that is gone is fine."""
    with suppress(ProcessLookupError, PermissionError):  # macOS forbids to signal a group of the dead
        os.killpg(pid, number)


def reap(pid: int) -> int | None:
    """Whether the child has ended: its exit code, or minus the signal that killed it; what it left behind is killed."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    kill(pid, signal.SIGKILL)  # before its id can be used again
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def adopt() -> bool:
    """Become the parent of what descendants leave behind, daemons among it; False where the kernel refuses that.

    Only Linux knows it.
    """
    return _LIBC is None or _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def end_orphans(others: Collection[int]) -> None:
    """Kill all children but these, and what they leave: processes that units have left behind."""
    while orphans := children(os.getpid()).difference(others):
        for pid in orphans:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)


def alone(function: Callable[..., object], *given: object) -> object:
    """What a workload's function returns; a process that it has forked, and that comes back from it too, ends here."""
    process = os.getpid()
    code, returned = 1, None
    try:
        returned = function(*given)
        code = 0
    except BaseException:
        if os.getpid() == process:
            raise
        traceback.print_exc()
    if os.getpid() != process:
        _flush()
        os._exit(code)
    return returned


def _settle_in(parent: int, log: Path, lifeline: Lifeline, environment: Mapping[str, str]) -> None:
    _lead_group(0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _redirect(os.devnull, os.O_RDONLY, 0)
    _redirect(str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1, 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    atexit._clear()  # those are the parent's
    os.register_at_fork(after_in_child=_leave_lock)
    faulthandler.enable()
    os.environ |= environment
    preemption.allow()
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could be asked for
            os._exit(1)
        _go_first()
    adopt()  # so that what this unit leaves is not taken for another's
    lifeline.hold()


def _go_first() -> None:
    """Where the host runs out of memory, the trial is to go rather than the job."""
    score = Path("/proc/self/oom_score_adj")
    with suppress(OSError):  # pods may have more already, and may not go below it
        score.write_text(str(max(500, int(score.read_text()))))


def _redirect(path: str, flags: int, *descriptors: int) -> None:
    opened = os.open(path, flags, 0o666)
    for descriptor in descriptors:
        os.dup2(opened, descriptor)
    os.close(opened)


def _lead_group(pid: int) -> None:
    with suppress(OSError):  # it has ended, or has done so itself
        os.setpgid(pid, 0)


def _done(log: Path) -> Path:
    return log.with_suffix(".done")


def _leave_lock() -> None:
    global _lock
    if _lock is not None and not _shared:
        os.close(_lock)
        _lock = None


def _end(code: int) -> None:
    """Leave as Python does, within some time; what the parent would clean up at its exit is the parent's."""
    try:
        late = threading.Timer(_EXIT_TIME, os._exit, (code,))
        late.daemon = True
        late.start()
        for left in multiprocessing.active_children():
            left.kill()  # it would be waited for
        atexit._run_exitfuncs()
        for item in gc.get_objects():
            if issubclass(type(item), io.TextIOWrapper | io.BufferedWriter) and not item.closed:
                with suppress(OSError, ValueError):
                    item.flush()
        _flush()
    finally:
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or taken away
            stream.flush()
