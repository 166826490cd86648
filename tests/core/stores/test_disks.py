"""A disk that is full, and a run's folder that is moved away: told once, waited for, and gone on with."""

import errno
import os
import subprocess

import pytest

from windtunnel.errors import NotFoundError, UnavailableError
from windtunnel.ledger import Ledger
from windtunnel.stores.local import LocalStore
from windtunnel.stores.local import store as local_store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(local_store, "_PAUSES", (0.0, 0.0))
    return LocalStore(tmp_path / "store")


def fail(monkeypatch, number, times):
    """The disk refuses the next writes; how many it has refused."""
    refused = []
    sync = os.fsync

    def full(descriptor):
        if len(refused) < times:
            refused.append(descriptor)
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    return refused


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE])
def test_what_a_person_may_mend_may_pass(store, monkeypatch, number):
    fail(monkeypatch, number, 1)
    with pytest.raises(UnavailableError, match=r"cannot write .*/a: .*, and the run goes on by itself"):
        store.put("a", b"1")


def test_a_write_waits_for_a_full_disk_and_tells_so_once(store, monkeypatch, tmp_path):
    told = []
    store.on_wait = told.append
    (tmp_path / "file").write_bytes(b"3")
    for write in (
        lambda: store.create("a", b"1"),
        lambda: store.put("b", b"2"),
        lambda: store.upload("c", tmp_path / "file"),
    ):
        told.clear()
        refused = fail(monkeypatch, errno.ENOSPC, 5)
        write()
        assert len(refused) == 5
        assert len(told) == 2
        assert "No space left" in told[0] and "free some space" in told[0]
        assert told[1] == f"{store.url} takes writes again"
        monkeypatch.undo()
        monkeypatch.setattr(local_store, "_PAUSES", (0.0, 0.0))
    assert [store.get(name) for name in "abc"] == [b"1", b"2", b"3"]
    assert not [file for file in (store.folder / ".meta").iterdir() if file.suffix == ".tmp"]


def test_a_runs_folder_that_was_moved_away_is_missed_and_not_made_anew(store, tmp_path):
    begun = Ledger(store, "search", "run")
    begun.write_json("search.json", {"definition": {}})
    ledger = begun.with_spec("0" * 64)
    (store.folder / "search/run").rename(tmp_path / "elsewhere")
    for use in (
        lambda: ledger.outcomes(),
        lambda: ledger.read_json("search.json"),
        lambda: ledger.outcome("0" * 16 + "-e1"),
        lambda: ledger.write_json("models.json", {}),
        lambda: ledger.finish("s1"),
    ):
        with pytest.raises(UnavailableError, match="search/run is gone; bring it back"):
            use()
    assert not (store.folder / "search/run").exists()
    (tmp_path / "elsewhere").rename(store.folder / "search/run")
    ledger.finish("s1")
    assert ledger.read_json("search.json") == {"definition": {}}
    with pytest.raises(NotFoundError):
        ledger.store.get("search/run/none.json")


def test_a_write_waits_for_a_folder_to_come_back(store, tmp_path, monkeypatch):
    ledger = Ledger(store, "search", "run")
    ledger.write_json("search.json", {})
    (store.folder / "search/run").rename(tmp_path / "elsewhere")
    told = []

    def bring_back(text):
        told.append(text)
        if len(told) == 1:
            (tmp_path / "elsewhere").rename(store.folder / "search/run")

    ledger.store.on_wait = bring_back
    ledger.with_spec("0" * 64).finish("s1")
    assert len(told) == 2 and "is gone; bring it back" in told[0]
    assert ledger.finished("s1")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "windtunnel", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_is_told_before_and_by_a_write(small_disk, monkeypatch):
    monkeypatch.setattr(local_store, "_PAUSES", (0.0, 0.0))
    store = LocalStore(small_disk / "store")
    store.put("before", b"1")
    assert store.refusal() == ""
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * 4 * 1024 * 1024)
    assert "is full" in store.refusal() and "free some space" in store.refusal()
    assert store.get("before") == b"1"
    told = []

    def mend(text):
        told.append(text)
        filler.unlink(missing_ok=True)

    store.on_wait = mend
    store.put("after", b"2" * 100_000)
    assert len(told) == 2 and "No space left" in told[0]
    assert store.refusal() == "" and len(store.get("after")) == 100_000
