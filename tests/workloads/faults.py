"""A workload without torch whose trials do what their parameter `do` says, and leave a trace of every start.

The folder `settings["trace"]` gets a file per trial with one line per start: the process id.
Trials that `wait` do so until that folder has the file `RELEASED`.
"""

import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TORCH = False
RELEASED = ".released"
open_files = []


def prepare(data):
    data.save("train", x=[1.0, 2.0])


def train(trial):
    starts = note_start(trial)
    do, _, argument = trial.params["do"].partition(" ")
    print(f"start {starts}: {trial.params['do']}")
    score = _wait(trial) if do == "wait" else _DO[do](argument, starts)
    trial.report(score=1.0 if score is None else score)


def verify(model):
    model.metrics["test_acc"] = 1.0


def starts(folder: Path) -> dict[str, list[int]]:
    """By what the trials do, the processes that did it."""
    files = (file for file in sorted(folder.iterdir()) if file.name != RELEASED)
    return {file.name.replace("_", " "): [int(pid) for pid in file.read_text().split()] for file in files}


def note_start(trial) -> int:
    """Add this process to the trial's trace; how many there are now."""
    file = Path(trial.settings["trace"]) / trial.params["do"].replace(" ", "_")
    with file.open("a") as trace:
        trace.write(f"{os.getpid()}\n")
    return len(file.read_text().split())


def _wait(trial):
    """Until the test lets the trial go on; a test that ended without it leaves nothing behind for ever."""
    end = time.monotonic() + 1800
    while not (Path(trial.settings["trace"]) / RELEASED).exists():
        assert time.monotonic() < end, "nobody released it"
        time.sleep(0.02)


def _nothing(argument, starts):
    pass


def _sleep(seconds, starts):
    time.sleep(float(seconds))


def _raise(argument, starts):
    raise ValueError("deliberately wrong")


def _nan(argument, starts):
    return float("nan")


def _close(argument, starts):
    for descriptor in (1, 2):
        os.close(descriptor)
    _raise(argument, starts)


def _memory_error(argument, starts):
    raise MemoryError


def _allocate(megabytes, starts):
    hoard = [bytearray(b"x") * (1 << 20) for _ in range(int(megabytes))]
    time.sleep(30)
    del hoard


def _hold(megabytes, starts):
    hoard = [bytearray(b"x") * (1 << 20) for _ in range(int(megabytes))]
    hoard.clear()


def _kill(_, starts):
    os.kill(os.getpid(), signal.SIGKILL)


def _bus(_, starts):
    os.kill(os.getpid(), signal.SIGBUS)


def _kill_once(_, starts):
    if starts == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def _kill_job(_, starts):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(30)


def _kill_job_once(_, starts):
    if starts == 1:
        _kill_job(_, starts)


def _exhaust_job(_, starts):
    """Memory that is no process's own, until the kernel kills what it was told to: the job, not the trial."""
    Path(f"/proc/{os.getppid()}/oom_score_adj").write_text("1000")
    fill = "import os; file = os.memfd_create('hoard')\nwhile True: os.write(file, bytes(1 << 20))"
    os.execv(sys.executable, [sys.executable, "-S", "-c", fill])


def _exit(code, starts):
    os._exit(int(code))


def _break_json(_, starts):
    """What the trainer itself needs does not work any more."""
    json.dumps = lambda *given, **named: 1 / 0


def _daemon(_, starts):
    """Leaves a daemon as one writes it, which holds all that it was forked with."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(f"daemon {os.getpid()}", flush=True)
            time.sleep(3600)
        os._exit(0)
    os.wait()
    while "daemon" not in Path("/proc/self/fd/1").resolve().read_text():
        time.sleep(0.02)


def _daemon_and_kill_job_once(_, starts):
    if starts == 1:
        _daemon(_, starts)
        _kill_job(_, starts)


def _come_back_twice(_, starts):
    """A forked process comes back too, before the trial's own."""
    child = os.fork()
    if child == 0:
        return 99.0
    os.waitpid(child, 0)
    return 1.0


class Own(BaseException):
    """What a workload may raise, as everybody may."""


class Mute(RuntimeError):  # noqa: N818
    def __str__(self):
        raise ValueError("no words")


class _Nameless(type):
    def __getattribute__(cls, name):
        if name in ("__name__", "__qualname__", "__module__"):
            raise AttributeError(name)
        return super().__getattribute__(name)


class OddError(Exception, metaclass=_Nameless):
    pass


_ERRORS = {
    "interrupt": KeyboardInterrupt(),
    "cancelled": asyncio.CancelledError(),
    "own": Own("of my own"),
    "mute": Mute(),
    "nothing": ValueError(),
    "key": KeyError("lr"),
    "long": ValueError("x" * 3_000_000),
    "bytes": ValueError("no file " + os.fsdecode(b"caf\xe9.csv")),
    "control": ValueError("nul \0 and \x1b[31mred"),
    "exit": SystemExit("no data"),
    "nameless": OddError(),
}


def _error(name, starts):
    raise _ERRORS[name]


def _say(_, starts):
    """Writes what no UTF-8 file takes, and leaves work to its exit."""
    print("reading " + os.fsdecode(b"caf\xe9.csv"))
    atexit.register(lambda: print("at exit", flush=True))
    open_files.append(open(os.dup(1), "w"))  # noqa: PTH123, SIM115
    open_files[0].write("not flushed")


def _leave_process(_, starts):
    """Ends, but leaves a process behind."""
    child = subprocess.Popen(["sleep", "3600"])
    print(f"left {child.pid}")


def _show_environment(_, starts):
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_X")
    print({name: os.environ.get(name) for name in names})


_DO = {
    "nothing": _nothing,
    "sleep": _sleep,
    "raise": _raise,
    "nan": _nan,
    "close": _close,
    "memory": _memory_error,
    "allocate": _allocate,
    "hold": _hold,
    "kill": _kill,
    "bus": _bus,
    "kill-once": _kill_once,
    "kill-job": _kill_job,
    "kill-job-once": _kill_job_once,
    "exhaust-job": _exhaust_job,
    "exit": _exit,
    "break-json": _break_json,
    "leave-process": _leave_process,
    "daemon": _daemon,
    "daemon-and-kill-job-once": _daemon_and_kill_job_once,
    "come-back-twice": _come_back_twice,
    "error": _error,
    "say": _say,
    "environment": _show_environment,
}
