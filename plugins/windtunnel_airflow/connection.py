"""The store's credentials, from an Airflow connection of the type "Azure Blob Storage" (`wasb`).

They stay in the process that asked for them and go to jobs by their environment: no command line, XCom, template or
ledger ever has them.
"""

import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from windtunnel.stores.azure.account import cleaned
from windtunnel.stores.credentials import Credentials, take_credentials_from

VARIABLE = "WINDTUNNEL_STORE_CONNECTION"
DEFAULT = "windtunnel_store"


def use_connection() -> None:
    """Let the stores that this process opens take their credentials from the connection, if there is one."""
    take_credentials_from(connection_credentials)


def connection_credentials() -> Credentials:
    """The connection's credentials; this process's environment where there is no such connection."""
    try:
        return _masked(BaseHook.get_connection(_name()))
    except AirflowNotFoundException:
        return os.environ


async def connection_credentials_async() -> Credentials:
    """As `connection_credentials`, for triggers: their event loop must not wait."""
    try:
        return _masked(await BaseHook.aget_connection(_name()))
    except AirflowNotFoundException:
        return os.environ


def credentials_of(connection: Any) -> dict[str, str]:
    """A connection as the environment variables that mean the same, in the order of precedence of Airflow's own hook.

    Args:
        connection: with a connection string (extra `connection_string`), or with the account's URL as host or its name
            as login, and a service principal (extra `tenant_id`, login and password), a SAS token (extra `sas_token`),
            an account key (password, or extra `shared_access_key` or `account_key`), or nothing more: the identity of
            the machine, which the extra `managed_identity_client_id` chooses among several.
    """
    extra = _extra(connection.extra_dejson or {})
    if text := extra.get("connection_string"):
        return {"AZURE_STORAGE_CONNECTION_STRING": text}
    url = _account_url(connection.host, connection.login)
    if tenant := extra.get("tenant_id"):
        principal = {"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": connection.login}
        return {"AZURE_STORAGE_ACCOUNT_URL": url, **principal, "AZURE_CLIENT_SECRET": connection.password}
    if key := extra.get("shared_access_key"):
        return {"AZURE_STORAGE_ACCOUNT_URL": url, "AZURE_STORAGE_KEY": key}
    if token := extra.get("sas_token"):
        if token.startswith("http"):
            url, _, token = token.partition("?")
        return {"AZURE_STORAGE_ACCOUNT_URL": url, "AZURE_STORAGE_SAS_TOKEN": token.lstrip("?")}
    if key := connection.password or extra.get("account_key"):
        return {"AZURE_STORAGE_ACCOUNT_URL": url, "AZURE_STORAGE_KEY": key}
    client = extra.get("managed_identity_client_id")
    return {"AZURE_STORAGE_ACCOUNT_URL": url} | ({"AZURE_CLIENT_ID": client} if client else {})


def _name() -> str:
    return os.environ.get(VARIABLE, DEFAULT)


def _masked(connection: Any) -> dict[str, str]:
    """The connection's credentials, which Airflow's logs show as asterisks from now on."""
    credentials = cleaned(credentials_of(connection))
    for name, value in credentials.items():
        if name == "AZURE_STORAGE_CONNECTION_STRING":
            parts = (part.partition("=") for part in value.split(";"))
            for secret in (
                value,
                *(v for key, _, v in parts if key.lower() in ("accountkey", "sharedaccesssignature")),
            ):
                mask_secret(secret)
        elif name in ("AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET"):
            mask_secret(value)
    return credentials


def _extra(extra: Mapping[str, Any]) -> dict[str, str]:
    """The extra fields under their short names; forms of older Airflows prefix them."""
    return {key.removeprefix("extra__wasb__"): str(value) for key, value in extra.items() if value}


def _account_url(host: str | None, account: str | None) -> str:
    host = host and host.strip()
    if host and "://" in host:
        return host.rstrip("/")
    if host and "." in host:
        return f"https://{host}".rstrip("/")
    return f"https://{account}.blob.core.windows.net"
