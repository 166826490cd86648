"""From credentials to a client of one container."""

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from windtunnel.errors import StoreError
from windtunnel.stores.azure.identity import identity
from windtunnel.stores.credentials import Credentials

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_URL = "AZURE_STORAGE_ACCOUNT_URL"
SAS_TOKEN = "AZURE_STORAGE_SAS_TOKEN"  # noqa: S105  (the variable's name)
KEY = "AZURE_STORAGE_KEY"
TENANT, CLIENT, SECRET = "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"

VARIABLES = (CONNECTION_STRING, ACCOUNT_URL, SAS_TOKEN, KEY, TENANT, CLIENT, SECRET)
"""All that may tell how to reach an account. `DefaultAzureCredential` looks at more of the environment by itself."""

PART = 8 * 1024 * 1024  # bytes; larger objects travel in parts of this size, so that memory stays small
_AROUND = " \t\"'`\u2018\u2019\u201c\u201d\ufeff\u200b"  # what copying leaves at the ends of a credential
_RETRIES = 6  # of a request that got no answer, or "busy": about a minute with the pauses between
_FIRST_PAUSE = 1  # seconds; 2, 4, 8, … are added to it later
_READ_TIME = 30  # seconds that an answer may take


def cleaned(credentials: Credentials) -> dict[str, str]:
    """The credentials that are given, without what copying leaves around them: spaces, line breaks, quotes."""
    given = {name: credentials[name].strip() for name in VARIABLES if credentials.get(name)}
    copied = {name: _unquoted(value) for name, value in given.items() if name != SECRET}
    return {name: value for name, value in (given | copied).items() if value}


def container_client(container: str, credentials: Credentials) -> "ContainerClient":
    """A client of the container, whether that exists or not; nothing is sent yet.

    Raises:
        StoreError: the credentials are missing or cannot be read, or the account's URL leads into the account.
    """
    credentials = cleaned(credentials)
    _check_endpoint(container, credentials)
    from azure.storage.blob import BlobServiceClient, ExponentialRetry

    options: dict[str, Any] = {
        "retry_policy": ExponentialRetry(
            initial_backoff=_FIRST_PAUSE,
            increment_base=2,
            retry_total=_RETRIES,
            retry_connect=_RETRIES,
            retry_read=_RETRIES,
            retry_status=_RETRIES,
            random_jitter_range=_FIRST_PAUSE,
        ),
        "connection_timeout": 10,
        "read_timeout": _READ_TIME,
        "max_single_put_size": PART,
        "max_block_size": PART,
        "max_single_get_size": PART,
        "max_chunk_get_size": PART,
        "logger": _quiet(),
    }
    try:
        if credentials.get(CONNECTION_STRING):
            service = BlobServiceClient.from_connection_string(credentials[CONNECTION_STRING], **options)
        elif credentials.get(ACCOUNT_URL):
            service = BlobServiceClient(credentials[ACCOUNT_URL], credential=_credential(credentials), **options)
        else:
            raise StoreError(
                f"no credentials for azure://{container}: set {CONNECTION_STRING} or {ACCOUNT_URL}, "
                "in Airflow the connection that docs/azure.md describes"
            )
    except ValueError:  # its text may hold what it could not read
        used = CONNECTION_STRING if credentials.get(CONNECTION_STRING) else f"{ACCOUNT_URL}, {SAS_TOKEN} or {KEY}"
        raise StoreError(f"azure://{container}: {used} cannot be read; copy it anew from the account's page") from None
    return service.get_container_client(container)


def _credential(credentials: Credentials) -> Any:
    given = credentials.get(SAS_TOKEN) or credentials.get(KEY)
    if given or "?" in credentials[ACCOUNT_URL]:
        return given
    return identity(*(credentials.get(name) for name in (TENANT, CLIENT, SECRET)))


def _unquoted(text: str) -> str:
    """On one line, without the quotes around it, straight or typographic, even if only one was copied: none has any."""
    return "".join(map(str.strip, text.splitlines())).strip(_AROUND)


def _check_endpoint(container: str, credentials: Credentials) -> None:
    """See that the address is the account's own: blobs would be written below whatever path it has."""
    text = credentials.get(CONNECTION_STRING)
    endpoint = re.search(r"BlobEndpoint=([^;]+)", text, re.IGNORECASE) if text else None
    url = endpoint.group(1) if endpoint else "" if text else credentials.get(ACCOUNT_URL, "")
    place, _, _ = url.partition("?")
    try:
        parts = urlsplit(place)
        depth = len(list(filter(None, parts.path.split("/"))))
        allowed = 1 if _names_account_in_path(parts.hostname or "", parts.port) else 0
    except ValueError:
        return  # the client knows the error to raise
    if depth > allowed:
        used = f"BlobEndpoint of {CONNECTION_STRING}" if text else f"{ACCOUNT_URL}, or the host of Airflow's connection"
        raise StoreError(
            f"azure://{container}: {used}: {place} has a path; give the account's address alone, such as "
            "https://account.blob.core.windows.net, and the container in the store's URL, azure://container/prefix"
        )


def _names_account_in_path(host: str, port: int | None) -> bool:
    """Whether the first part of the path is the account, as emulators have it."""
    if port is not None or "." not in host:
        return ".blob." not in host
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _quiet() -> Any:
    """A logger for the client's requests, which it would tell one by one at the level of information."""
    import logging

    logger = logging.getLogger(__name__)
    logger.setLevel(logging.WARNING)
    return logger
