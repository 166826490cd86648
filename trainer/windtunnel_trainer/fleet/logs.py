"""A lane's logs: one of each process, and one in which all of them stand line by line as they came."""

from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from windtunnel.errors import StoreError
from windtunnel.host.machine import now
from windtunnel.ledger import Ledger
from windtunnel_trainer.logs import say
from windtunnel_trainer.write_interval import WriteInterval

_INTERVAL = WriteInterval(share=2.0, shortest=10.0, longest=20.0, metered=3600.0)  # of the logs' age
_TICK = 0.5  # seconds between two looks at what was written
_AT_ONCE = 1024 * 1024  # bytes that are taken over at one look


class LaneLog:
    """Brings `logs/<lane>.<launch>.log` and `logs/<lane>-<slot>.<launch>.log` to the ledger."""

    def __init__(self, ledger: Ledger, lane: str, launch: int, folder: Path) -> None:
        """Logs that are written in `folder`."""
        self._ledger, self._launch, self._folder, self._lane = ledger, launch, folder, lane
        self._read: dict[str, int] = {}
        self._sizes: dict[Path, int] = {}
        self._refused: set[str] = set()  # names of the logs that the store refused when they were brought last
        self._all = self.file(lane)
        self._all.touch()
        self._began = monotonic()
        self._next = self._began + _INTERVAL.shortest
        self._look = 0.0

    def file(self, name: str) -> Path:
        """The file of a process's output, by lane and slot."""
        if name != self._lane:
            self._read.setdefault(name, 0)
        return self._folder / f"{name}.log"

    def say(self, name: str, text: str) -> None:
        """Add a line of the lane's own, to a process's log and to the one of all."""
        with suppress(OSError), self.file(name).open("a") as log:
            log.write(f"--- {now()} {text}\n")

    def tail(self, name: str, size: int) -> str:
        """The last `size` bytes of a process's log."""
        with suppress(OSError), self.file(name).open("rb") as log:
            log.seek(max(0, self.file(name).stat().st_size - size))
            return log.read().decode(errors="replace")
        return ""

    def sync(self, at_once: bool = False) -> None:
        """Take over what was written, and bring it to the ledger when its time has come."""
        moment = monotonic()
        if not at_once and moment < self._look:
            return
        self._look = moment + _TICK
        with suppress(OSError), self._all.open("ab") as together:
            for name in self._read:
                self._interleave(name, together, to_its_end=at_once)
        if at_once or moment >= self._next:
            self._next = moment + _INTERVAL.pause(self._ledger.store, moment - self._began)
            self._upload()

    def _interleave(self, name: str, together: BinaryIO, *, to_its_end: bool) -> None:
        """Take over whole lines, and a bounded part of them at a time; to the log's end also what ends without one."""
        file, mark = self._folder / f"{name}.log", f"{now()} {name} ".encode()
        if not file.exists() or file.stat().st_size == self._read[name]:
            return
        with file.open("rb") as log:
            log.seek(self._read[name])
            while content := log.read(_AT_ONCE):
                lines = content[: content.rfind(b"\n") + 1]
                if not lines and (to_its_end or len(content) == _AT_ONCE):
                    lines = content
                together.writelines(mark + line + b"\n" for line in lines.splitlines())
                self._read[name] += len(lines)
                log.seek(self._read[name])
                if not to_its_end:
                    return

    def _upload(self) -> None:
        for name in [self._lane, *self._read]:
            file = self._folder / f"{name}.log"
            try:
                size = file.stat().st_size if file.exists() else 0
                if size != self._sizes.get(file, 0):
                    self._ledger.store.upload(self._ledger.path(f"logs/{name}.{self._launch}.log"), file)
                    self._sizes[file] = size
                    self._refused.discard(name)
            except StoreError as error:
                if name not in self._refused:
                    say(f"the log stays here for now: {error}")
                self._refused.add(name)
