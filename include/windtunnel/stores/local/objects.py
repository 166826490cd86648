"""An object in a folder: its file, and its metadata in a file beside it."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import from_json

from windtunnel.host.beneath import open_child, status
from windtunnel.stores.base import METADATA_LIMIT, Entry, Metadata, is_name
from windtunnel.stores.local.errors import NO_OBJECT

# Beside an object `folder/name` its metadata is `folder/.meta/name.<etag>`. It is written before the object's version
# becomes visible under that etag, so a reader who has seen a version finds the metadata of that version, or none where
# the folder was copied.
HIDDEN = ".meta"
_MOST_METADATA = 4 * METADATA_LIMIT  # bytes of a file of metadata, JSON's own characters included


@dataclass(frozen=True, slots=True)
class Place:
    """An object's name, with open descriptors of its folder and of the folder's metadata; -1 where there is none."""

    folder: int
    hidden: int
    name: str


@contextmanager
def hidden_folder(folder: int, *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder's metadata."""
    try:
        hidden = open_child(folder, HIDDEN, make=make)
    except OSError as error:
        if make or error.errno not in NO_OBJECT:
            raise
        hidden = -1
    try:
        yield hidden
    finally:
        if hidden >= 0:
            os.close(hidden)


def names_in(folder: int, start: str) -> list[tuple[str, bool]]:
    """The names in an open folder that begin so, and whether each is a folder's, in the order of their objects' paths.

    A folder sorts as what its objects' paths go on with.
    """
    with os.scandir(folder) as scanned:
        names = [
            (child.name, child.is_dir(follow_symlinks=False))
            for child in scanned
            if child.name.startswith(start) and is_name(child.name) and not child.is_symlink()
        ]
    return sorted(names, key=lambda child: child[0] + "/" * child[1])


def names_of_obstacles(folder: int) -> list[str]:
    """The names in an open folder that are an object's and stand for none."""
    with os.scandir(folder) as scanned:
        return [child.name for child in scanned if is_name(child.name) and not child.is_file(follow_symlinks=False)]


def children_of(folder: int, base: str, names: Iterable[tuple[str, bool]]) -> list[tuple[str, Entry | None]]:
    """The objects of an open folder by these names, in order; folders have no entry."""
    children: list[tuple[str, Entry | None]] = []
    with hidden_folder(folder) as hidden:
        for name, is_folder in names:
            if is_folder:
                children.append((name, None))
                continue
            with suppress(FileNotFoundError, IsADirectoryError):  # deleted meanwhile, or a pipe
                children.append((name, entry_of(Place(folder, hidden, name), f"{base}{name}")))
    return children


def entry_of(place: Place, path: str) -> Entry:
    """The entry, under a path, of the object that is there."""
    while True:
        file_status = status(place.folder, place.name)
        etag = etag_of(file_status)
        metadata = _read_metadata(place, etag)
        # Without metadata, either there is none or this version was replaced between the two looks.
        if metadata is not None or version_of(place) == etag:
            modified = datetime.fromtimestamp(file_status.st_mtime_ns / 1e9, UTC)
            return Entry(path, file_status.st_size, modified, etag, metadata or {})


def etag_of(file_status: os.stat_result) -> str:
    """The etag of a file's version: its inode, time and size."""
    return f"{file_status.st_ino:x}-{file_status.st_mtime_ns:x}-{file_status.st_size:x}"


def version_of(place: Place) -> str | None:
    """The etag of the object that is there; None where there is none."""
    try:
        return etag_of(status(place.folder, place.name))
    except OSError as error:
        if error.errno not in NO_OBJECT:
            raise
        return None


def _read_metadata(place: Place, etag: str) -> Metadata | None:
    if place.hidden < 0:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(f"{place.name}.{etag}", flags, dir_fd=place.hidden)
        try:
            content = from_json(os.read(descriptor, _MOST_METADATA), cache_strings="keys")  # values come once each
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # a torn file is what a power failure leaves
        if isinstance(error, OSError) and error.errno not in (*NO_OBJECT, errno.EAGAIN):
            raise
        return None
    is_metadata = isinstance(content, dict) and all(isinstance(value, str) for value in content.values())
    return content if is_metadata else None


def drop_metadata(place: Place, etag: str | None) -> None:
    """Remove the metadata of one version of an object, if it has some."""
    with suppress(FileNotFoundError):
        os.unlink(f"{place.name}.{etag}", dir_fd=place.hidden)
