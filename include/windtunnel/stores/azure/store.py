"""Objects as block blobs of one container."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from windtunnel.errors import ConflictError, NotFoundError, StoreError
from windtunnel.stores.azure.account import PART, cleaned, container_client
from windtunnel.stores.azure.errors import explain, is_missing_container
from windtunnel.stores.azure.listing import WRITE, list_blobs
from windtunnel.stores.base import PATH_LIMIT, Entry, Metadata, Store, checked_path, checked_size
from windtunnel.stores.credentials import Credentials

_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_LANES = 4  # parts of one large object under way at once
_BEYOND = 416  # HTTP's status for a range that begins beyond the end
_READS = 3  # times that an object is read anew because it was replaced, or came damaged


class AzureStore(Store):
    """Objects are block blobs under a prefix of one container, which is made by the first write if it is missing.

    A blob appears or is replaced whole, whatever its size: its parts count only once they are all there. Requests that
    got no answer are sent again; whether a conditional write of which the answer was lost has won is then read from
    the blob.
    """

    metered = True

    def __init__(self, container: str, prefix: str, credentials: Credentials) -> None:
        """Use a container; nothing is sent yet.

        Args:
            container: its name.
            prefix: that all blobs' names begin with, as a folder; may be empty.
            credentials: by the names of `windtunnel.stores.azure.account.VARIABLES`.

        Raises:
            StoreError: the container's name or the prefix cannot be, or credentials are missing.
        """
        if not _CONTAINER.fullmatch(container):
            raise StoreError(
                f"azure://{container}: a container's name is 3 to 63 lower-case letters, digits and single hyphens"
            )
        prefix = prefix.strip("/")
        if len(prefix) > PATH_LIMIT:
            raise StoreError(
                f"store: the prefix of azure://{container}/{prefix[:80]}… has {len(prefix)} characters; shorten it to "
                f"{PATH_LIMIT}, which leaves room for a run's objects: Azure's names end at 1,024"
            )
        self._base = f"{checked_path(prefix)}/" if prefix else ""
        self.url = f"azure://{container}/{prefix}".rstrip("/")
        self._credentials = cleaned(credentials)
        self._client = container_client(container, self._credentials)

    def credentials(self) -> Credentials:
        """What a process elsewhere needs in its environment."""
        return self._credentials

    def get_tagged(self, path: str) -> tuple[bytes, str]:
        """The object's content and etag."""
        with self._explained("read", path):
            for _ in range(_READS):
                stream = self._blob(path).download_blob(max_concurrency=_LANES)
                checked_size(f"{self.url}/{path}", stream.size)
                content: bytes = stream.readall()
                if _is_whole(stream.properties, _md5(content)):
                    return content, stream.properties.etag.strip('"')
        raise self._damaged(path)

    def stat(self, path: str) -> Entry:
        """The object's entry."""
        with self._explained("read", path):
            return _entry(path, self._blob(path).get_blob_properties())

    def tail(self, path: str, size: int) -> bytes:
        """The last bytes of the object."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError

        with self._explained("read", path):
            while True:
                properties = self._blob(path).get_blob_properties()
                length = min(size, properties.size)
                if length <= 0:
                    return b""
                same = {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}
                try:
                    stream = self._blob(path).download_blob(properties.size - length, length, **same)
                    return bytes(stream.readall())
                except ResourceModifiedError:  # a log that grew meanwhile
                    continue

    def read(self, path: str, start: int, size: int) -> bytes:
        """A part of the object."""
        from azure.core.exceptions import HttpResponseError

        with self._explained("read", path):
            try:
                return bytes(self._blob(path).download_blob(start, size, max_concurrency=_LANES).readall())
            except HttpResponseError as error:
                if error.status_code != _BEYOND:
                    raise
                return b""

    def download(self, path: str, file: Path) -> None:
        """Stream the object to a file."""
        part = file.with_name(f".{file.name}.{uuid4().hex}.tmp")
        try:
            for _ in range(_READS):
                with self._explained("read", path):
                    stream = self._blob(path).download_blob(max_concurrency=_LANES)
                    part.parent.mkdir(parents=True, exist_ok=True)
                    with part.open("wb") as target:
                        stream.readinto(target)
                with part.open("rb") as content:
                    if _is_whole(stream.properties, hashlib.file_digest(content, _md5)):
                        part.replace(file)
                        return
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error.strerror or error}") from error
        finally:
            with suppress(OSError):
                part.unlink()
        raise self._damaged(path)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose path begins with `prefix`, in order: one request for each 5,000."""
        from azure.core.exceptions import ResourceNotFoundError

        with self._explained("list", prefix):
            try:
                yield from list_blobs(self._client, self._base, prefix)
            except ResourceNotFoundError as error:
                if not is_missing_container(error):
                    raise

    def delete(self, path: str) -> None:
        """Remove the object."""
        with suppress(NotFoundError), self._explained("delete", path):
            self._blob(path).delete_blob()

    def _create(self, path: str, data: bytes, metadata: Metadata) -> bool:
        return self._write_if(path, data, metadata, {"overwrite": False})

    def _put(self, path: str, data: bytes, metadata: Metadata, if_match: str | None) -> None:
        from azure.core import MatchConditions

        if if_match is None:
            self._write("write", path, data, metadata, {"overwrite": True})
            return
        condition = {"overwrite": True, "etag": f'"{if_match}"', "match_condition": MatchConditions.IfNotModified}
        if not self._write_if(path, data, metadata, condition):
            raise ConflictError(f"{self.url}/{path} was written by somebody else meanwhile: read it again")

    def _upload(self, path: str, file: Path, metadata: Metadata) -> None:
        try:
            with file.open("rb") as content:
                size = os.fstat(content.fileno()).st_size  # a log may grow meanwhile
                if size <= PART:
                    self._write("write", path, content.read(size), metadata, {"overwrite": True})
                else:
                    self._write("write", path, content, metadata, {"overwrite": True, "length": size})
        except OSError as error:
            raise StoreError(f"cannot read {file}: {error.strerror or error}") from error

    def _write_if(self, path: str, data: bytes, metadata: Metadata, condition: Mapping[str, Any]) -> bool:
        """Write under a condition; whether it held, be it that the answer was lost and the request sent again."""
        mine, sent_again = uuid4().hex, []
        options = {**condition, "retry_hook": lambda **_: sent_again.append(True)}
        try:
            self._write("write", path, data, {**metadata, WRITE: mine}, options)
        except (ConflictError, NotFoundError):
            if not sent_again:
                return False
            with self._explained("read", path):
                return bool(self._blob(path).get_blob_properties().metadata.get(WRITE) == mine)
        return True

    def _write(
        self, action: str, path: str, data: bytes | IO[bytes], metadata: Metadata, options: Mapping[str, Any]
    ) -> None:
        from azure.core.exceptions import ResourceNotFoundError
        from azure.storage.blob import ContentSettings

        settings = ContentSettings(content_md5=bytearray(_digest(data, options.get("length"))))
        with self._explained(action, path):
            for last in (False, True):
                if not isinstance(data, bytes):
                    data.seek(0)
                try:
                    self._blob(path).upload_blob(
                        data,
                        metadata=dict(metadata),
                        content_settings=settings,
                        max_concurrency=_LANES,
                        validate_content=True,
                        **options,
                    )
                    return
                except ResourceNotFoundError as error:
                    if last or not is_missing_container(error):
                        raise
                self._make_container()

    def _make_container(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        with self._explained("make the container for", ""), suppress(ResourceExistsError):
            self._client.create_container()

    @contextmanager
    def _explained(self, action: str, path: str) -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            # Not "from error": its text has the request's URL, which may hold a SAS token.
            raise explain(error, f"{action} {self.url}/{path}", self._credentials) from None

    def _blob(self, path: str) -> Any:
        return self._client.get_blob_client(self._base + checked_path(path))

    def _damaged(self, path: str) -> StoreError:
        return StoreError(f"{self.url}/{path} does not have the checksum that it was written with: it is damaged")


def _entry(path: str, properties: Any) -> Entry:
    metadata = {key: value for key, value in properties.metadata.items() if key != WRITE}
    return Entry(path, properties.size, properties.last_modified, properties.etag.strip('"'), metadata)


def _md5(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)


def _digest(data: bytes | IO[bytes], length: int | None) -> bytes:
    """The checksum that Azure keeps with a blob: MD5, of the first `length` bytes of a file."""
    if isinstance(data, bytes):
        return bytes(_md5(data).digest())
    digest = _md5()
    left = length or 0
    while left and (part := data.read(min(left, PART))):
        digest.update(part)
        left -= len(part)
    return bytes(digest.digest())


def _is_whole(properties: Any, digest: Any) -> bool:
    """Whether content has the checksum that its blob was written with; one written by other hands may have none."""
    expected = properties.content_settings.content_md5
    return expected is None or bytes(expected) == digest.digest()
