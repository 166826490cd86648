import logging
import os
import resource
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from tests.azurite import ACCOUNT
from tests.conformance.stores import StoreConformance
from windtunnel.errors import NotFoundError, StoreError, UnavailableError
from windtunnel.ledger import Ledger, Result, State
from windtunnel.stores import open_store
from windtunnel.stores.azure import account, listing

pytestmark = pytest.mark.azure

_containers = count()


@pytest.fixture
def credentials(azurite_server, monkeypatch) -> dict[str, str]:
    """The account's; this process's environment has them too."""
    found = {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}
    monkeypatch.setenv(*found.popitem())
    return {"AZURE_STORAGE_CONNECTION_STRING": azurite_server.connection_string}


@pytest.fixture
def url(credentials) -> str:
    """An empty place."""
    return f"azure://test-{next(_containers)}/some/prefix"


@pytest.fixture
def store(url):
    return open_store(url)


class TestAzureStore(StoreConformance):
    @pytest.fixture
    def url(self, url) -> str:
        return url


# Names and listings


@pytest.mark.parametrize(
    "run",
    ["manual__2026-07-01T12:00:00.000000+00:00", "a/b/../c", "ä ß%20?#&=+'\"<>", ".", "..", "x" * 300, "end.", "🛠"],
)
def test_any_run_id_makes_a_name_that_blobs_may_have(store, run):
    ledger = Ledger(store, "search", run)
    ledger.begin({"definition": {}, "run": run})
    ledger.record(Result(trial=f"{'0' * 16}-e1", state=State.COMPLETED))
    again = Ledger.open(ledger.url)
    assert again.search_record()["run"] == run
    assert list(again.outcomes()) == [f"{'0' * 16}-e1"]


def test_names_that_must_be_quoted_are_kept(store):
    names = ["a b/c d", "a%20b", "a+b&c=d", "a?b#c", "ä/ö.json", "it's <one>", "100%"]
    for name in names:
        store.put(name, name.encode(), {"n": '"<&>"'})
    assert [entry.path for entry in store.list()] == sorted(names)
    assert {entry.metadata["n"] for entry in store.list()} == {'"<&>"'}
    assert all(store.get(name) == name.encode() for name in names)


def test_prefixes_do_not_see_each_other(url, store):
    store.put("a", b"1")
    beside = open_store(f"{url}-2")
    assert list(beside.list()) == []
    beside.put("b", b"2")
    assert [entry.path for entry in store.list()] == ["a"]
    whole = open_store(url.removesuffix("/some/prefix"))
    assert [entry.path for entry in whole.list()] == ["some/prefix-2/b", "some/prefix/a"]


def test_a_listing_is_one_request_for_each_page(store, azurite_server, monkeypatch):
    for n in range(10):
        store.put(f"results/{n}", b"{}", {"n": str(n)})
    for page, requests in ((5000, 1), (4, 3)):
        monkeypatch.setattr(listing, "_PAGE", page)
        before = len(azurite_server.requests())
        assert [entry.metadata for entry in store.list("results/")] == [{"n": str(n)} for n in range(10)]
        asked = azurite_server.requests()[before:]
        assert len(asked) == requests
        assert all("comp=list" in path and "include=metadata" in path for _, path in asked)


@pytest.mark.parametrize("url", ["azure://", "azure://A/b", "azure://a--b/c", "azure://ab/c", "azure://abc/x//y"])
def test_containers_and_prefixes_that_cannot_be_are_told(url, credentials):
    with pytest.raises(StoreError, match=r"container's name|no path"):
        open_store(url)


def test_the_client_is_not_imported_before_it_is_needed():
    code = "import sys, windtunnel.stores, windtunnel.ledger; sys.exit(any(m.startswith('azure') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Large objects


