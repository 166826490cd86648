"""What a folder's disk answers, in words and by whether it passes."""

import errno
from pathlib import Path

from windtunnel.errors import NoObjectError, NotFoundError, StoreError, UnavailableError, UnfitError

_OBSTACLE = (errno.EISDIR, errno.ELOOP, errno.ENXIO)  # a folder, pipe or device; a link; a socket
NO_OBJECT = (errno.ENOENT, errno.ENOTDIR, *_OBSTACLE)
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
    if error.errno in (*_OBSTACLE, errno.EEXIST):
        is_link = error.errno == errno.ELOOP
        what = error.strerror if is_link else "a folder, or what is no file, stands in its place"
        return NoObjectError(f"cannot {action} {file}: {what}; move it away")
    if action == "read" and error.errno in NO_OBJECT:
        return NotFoundError(f"there is no {file}")
    if error.errno == errno.ENOTDIR:
        return NoObjectError(f"cannot {action} {file}: what is no folder stands in the place of one; move it away")
    why = error.strerror or str(error)
    if error.errno in _MAY_PASS:
        mend = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend the disk"
        return UnavailableError(f"cannot {action} {file}: {why}; {mend}, and the run goes on by itself")
    if action == "read" and error.errno in (errno.EACCES, errno.EPERM):
        return UnfitError(f"cannot read {file}: {why}; let this user read it")
    return StoreError(f"cannot {action} {file}: {why}")
