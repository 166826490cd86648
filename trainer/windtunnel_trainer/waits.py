"""A wait for a store that takes no writes, such as a full disk, as a supervisor sees it of a process that it forked."""

import mmap

from windtunnel_trainer.logs import say


class Waits:
    """One process tells that it waits, the other sees it: in a byte that both share, for a full disk takes no file."""

    def __init__(self) -> None:
        """Nobody waits; to be made before the fork."""
        self._shared = mmap.mmap(-1, 1)

    def __bool__(self) -> bool:
        """Whether the other process waits."""
        return self._shared[0] == 1

    def tell(self, text: str) -> None:
        """Say that a wait begins, and the second time that it ends: see `Store.on_wait`."""
        self._shared[0] ^= 1
        say(text)
