"""Reads a run's objects, whatever lies there: a bad one is named with its mend, strangers' files are passed over."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pydantic import ValidationError

from windtunnel.errors import NotFoundError, UnreadableError
from windtunnel.ledger.records import Record
from windtunnel.stores import Store
from windtunnel.stores.base import Entry

R = TypeVar("R", bound=Record)


def read_record(store: Store, path: str, kind: type[R]) -> R:
    """The record at a path.

    Raises:
        NotFoundError: there is none.
        UnreadableError: what is there is no record of that kind.
        StoreError: it is too big, or the store failed.
    """
    return read_tagged(store, path, kind)[0]


def read_tagged(store: Store, path: str, kind: type[R]) -> tuple[R, str]:
    """The record at a path, and the etag of its object; raises what `read_record` does."""
    content, etag = _content(store, path)
    try:
        return kind.model_validate_json(content), etag
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "it"
        raise unreadable(store, path, f"is no {kind.__name__}: {field}: {first['msg']}") from error


def read_object(store: Store, path: str) -> dict[str, Any]:
    """The JSON object at a path.

    Raises:
        NotFoundError: there is none.
        UnreadableError: what is there is no JSON object.
        StoreError: it is too big, or the store failed.
    """
    try:
        content = json.loads(_content(store, path)[0])
    except (ValueError, RecursionError) as error:
        raise unreadable(store, path, f"is no JSON object: {error}") from error
    if not isinstance(content, dict):
        raise unreadable(store, path, "is no JSON object")
    return content


def unreadable(store: Store, path: str, why: str) -> UnreadableError:
    """The error for an object that cannot be used; `why` goes on after its URL."""
    mend = "bring it back from a copy, or delete it and resume the run, which makes it anew"
    return UnreadableError(f"{store.url}/{path} {why}; {mend}")


def named(entries: Iterable[Entry], folder: str) -> Iterator[tuple[str, Entry]]:
    """The JSON objects right in a folder, each with its name without `.json`; strangers' files are left out."""
    for entry in entries:
        name = entry.path.removeprefix(folder)
        if name.endswith(".json") and not name.startswith(".") and "/" not in name:
            yield name.removesuffix(".json"), entry


def _content(store: Store, path: str) -> tuple[bytes, str]:
    try:
        content, etag = store.get_tagged(path)
    except NotFoundError:
        file = store.local_file(path)
        if file is not None and file.is_dir() and not file.is_symlink():
            raise UnreadableError(f"{file} is a folder where a file should be; move it away") from None
        raise
    if not content.strip():
        raise unreadable(store, path, "is empty")
    return content, etag
