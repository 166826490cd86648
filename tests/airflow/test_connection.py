"""An Airflow connection as the store's credentials."""

import asyncio
import json
import os

import pytest
from airflow.models import Connection

from windtunnel.stores import credentials as seam
from windtunnel_airflow import connection

ACCOUNT = "https://acc.blob.core.windows.net"


def given(**fields):
    return Connection(conn_id="windtunnel_store", conn_type="wasb", **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"extra": {"connection_string": "AccountName=a"}}, {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a"}),
        (
            {"login": "acc", "extra": {"sas_token": "?sv=1&sig=x"}},
            {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT, "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=x"},
        ),
        (
            {"login": "x", "extra": {"sas_token": f"{ACCOUNT}?sv=1&sig=x"}},
            {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT, "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=x"},
        ),
        ({"login": "acc", "password": "key"}, {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT, "AZURE_STORAGE_KEY": "key"}),
        (
            {"host": "acc.blob.core.windows.net", "extra": {"extra__wasb__shared_access_key": "key"}},
            {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT, "AZURE_STORAGE_KEY": "key"},
        ),
        (
            {"host": "http://azurite:10000/acc", "extra": {"account_key": "key"}},
            {"AZURE_STORAGE_ACCOUNT_URL": "http://azurite:10000/acc", "AZURE_STORAGE_KEY": "key"},
        ),
        (
            {"host": ACCOUNT, "login": "app", "password": "secret", "extra": {"tenant_id": "tenant"}},
            {
                "AZURE_STORAGE_ACCOUNT_URL": ACCOUNT,
                "AZURE_TENANT_ID": "tenant",
                "AZURE_CLIENT_ID": "app",
                "AZURE_CLIENT_SECRET": "secret",
            },
        ),
        ({"host": ACCOUNT}, {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT}),
        (
            {"host": ACCOUNT, "extra": {"managed_identity_client_id": "id"}},
            {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT, "AZURE_CLIENT_ID": "id"},
        ),
    ],
    ids=["connection string", "SAS", "SAS URL", "key", "shared key", "extra key", "principal", "identity", "chosen"],
)
def test_every_kind_of_connection_has_its_variables(fields, expected):
    extra = fields.pop("extra", {})
    assert connection.credentials_of(given(**fields, extra=json.dumps(extra))) == expected


def test_each_way_to_authenticate_gets_its_own_client(monkeypatch):
    """Nothing is sent: it is the choice that counts."""
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    from windtunnel.stores.azure.account import container_client

    def credential(variables):
        return container_client("abc", variables).credential

    url = {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT}
    principal = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "secret"}
    assert isinstance(credential(url | principal).source, ClientSecretCredential)
    assert isinstance(credential(url).source, DefaultAzureCredential)
    assert isinstance(credential(url | {"AZURE_CLIENT_ID": "id"}).source, DefaultAzureCredential)
    assert credential(url | {"AZURE_STORAGE_KEY": "AAAA"}).account_key == "AAAA"
    assert "sig=x" in container_client("abc", url | {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=x"}).url


def test_the_connection_comes_before_the_environment_and_its_secrets_are_masked(home, monkeypatch):
    masked = []
    monkeypatch.setattr(connection, "mask_secret", masked.append)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "from the environment")
    monkeypatch.delenv("AIRFLOW_CONN_WINDTUNNEL_STORE", raising=False)
    monkeypatch.setattr(seam, "_source", seam._source)
    connection.use_connection()
    assert seam.credentials() is os.environ
    text = "AccountName=a;AccountKey=topsecret=="
    fields = {"conn_type": "wasb", "extra": {"connection_string": text}}
    monkeypatch.setenv("AIRFLOW_CONN_WINDTUNNEL_STORE", json.dumps(fields))
    assert seam.credentials() == {"AZURE_STORAGE_CONNECTION_STRING": text}
    assert masked == [text, "topsecret=="]
    assert asyncio.run(connection.connection_credentials_async()) == seam.credentials()
    monkeypatch.setenv(
        "AIRFLOW_CONN_WINDTUNNEL_STORE", json.dumps(fields | {"extra": {"connection_string": f'"{text}\n"'}})
    )
    masked.clear()
    assert seam.credentials() == {"AZURE_STORAGE_CONNECTION_STRING": text}
    assert masked == [text, "topsecret=="]
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "wasb", "login": "acc", "password": "k"}))
    monkeypatch.setenv("WINDTUNNEL_STORE_CONNECTION", "other")
    assert seam.credentials() == {"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT, "AZURE_STORAGE_KEY": "k"}
