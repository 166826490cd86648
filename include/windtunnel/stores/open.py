"""From a URL to a store."""

from pathlib import Path

from windtunnel.errors import StoreError
from windtunnel.stores.base import Store


def open_store(url: str) -> Store:
    """The store at a URL: a folder, or `file:///folder`.

    Raises:
        StoreError: no store has such URLs.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _local(url)
    if scheme == "file":
        return _local(rest)
    raise StoreError(f"no store is known for {url!r}: give a folder or a file:// URL")


def _local(path: str) -> Store:
    from windtunnel.stores.local import LocalStore

    return LocalStore(Path(path))
