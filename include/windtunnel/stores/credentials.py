"""Where stores take their credentials from: variables of the environment, or what stands in for them.

Credentials travel as environment variables and in no other way: in a process's own environment, in a Kubernetes
secret, or made from an Airflow connection.
"""

import os
from collections.abc import Callable, Mapping

Credentials = Mapping[str, str]
"""Variables such as `AZURE_STORAGE_CONNECTION_STRING`, by name."""


def _environment() -> Credentials:
    return os.environ


_source: Callable[[], Credentials] = _environment


def credentials() -> Credentials:
    """What stores of this process are opened with: its environment, unless `take_credentials_from` says otherwise."""
    return _source()


def take_credentials_from(source: Callable[[], Credentials]) -> None:
    """Let all stores that this process opens from now on ask `source` for their credentials."""
    global _source
    _source = source
