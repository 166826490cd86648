"""What a folder's disk answers, in words and by whether it passes."""

import errno
from pathlib import Path

from windtunnel.errors import NotFoundError, StoreError, UnavailableError

NO_OBJECT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)  # ENXIO: a socket
# Errors that pass when a person mends the disk, or the network to it comes back.
_MAY_PASS = tuple(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "ETIMEDOUT", "ENOTCONN", "EHOSTDOWN", "ENETUNREACH")
    if hasattr(errno, name)
)


def explained(error: OSError, action: str, file: Path) -> StoreError:
    """The error that tells a person what the disk answered, and the mend.

    Args:
        error: of the disk.
        action: what was to be done, such as `read`.
        file: that it was to be done to.
    """
    if action == "read" and error.errno in NO_OBJECT:
        return NotFoundError(f"there is no {file}" + (f": {error.strerror}" if error.errno == errno.ELOOP else ""))
    why = error.strerror or str(error)
    if error.errno in _MAY_PASS:
        mend = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend the disk"
        return UnavailableError(f"cannot {action} {file}: {why}; {mend}, and the run goes on by itself")
    if error.errno in (errno.EISDIR, errno.EEXIST):
        why = "a folder, or what is no file, stands in its place; move it away"
    return StoreError(f"cannot {action} {file}: {why}")
