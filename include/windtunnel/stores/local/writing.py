"""How an object is written: to a temporary file, which then takes its place; and what killed writers leave behind."""

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO
from uuid import uuid4

from windtunnel.host.beneath import open_file, status
from windtunnel.stores.base import Metadata
from windtunnel.stores.local.objects import Place, etag_of, version_of

_LOCK, _TEMPORARY = "lock", ".tmp"  # files beside the metadata: what replacers lock, and endings of temporary files
# What file systems without hard links answer, such as FAT, and some that are mounted from elsewhere.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV)


@contextmanager
def temporary_file(place: Place, fill: Callable[[BinaryIO], object]) -> Iterator[str]:
    """The name of a temporary file of this content beside the metadata, on the disk; it is gone at the end."""
    descriptor, name = _locked_file(place)
    try:
        with os.fdopen(descriptor, "wb") as target:
            fill(target)
            target.flush()
            now = time.time_ns()  # the kernel's own time stamp is coarse: two versions in a tick could share an etag
            os.utime(target.fileno(), ns=(now, now))
            os.fsync(target.fileno())
            yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place.hidden)


def finish(place: Place, temporary: str, metadata: Metadata) -> str:
    """Write the metadata of a temporary file's content; the etag that it will have in its place."""
    etag = etag_of(status(place.hidden, temporary))
    if metadata:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(open_file(place.hidden, f"{place.name}.{etag}", flags), "w") as target:
            target.write(json.dumps(dict(metadata)))
    return etag


def put_there(place: Place, temporary: str) -> None:
    """Give a finished file its name, whole and only where there is none.

    Raises:
        FileExistsError: something has the name.
    """
    try:
        os.link(temporary, place.name, src_dir_fd=place.hidden, dst_dir_fd=place.folder)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return
    with locked(place):  # all who write here have no links, and so come this way
        try:
            os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(temporary, place.name, src_dir_fd=place.hidden, dst_dir_fd=place.folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), place.name)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Keep other replacers of the folder's objects out; only for as long as a rename takes."""
    descriptor = open_file(place.hidden, _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # whoever was forked meanwhile holds it too: closing would not do
        os.close(descriptor)


def _locked_file(place: Place) -> tuple[int, str]:
    """A new temporary file, locked for as long as its writer lives: what nobody has locked was left behind."""
    while True:
        name = f"{uuid4().hex}{_TEMPORARY}"
        descriptor = open_file(place.hidden, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # it was swept before it was locked


def sweep_folder(folder: int, hidden: int) -> int:
    """Remove what killed writers left in a folder's metadata; how many files that were.

    The metadata is listed first: a version that has some then is being written, is in its place, or never will be.
    """
    metadata = [name for name in os.listdir(hidden) if name != _LOCK and not name.endswith(_TEMPORARY)]
    temporaries = [name for name in os.listdir(hidden) if name.endswith(_TEMPORARY)]
    written = {inode for name in temporaries if (inode := _written(hidden, name))}
    left = []
    for name in metadata:
        owner, _, etag = name.rpartition(".")
        if etag.partition("-")[0] not in written and version_of(Place(folder, hidden, owner)) != etag:
            left.append(name)
    for name in left:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=hidden)
    return len(left) + len(temporaries) - len(written)


def _written(hidden: int, name: str) -> str | None:
    """The inode, as etags have it, of a temporary file that somebody writes; one that nobody writes is removed."""
    with suppress(FileNotFoundError), os.fdopen(open_file(hidden, name, os.O_RDONLY)) as temporary:
        try:
            fcntl.flock(temporary, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"{os.fstat(temporary.fileno()).st_ino:x}"
        os.unlink(name, dir_fd=hidden)  # while it is locked: its writer may be about to
    return None
