"""Shared memory, by which the workers of a data loader hand over their batches: what to do where it is used up."""

from windtunnel.text import error_text

ADVICE = (
    "the shared memory in /dev/shm is probably used up: give it more (docker run --shm-size, or in a pod an emptyDir "
    "with `medium: Memory` mounted there), or set num_workers=0 in the DataLoader"
)
_WORDS = ("Bus error", "</torch_", "/dev/shm", "shared memory object", "(shm)")  # noqa: S108  (what errors say)


def is_meant(error: BaseException) -> bool:
    """Whether an error says that there is not enough of it: torch's do, each in its way."""
    return isinstance(error, (RuntimeError, OSError)) and any(word in error_text(error) for word in _WORDS)
