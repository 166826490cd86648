"""A wait for a store that takes no writes, such as a full disk, as a supervisor sees it of a process that it forked."""

import mmap
import threading

from windtunnel_trainer.logs import say


class Waits:
    """One process tells that it waits, the other sees it: in a byte that both share, for a full disk takes no file."""

    def __init__(self) -> None:
        """Nobody waits; to be made before the fork."""
        self._shared = mmap.mmap(-1, 1)
        self._lock = threading.Lock()
        self._threads: set[int] = set()  # those of the process that wait

    def __bool__(self) -> bool:
        """Whether the other process waits."""
        return self._shared[0] == 1

    def tell(self, text: str) -> None:
        """Say that this thread's wait begins, and the second time that it ends: see `Store.on_wait`."""
        with self._lock:
            self._threads ^= {threading.get_ident()}
            self._shared[0] = bool(self._threads)
        say(text)
