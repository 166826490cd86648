"""This user's own folder among the temporary files that all users of a host share."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from windtunnel.errors import WindtunnelError

_MEND = "remove it, or set TMPDIR to a folder of your own"


def private_folder() -> Path:
    """The folder `windtunnel-<uid>` among the host's temporary files, for this user alone; made if it is missing.

    Whoever came first may have made it: one that is another user's, or that others may write, holds what they chose.

    Raises:
        WindtunnelError: it is a link, another user's, or others may write it; or it cannot be made.
    """
    folder = Path(tempfile.gettempdir()) / f"windtunnel-{os.getuid()}"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        what = "is a link" if folder.is_symlink() else f"cannot be used: {error.strerror}"
        raise WindtunnelError(f"{folder} {what}; {_MEND}") from error
    try:
        information = os.fstat(descriptor)
        mode = stat.S_IMODE(information.st_mode)
        if information.st_uid != os.getuid():
            raise WindtunnelError(f"{folder} is another user's, of id {information.st_uid}; {_MEND}")
        if mode & 0o022:
            raise WindtunnelError(f"{folder} can be written by other users, its mode is {mode:o}; {_MEND}")
        if mode & 0o077:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return folder
