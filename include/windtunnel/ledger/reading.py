"""Reads a run's objects, whatever lies there: a bad one is named with its mend, strangers' files are passed over."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import merge
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import ValidationError

from windtunnel.errors import NoObjectError, UnfitError, UnreadableError
from windtunnel.ledger.records import Record
from windtunnel.stores import Store
from windtunnel.stores.base import Entry

_MEND = "bring it back from a copy, or delete it and resume the run, which makes it anew"
_NEVER = datetime.fromtimestamp(0, UTC)

R = TypeVar("R", bound=Record)


def read_record(store: Store, path: str, kind: type[R]) -> R:
    """The record at a path.

    Raises:
        NotFoundError: there is none.
        UnreadableError: what is there is no record of that kind.
        StoreError: the store failed.
    """
    return read_tagged(store, path, kind)[0]


def read_tagged(store: Store, path: str, kind: type[R]) -> tuple[R, str]:
    """The record at a path, and the etag of its object; raises what `read_record` does."""
    content, etag = content_of(store, path)
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
        StoreError: the store failed.
    """
    try:
        content = json.loads(content_of(store, path)[0])
    except (ValueError, RecursionError) as error:
        raise unreadable(store, path, f"is no JSON object: {error}") from error
    if not isinstance(content, dict):
        raise unreadable(store, path, "is no JSON object")
    return content


def unreadable(store: Store, path: str, why: str) -> UnreadableError:
    """The error for an object that cannot be used; `why` goes on after its URL."""
    return UnreadableError(f"{store.url}/{path} {why}; {_MEND}")


def named(store: Store, folder: str, start: str = "") -> Iterator[tuple[str, Entry]]:
    """The JSON objects right in a folder, each with its name without `.json`; strangers' files are left out.

    What stands in the place of one, such as a folder, is among them: whoever reads it is told so.

    Args:
        store: to look into.
        folder: its path, with a slash at its end.
        start: what the names begin with.
    """
    obstacles = (Entry(path, size=0, modified=_NEVER, etag="") for path in sorted(store.obstacles(folder)))
    for entry in merge(store.list(folder + start), obstacles, key=attrgetter("path")):
        name = entry.path.removeprefix(folder)
        if name.startswith(start) and name.endswith(".json") and not name.startswith(".") and "/" not in name:
            yield name.removesuffix(".json"), entry


def content_of(store: Store, path: str) -> tuple[bytes, str]:
    """The content of an object that is not big, and its etag.

    Raises:
        NotFoundError: there is none.
        UnreadableError: it is empty or too big, something else stands in its place, or this user may not read it.
    """
    try:
        content, etag = store.get_tagged(path)
    except NoObjectError as error:
        raise UnreadableError(str(error)) from error
    except UnfitError as error:
        raise UnreadableError(f"{error}; {_MEND}") from error
    if not content.strip():
        raise unreadable(store, path, "is empty")
    return content, etag
