"""From a URL to a store."""

from pathlib import Path

from windtunnel.errors import StoreError
from windtunnel.stores.base import Store
from windtunnel.stores.credentials import Credentials, credentials

SCHEMES = ("file", "azure")
ALLOWED = "a folder, a file:// or an azure:// URL"


def open_store(url: str, given: Credentials | None = None) -> Store:
    """The store at a URL: a folder, `file:///folder`, or `azure://container/prefix`.

    Args:
        url: of the store; it holds no credentials.
        given: credentials, by the names of the environment variables that they would be in; by default this process's.

    Raises:
        StoreError: no store has such URLs, or its credentials are missing.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _local(url)
    if scheme == "file":
        return _local(rest)
    if scheme == "azure":
        from windtunnel.stores.azure import AzureStore

        container, _, prefix = rest.partition("/")
        return AzureStore(container, prefix, credentials() if given is None else given)
    raise StoreError(f"no store is known for {url!r}: give {ALLOWED}")


def _local(path: str) -> Store:
    from windtunnel.stores.local import LocalStore

    return LocalStore(Path(path))
