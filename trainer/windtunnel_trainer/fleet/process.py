"""A lane's processes, as the lane sees them: each is started once, and does one mini-batch after another."""

import json
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from windtunnel.definition import Fleet
from windtunnel.fleet.partitions import Partitions
from windtunnel.fleet.queue import Claimed
from windtunnel.ledger import Job, Ledger
from windtunnel_trainer import child, memory
from windtunnel_trainer.fleet.worker import READY, WAITING, Worker, tell_wait

_MOST = 1024 * 1024  # bytes of a message; a process that says more is not listened to


@dataclass
class Task:
    """A mini-batch at work.

    Attributes:
        claimed: which, and how often it was begun before this lane did.
        tries: how often this lane has begun it.
        began: when the last try did, by this process's clock.
        started: likewise, ISO 8601 in UTC.
    """

    claimed: Claimed
    tries: int = 0
    began: float = 0.0
    started: str = ""

    @property
    def attempt(self) -> int:
        """How often it was begun, by whichever lane."""
        return self.claimed.begun + self.tries


@dataclass(eq=False)
class Process:
    """One process.

    Attributes:
        pid: its id.
        slot: its place in the lane.
        line: what the lane asks and hears by.
        ready: whether it came through its import and `init`.
        task: what it does.
        done: mini-batches that it did.
        waits: whether it waits for a store that takes no writes, such as a full disk: no time-out counts then.
        condemned: kind and message, where the lane killed it.
    """

    pid: int
    slot: int
    line: socket.socket
    began: float = field(default_factory=time.monotonic)
    ready: bool = False
    task: Task | None = None
    done: int = 0
    waits: bool = False
    condemned: tuple[str, str] | None = None
    kills_before: int = field(default_factory=memory.kernel_kills)

    def ask(self, request: Mapping[str, Any]) -> None:
        """Ask for a mini-batch; one that has died meanwhile does not hear it."""
        with suppress(OSError):
            self.line.sendall(json.dumps(request).encode() + b"\n")

    def let_go(self) -> None:
        """Ask for nothing more: it shuts down and ends."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)

    def heard(self) -> Iterator[dict[str, str]]:
        """What it has said since; nothing where there is nothing, or it is gone."""
        content = b""
        with suppress(OSError):
            while len(content) < _MOST and not content.endswith(b"\n"):
                part = self.line.recv(65536, 0 if content else socket.MSG_DONTWAIT)
                if not part:
                    break
                content += part
        for line in content[: content.rfind(b"\n") + 1].splitlines():  # it may have died in the midst of a line
            message = json.loads(line)
            if message["state"] == WAITING:
                self.waits = not self.waits
                if self.task is not None:
                    self.task.began = time.monotonic()
                continue
            if message["state"] == READY:
                self.ready = True
            yield message

    def kill(self, kind: str, message: str) -> None:
        """End it by force, and remember why."""
        self.condemned = kind, message
        child.kill(self.pid, signal.SIGKILL)


def start(
    ledger: Ledger,
    fleet: Fleet,
    partitions: Partitions,
    job: Job,
    slot: int,
    script: Path | None,
    folder: Path,
    log: Path,
    lifeline: child.Lifeline,
    environment: Mapping[str, str],
) -> Process:
    """Fork a process that imports the entry, calls its `init`, and waits to be asked.

    Args:
        ledger: of the run.
        fleet: its definition.
        partitions: of the run.
        job: the lane.
        slot: the process's place in it.
        script: the entry script's file, where it is one.
        folder: for this slot's files.
        log: that its output is appended to.
        lifeline: by which it dies with the lane.
        environment: variables to set in it.
    """
    here, there = socket.socketpair()
    url, spec = ledger.url, ledger.spec

    def work() -> None:
        here.close()
        own = Ledger.open(url).with_spec(spec)  # it has connections of its own
        own.store.on_wait = partial(tell_wait, there)
        worker = Worker(own, fleet, partitions, folder, {"lane": job.job, "slot": slot})
        worker.load(script)
        worker.serve(there)

    pid = child.start(work, log, lifeline, environment)
    there.close()
    return Process(pid, slot, here)
