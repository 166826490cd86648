"""What every store promises: create-once, atomic replace and strong listing of objects under slash-separated paths."""

import json
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader
from pathlib import Path

from windtunnel.errors import StoreError, UnfitError
from windtunnel.stores.credentials import Credentials

_METADATA_KEY = re.compile(r"[a-z][a-z0-9_]*")
METADATA_LIMIT = 6 * 1024  # bytes, keys and values together; Azure refuses more than 8 KB, its headers included
PATH_LIMIT = 500  # characters; Azure's names may have 1,024, with the prefix that a store puts before them

MOST_AT_ONCE = 32 * 1024 * 1024  # bytes; a plan of 10,000 trials has some ten million

Metadata = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in a listing.

    Attributes:
        path: relative to the store's root.
        size: in bytes.
        modified: when it was last written, by the store's own clock, in UTC.
        etag: changes with every write; pass it to `Store.put` to replace this very version only.
        metadata: the small strings that were written with the object.
    """

    path: str
    size: int
    modified: datetime
    etag: str
    metadata: Metadata = field(default_factory=dict)


class Store(ABC):
    """A place for a ledger's objects.

    Subclasses implement the underscored methods; the public ones check paths and metadata first, so that what one
    store takes no other refuses. Writes are atomic: a reader sees an object whole or not at all.

    Attributes:
        url: that opens the store.
        metered: whether each request is paid for, so that few are better.
        on_wait: if given, a write that the store cannot take for now, as a full disk cannot, waits until it can; this
            is told once why, and once that it goes on. A store with retries of its own does not use it.
    """

    url: str
    metered: bool = False
    on_wait: Callable[[str], None] | None = None

    def of_run(self, root: str) -> "Store":
        """The store for one who works on a run that has begun: where its folder `root` is gone, nothing makes it anew.

        Whatever needs the folder raises `UnavailableError` then. A store without folders is returned as it is.
        """
        return self

    def refusal(self) -> str:
        """Why the store takes no writes at present, as far as it tells without one; empty where it does."""
        return ""

    def credentials(self) -> Credentials:
        """What the environment of another process must have so that it can open the store; nothing of it is written."""
        return {}

    def create(self, path: str, data: bytes, metadata: Metadata | None = None) -> bool:
        """Write the object unless it exists: the first writer wins.

        Returns:
            Whether this call wrote it.

        Raises:
            StoreError: the path or the metadata is not fit for every store, or the store failed.
        """
        return self._create(checked_path(path), data, checked_metadata(metadata))

    def put(self, path: str, data: bytes, metadata: Metadata | None = None, *, if_match: str | None = None) -> None:
        """Write the object, or replace it whole.

        Args:
            path: of the object.
            data: its new content.
            metadata: its new metadata; the old is dropped.
            if_match: the etag that it must still have.

        Raises:
            ConflictError: it does not have that etag any more.
            StoreError: the path or the metadata is not fit for every store, or the store failed.
        """
        self._put(checked_path(path), data, checked_metadata(metadata), if_match)

    def upload(self, path: str, file: Path, metadata: Metadata | None = None) -> None:
        """Stream a local file into the object, replacing it whole.

        Raises:
            StoreError: as `put`.
        """
        self._upload(checked_path(path), file, checked_metadata(metadata))

    @abstractmethod
    def get_tagged(self, path: str) -> tuple[bytes, str]:
        """The content of an object that is not big, and the etag of this very content; one request.

        Raises:
            NotFoundError: there is no such object.
            UnfitError: it has more than `MOST_AT_ONCE` bytes.
        """

    def get(self, path: str) -> bytes:
        """The content alone, as `get_tagged` has it; `open` and `download` take an object of any size."""
        return self.get_tagged(path)[0]

    @abstractmethod
    def read(self, path: str, start: int, size: int) -> bytes:
        """A part of the object: at most `size` bytes from byte `start` on, fewer at its end.

        Raises:
            NotFoundError: there is no such object.
        """

    def open(self, path: str) -> BufferedReader:
        """The object as a file that is open for reading: where it lies, or a copy that goes with the file.

        Raises:
            NotFoundError: there is no such object.
        """
        with tempfile.TemporaryDirectory(prefix="windtunnel-") as folder:
            file = Path(folder) / "object"
            self.download(path, file)
            return file.open("rb")

    @abstractmethod
    def stat(self, path: str) -> Entry:
        """The object's entry, as `list` gives it.

        Raises:
            NotFoundError: there is no such object.
        """

    @abstractmethod
    def tail(self, path: str, size: int) -> bytes:
        """The last `size` bytes of the object, or all of a smaller one.

        Raises:
            NotFoundError: there is no such object.
        """

    @abstractmethod
    def download(self, path: str, file: Path) -> None:
        """Stream the object into a local file, which appears whole or not at all; folders are made.

        Raises:
            NotFoundError: there is no such object.
        """

    def local_file(self, path: str) -> Path | None:
        """Where on this host the object is; None means that it must be downloaded."""
        return None

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose path begins with `prefix`, at any depth, ordered by path. Sees every finished write."""

    def obstacles(self, folder: str) -> Sequence[str]:
        """Paths right in a folder at which no object can be, for something else stands there, such as a folder.

        Args:
            folder: its path, with a slash at its end.

        Returns:
            The paths; none where the store has no folders.

        Raises:
            NoObjectError: what is there is no folder itself.
        """
        return ()

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove the object; a missing one is fine."""

    def sweep(self, prefix: str) -> int:
        """Remove what killed processes have left below a folder, which is no object.

        Args:
            prefix: the folder's path, with a slash at its end.

        Returns:
            How many files were removed; none where the store itself sees to it.
        """
        return 0

    @abstractmethod
    def _create(self, path: str, data: bytes, metadata: Metadata) -> bool: ...

    @abstractmethod
    def _put(self, path: str, data: bytes, metadata: Metadata, if_match: str | None) -> None: ...

    @abstractmethod
    def _upload(self, path: str, file: Path, metadata: Metadata) -> None: ...


def checked_path(path: str) -> str:
    """The path itself, if every store can hold it.

    Raises:
        StoreError: it is absolute, empty or too long, has empty parts or parts that begin with a dot, or control
            characters.
    """
    if len(path) > PATH_LIMIT:
        raise StoreError(f"{path[:80]}… has {len(path)} characters: an object's path may have {PATH_LIMIT}; shorten it")
    if not all(map(is_name, path.split("/"))):
        raise StoreError(f"{path!r} is no path of an object: use non-empty names without a leading dot, joined by '/'")
    return path


def is_name(part: str) -> bool:
    """Whether this may be a part of an object's path."""
    return bool(part) and part[0] != "." and part.isprintable() and "\\" not in part and "/" not in part


