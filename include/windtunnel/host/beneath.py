"""Files beneath a folder, reached without following a symbolic link: whoever writes there leads nobody out of it.

Each part of a path is opened relative to the descriptor of the one before, so that it cannot be exchanged between a
check and its use. The folder itself may lie behind links: its path is the word of whoever set it up.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened_folder(root: Path, parts: Sequence[str] = (), *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder beneath a root.

    Args:
        root: where the path begins; links in it are followed.
        parts: names of the folders below it.
        make: make what is missing, the root too.

    Raises:
        OSError: a folder is missing, is a file or a link (`ELOOP`), or cannot be opened.
    """
    folder = _root(root, make)
    try:
        for part in parts:
            inner = open_child(folder, part, make=make)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def open_child(folder: int, name: str, *, make: bool = False) -> int:
    """The descriptor of a folder in an open folder.

    Args:
        folder: descriptor of the outer folder.
        name: of the inner one, without a slash.
        make: make it if it is missing.

    Raises:
        OSError: it is missing, is a file or a link (`ELOOP`), or cannot be opened.
    """
    try:
        try:
            return os.open(_plain(name), _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):  # made meanwhile
            os.mkdir(name, dir_fd=folder)
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        raise _told(error, folder, name) from error


def open_file(folder: int, name: str, flags: int, mode: int = 0o666) -> int:
    """The descriptor of a regular file in an open folder; a pipe or a device is refused rather than waited for.

    Args:
        folder: descriptor of the folder.
        name: of the file, without a slash.
        flags: of `os.open`.
        mode: that it gets if it is made.

    Raises:
        OSError: it is missing, is a link (`ELOOP`) or no regular file (`EISDIR`), or cannot be opened.
    """
    try:
        descriptor = os.open(_plain(name), flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        raise _told(error, folder, name) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EISDIR, "it is no regular file", name)
    return descriptor


def status(folder: int, name: str) -> os.stat_result:
    """What the system tells of a regular file in an open folder.

    Raises:
        OSError: as `open_file`.
    """
    information = os.stat(_plain(name), dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(information.st_mode):
        raise _link(name)
    if not stat.S_ISREG(information.st_mode):
        raise OSError(errno.EISDIR, "it is no regular file", name)
    return information


def _root(root: Path, make: bool) -> int:
    try:
        return os.open(root, _FOLDER)
    except FileNotFoundError:
        if not make:
            raise
    root.mkdir(parents=True, exist_ok=True)
    return os.open(root, _FOLDER)


def _plain(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise OSError(errno.EINVAL, "it is no name of a file", name)
    return name


def _told(error: OSError, folder: int, name: str) -> OSError:
    """The error itself, or what stands behind it: systems differ in what they say of a link."""
    try:
        is_link = stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, ValueError):
        return error
    return _link(name) if is_link else error


def _link(name: str) -> OSError:
    return OSError(errno.ELOOP, "a symbolic link is not followed here", name)