def test_large_files_travel_in_parts_with_a_checksum(store, tmp_path, azurite_server):
    content = os.urandom(3 * account.PART + 12345)
    (tmp_path / "up").write_bytes(content)
    store.put("made", b"")
    before = len(azurite_server.requests())
    store.upload("checkpoint.pt", tmp_path / "up", {"n": "1"})
    asked = azurite_server.requests()[before:]
    assert sum("comp=block&" in path for _, path in asked) == 4
    store.download("checkpoint.pt", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == content == store.get("checkpoint.pt")
    assert store.tail("checkpoint.pt", 9) == content[-9:]
    assert store.stat("checkpoint.pt").metadata == {"n": "1"}


@pytest.mark.parametrize("size", [1000, 9 * 1024 * 1024])
def test_a_damaged_object_is_told_and_never_given(store, tmp_path, azurite_server, size):
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    store.upload("model.onnx", tmp_path / "up")
    damage(azurite_server, content)
    with pytest.raises(StoreError, match=r"model\.onnx .*damaged"):
        store.download("model.onnx", tmp_path / "down")
    with pytest.raises(StoreError, match=r"model\.onnx .*damaged"):
        store.get("model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["up"]


def test_a_log_is_read_by_range(store, azurite_server):
    store.put("log.txt", b"x" * 100_000 + b"the end")
    path = f"/{ACCOUNT}/{store.url.removeprefix('azure://')}/log.txt"
    before = len(azurite_server.answers())
    assert store.tail("log.txt", 7) == b"the end"
    asked = azurite_server.answers()[before:]
    assert [answer for method, asked_for, *answer in asked if method == "GET" and asked_for == path] == [[206, 7]]


def test_a_file_that_cannot_be_written_is_told_with_its_path(store, tmp_path):
    store.put("big", b"x" * 100_000)
    with file_sizes_up_to(50_000), pytest.raises(StoreError, match=f"cannot write {tmp_path}/big: File too large"):
        store.download("big", tmp_path / "big")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"cannot write {tmp_path}/file/big: "):
        store.download("big", tmp_path / "file" / "big")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@contextmanager
def file_sizes_up_to(size):
    """No file may grow beyond the size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def damage(server, content):
    """Change what the server has on its disk."""
    for file in (server.log.parent / "data" / "__blobstorage__").iterdir():
        stored = file.read_bytes()
        if content[:500] in stored:
            file.write_bytes(stored.replace(content[:500], b"#" * 500))


# Requests whose answer is lost


@pytest.fixture
def lost(monkeypatch):
    """The next answer to a write is lost after the server has done it."""
    from azure.core.exceptions import ServiceResponseError
    from azure.core.pipeline.transport import RequestsTransport

    monkeypatch.setattr("windtunnel.stores.azure.account._FIRST_PAUSE", 0.01)
    send, left = RequestsTransport.send, []

    def lossy(self, request, **options):
        answer = send(self, request, **options)
        if request.method == "PUT" and left:
            left.pop()
            raise ServiceResponseError("connection reset")
        return answer

    monkeypatch.setattr(RequestsTransport, "send", lossy)
    return left


def test_a_creator_knows_that_it_won_though_the_answer_was_lost(url, store, lost):
    store.put("made", b"")
    lost.append(1)
    assert open_store(url).create("results/a.json", b"mine", {"n": "1"})
    assert store.stat("results/a.json").metadata == {"n": "1"}
    lost.append(1)
    assert not open_store(url).create("results/a.json", b"mine", {"n": "1"})


def test_a_replacer_knows_that_it_won_though_the_answer_was_lost(url, store, lost):
    store.put("a", b"one")
    etag = store.stat("a").etag
    lost.append(1)
    open_store(url).put("a", b"two", if_match=etag)
    assert store.get("a") == b"two"


# What goes wrong


def sas(server, container, permission, hours=1.0):
    from azure.storage.blob import generate_container_sas

    end = datetime.now(UTC) + timedelta(hours=hours)
    token = generate_container_sas(ACCOUNT, container, server.key, permission=permission, expiry=end)
    return {"AZURE_STORAGE_ACCOUNT_URL": server.url, "AZURE_STORAGE_SAS_TOKEN": token}


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(account, "_RETRIES", 1)
    monkeypatch.setattr(account, "_FIRST_PAUSE", 0.01)


def test_a_sas_token_and_a_key_and_a_connection_string_open_the_same_store(azurite_server, url, store):
    store.put("a", b"1")
    container = url.split("/")[2]
    token = sas(azurite_server, container, "racwdl")
    ways = [
        token,
        {"AZURE_STORAGE_ACCOUNT_URL": f"{azurite_server.url}?{token['AZURE_STORAGE_SAS_TOKEN']}"},
        {"AZURE_STORAGE_ACCOUNT_URL": azurite_server.url, "AZURE_STORAGE_KEY": azurite_server.key},
        {
            "AZURE_STORAGE_CONNECTION_STRING": f"BlobEndpoint={azurite_server.url};"
            f"SharedAccessSignature={token['AZURE_STORAGE_SAS_TOKEN']}"
        },
    ]
    for way in ways:
        opened = open_store(url, way)
        assert opened.get("a") == b"1"
        assert [entry.path for entry in opened.list()] == ["a"]
        assert opened.create("b", b"2") and opened.stat("b").size == 1
        opened.delete("b")
        assert opened.credentials() == way and opened.url == url


def test_a_wrong_account_is_told(azurite_server, credentials, impatient):
    other = azurite_server.connection_string.replace(ACCOUNT, "another")
    with pytest.raises(StoreError, match=r"account another does not know what is asked for.*is its name"):
        open_store("azure://abc/p", {"AZURE_STORAGE_CONNECTION_STRING": other}).put("a", b"")
    nowhere = {"AZURE_STORAGE_ACCOUNT_URL": "https://nobody.blob.core.invalid", "AZURE_STORAGE_KEY": azurite_server.key}
    with pytest.raises(
        UnavailableError, match=r"https://nobody\.blob\.core\.invalid cannot be reached; is its name right"
    ):
        open_store("azure://abc/p", nowhere).put("a", b"")


def test_a_missing_container_is_made_if_that_is_permitted(azurite_server, url, store):
    assert list(store.list()) == []
    with pytest.raises(NotFoundError, match="its container does not exist"):
        store.get("a")
    token = sas(azurite_server, url.split("/")[2], "racwdl")
    with pytest.raises(StoreError, match=r"cannot make the container for azure://test-\d+/.*not permit"):
        open_store(url, token).put("a", b"1")
    store.put("a", b"1")
    assert open_store(url, token).get("a") == b"1"


def test_an_expired_sas_token_is_told_with_its_end(azurite_server, url, store):
    store.put("a", b"1")
    expired = open_store(url, sas(azurite_server, url.split("/")[2], "racwdl", hours=-1))
    for ask in (lambda: expired.get("a"), lambda: expired.put("a", b"2"), lambda: list(expired.list())):
        with pytest.raises(StoreError, match=r"the SAS token expired at 20..-..-..T.*; renew it"):
            ask()


def test_missing_permission_is_told_with_what_to_give(azurite_server, url, store):
    store.put("a", b"1")
    reader = open_store(url, sas(azurite_server, url.split("/")[2], "rl"))
    assert reader.get("a") == b"1"
    for ask in (lambda: reader.put("a", b"2"), lambda: reader.create("b", b"2"), lambda: reader.delete("a")):
        with pytest.raises(StoreError, match=r"do not permit it.*Storage Blob Data Contributor"):
            ask()


def test_a_wrong_key_is_told(azurite_server, url):
    for key, said in (("AAAA", "does not accept the credentials"), ("A", "the key of the account .* cannot be read")):
        wrong = {"AZURE_STORAGE_ACCOUNT_URL": azurite_server.url, "AZURE_STORAGE_KEY": key}
        with pytest.raises(StoreError, match=said):
            open_store(url, wrong).put("a", b"")


def test_missing_and_unreadable_credentials_are_told():
    with pytest.raises(StoreError, match=r"set AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_URL"):
        open_store("azure://abc/p", {})
    with pytest.raises(StoreError, match=r"AZURE_STORAGE_CONNECTION_STRING cannot be read") as told:
        open_store("azure://abc/p", {"AZURE_STORAGE_CONNECTION_STRING": f"AccountKey={'top' + 'secret'}"})
    assert "topsecret" not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize(("status", "code"), [(503, "ServerBusy"), (500, "InternalError"), (429, "TooManyRequests")])
def test_a_throttling_account_is_asked_again_and_then_told(status, code, impatient):
    with answering(status, code) as (address, asked):
        store = open_store("azure://abc/p", {"AZURE_STORAGE_ACCOUNT_URL": address, "AZURE_STORAGE_KEY": "AAAA"})
        for ask in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: list(store.list())):
            before = len(asked)
            with pytest.raises(UnavailableError, match=f"{code}"):
                ask()
            assert len(asked) - before >= (2 if status != 429 else 1)


def test_a_silent_account_is_told(monkeypatch, impatient):
    monkeypatch.setattr(account, "_READ_TIME", 0.2)
    with answering(None, "") as (address, _):
        store = open_store("azure://abc/p", {"AZURE_STORAGE_ACCOUNT_URL": address, "AZURE_STORAGE_KEY": "AAAA"})
        with pytest.raises(UnavailableError, match="did not answer in time"):
            store.get("a")


def test_no_error_and_no_log_line_has_the_secret(azurite_server, url, impatient, caplog):
    caplog.set_level(logging.INFO)
    token = sas(azurite_server, url.split("/")[2], "r")
    secret = token["AZURE_STORAGE_SAS_TOKEN"].split("sig=")[1]
    away = token | {"AZURE_STORAGE_ACCOUNT_URL": "http://127.0.0.1:1/acc"}
    texts = []
    for way in (token, away):
        store = open_store(url, way)
        texts.append(repr(store))
        for ask in (lambda s: s.get("a"), lambda s: s.put("a", b""), lambda s: list(s.list()), lambda s: s.stat("a")):
            with pytest.raises(StoreError) as told:
                ask(store)
            texts.append("".join(traceback.format_exception(told.value)))
    assert len(texts) == 10
    assert not [text for text in [*texts, caplog.text] if secret in text]


class answering:  # noqa: N801
    """A server that gives every request the same answer, or none."""

    def __init__(self, status, code):
        self.asked = asked = []
        self.over = over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                if status is None:
                    over.wait(20)
                    return
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("x-ms-error-code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/account", self.asked

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