def checked_size(url: str, size: int) -> int:
    """The size itself, if an object that has it may be read at once.

    Raises:
        UnfitError: it is too big.
    """
    if size > MOST_AT_ONCE:
        raise UnfitError(f"{url} has {size} bytes; allowed: at most {MOST_AT_ONCE} where it is read at once")
    return size


def checked_metadata(metadata: Metadata | None) -> Metadata:
    """The metadata itself, if every store can hold it.

    Raises:
        StoreError: a key is not `[a-z][a-z0-9_]*`, a value is not ASCII JSON, or all together exceed 6 KB.
    """
    size = 0
    for key, value in (metadata or {}).items():
        if not _METADATA_KEY.fullmatch(key):
            raise StoreError(f"metadata key {key!r}: use lower-case letters, digits and '_', a letter first")
        if not value.isascii() or not value.isprintable():
            raise StoreError(f"metadata {key!r}: the value must be printable ASCII")
        try:
            json.loads(value)
        except ValueError as error:
            raise StoreError(f"metadata {key!r}: the value must be JSON, not {value[:80]!r}") from error
        size += len(key) + len(value)
    if size > METADATA_LIMIT:
        raise StoreError(f"metadata of {size} bytes: at most {METADATA_LIMIT} fit; keep the rest in the object itself")
    return metadata or {}
