"""Credentials as people give them, and identities that are busy; nothing here needs an account."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from windtunnel.errors import StoreError
from windtunnel.stores.azure import identity as identities
from windtunnel.stores.azure.account import cleaned, container_client
from windtunnel.stores.azure.errors import explain
from windtunnel.stores.azure.identity import identity

KEY = "c2VjcmV0"
TEXT = f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.windows.net"
PLACE = "https://acc.blob.core.windows.net"


@pytest.mark.parametrize(
    "text",
    [
        *(f"{TEXT}\n", f"\n {TEXT}\r\n", f'"{TEXT}"', f"'{TEXT}'\n", f' "{TEXT}\n" ', TEXT.replace(";Acc", ";\nAcc")),
        *(TEXT.replace(";Acc", ";\r\n    Acc"), f"\u201c{TEXT}\u201d", f"\ufeff{TEXT}", f'{TEXT}"'),
    ],
)
def test_what_copying_leaves_around_a_connection_string_is_taken_off(text):
    given = {"AZURE_STORAGE_CONNECTION_STRING": text}
    assert cleaned(given) == {"AZURE_STORAGE_CONNECTION_STRING": TEXT}
    assert container_client("abc", given).url == f"{PLACE}/abc"


def test_every_variable_is_cleaned():
    given = {
        "AZURE_STORAGE_ACCOUNT_URL": f'"{PLACE}"\n',
        "AZURE_STORAGE_KEY": f"{KEY}\n",
        "AZURE_STORAGE_SAS_TOKEN": " 'sv=1&sig=x' ",
        "AZURE_CLIENT_SECRET": '"a secret may have quotes"\n',
        "AZURE_CLIENT_ID": "\n",
    }
    assert cleaned(given) == {
        "AZURE_STORAGE_ACCOUNT_URL": PLACE,
        "AZURE_STORAGE_KEY": KEY,
        "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=x",
        "AZURE_CLIENT_SECRET": '"a secret may have quotes"',
    }


@pytest.mark.parametrize(
    "url",
    [
        f"{PLACE}/container",
        f"{PLACE}/container/prefix/",
        f"{PLACE}:443/container",
        f"{PLACE}/container?sv=1&sig=topsecret",
        "https://data.example.com/container",
        "http://127.0.0.1:10000/account/container",
        "http://azurite/account/container",
    ],
)
def test_an_accounts_url_with_a_path_is_refused_however_it_is_given(url):
    for given in (
        {"AZURE_STORAGE_ACCOUNT_URL": url, "AZURE_STORAGE_KEY": KEY},
        {"AZURE_STORAGE_CONNECTION_STRING": f"BlobEndpoint={url};AccountName=acc;AccountKey={KEY}"},
    ):
        with pytest.raises(StoreError, match=r"has a path; give the account's address alone") as refusal:
            container_client("abc", given)
        assert "topsecret" not in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [PLACE, f"{PLACE}/", "http://127.0.0.1:10000/account", "http://azurite:10000/account", "http://azurite/account"],
)
def test_an_account_by_itself_is_taken(url):
    given = {"AZURE_STORAGE_ACCOUNT_URL": url, "AZURE_STORAGE_SAS_TOKEN": "sig=x"}
    assert container_client("abc", given).url.partition("?")[0] == f"{url.rstrip('/')}/abc"


class Endpoint:
    """Gives tokens to machines, as Azure's does; the first requests are too many."""

    def __init__(self, refusals):
        self.requests = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                endpoint.requests.append(self.path)
                busy = len(endpoint.requests) <= refusals
                content = {"error": "too_many_requests"} if busy else {
                    "access_token": "token", "expires_in": "86400", "expires_on": "9999999999", "resource": "r",
                    "token_type": "Bearer",
                }  # fmt: skip
                self.send_response(429 if busy else 200)
                self.send_header("Content-Type", "application/json")
                if busy:
                    self.send_header("Retry-After", "0.01")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def endpoint(monkeypatch):
    """An endpoint that refuses so many requests; the machine's own credentials play no part."""
    servers = []

    def serve(refusals):
        found = Endpoint(refusals)
        servers.append(found.server)
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{found.server.server_port}")
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        return found

    identities._identity.cache_clear()
    identities._tokens.clear()
    yield serve
    identities._identity.cache_clear()
    identities._tokens.clear()
    for server in servers:
        server.shutdown()
        server.server_close()


SCOPE = "https://storage.azure.com/.default"


def test_four_times_too_many_requests_are_waited_for(endpoint):
    served = endpoint(4)
    assert identity(None, None, None).get_token_info(SCOPE).token == "token"
    assert len(served.requests) >= 5


def test_an_endpoint_that_stays_busy_is_told_as_busy(endpoint):
    from azure.core.exceptions import HttpResponseError

    from windtunnel.errors import UnavailableError

    endpoint(10_000)
    with pytest.raises(HttpResponseError) as busy:
        identity(None, None, None).get_token_info(SCOPE)
    told = explain(busy.value, "read azure://abc/a", {"AZURE_STORAGE_ACCOUNT_URL": PLACE})
    assert isinstance(told, UnavailableError)
    assert "is busy (429); it is worth trying again later" in str(told)
    assert "no identity" not in str(told)


def test_one_token_serves_all_clients(endpoint):
    served = endpoint(0)
    url = {"AZURE_STORAGE_ACCOUNT_URL": PLACE}
    clients = [container_client(name, url) for name in ("abc", "def", "abc")]
    assert len({id(client.credential) for client in clients}) == 1
    asked = [client.credential.get_token(SCOPE).token for client in clients]
    before = len(served.requests)
    identities._identity.cache_clear()  # as in a process that was forked
    asked += [container_client("ghi", url).credential.get_token_info(SCOPE).token]
    assert asked == ["token"] * 4
    assert len(served.requests) == before


def test_a_token_that_is_about_to_end_is_asked_for_anew(endpoint):
    served = endpoint(0)
    source = identity(None, None, None)
    token = source.get_token_info(SCOPE)
    token.expires_on = 0
    again = source.get_token_info(SCOPE)
    assert again is not token and again.expires_on > 0 and served.requests
