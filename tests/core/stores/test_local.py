import errno
import json
import os
import shutil

import pytest

from tests.conformance.stores import StoreConformance
from windtunnel.errors import NotFoundError, StoreError
from windtunnel.stores import open_store
from windtunnel.stores.local import LocalStore


class TestLocalStore(StoreConformance):
    @pytest.fixture
    def url(self, tmp_path) -> str:
        return str(tmp_path / "store")


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_the_url_is_the_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_store("runs").url == open_store(f"file://{tmp_path}/runs").url == str(tmp_path / "runs")


def test_a_copied_folder_is_a_store_without_metadata(store, tmp_path):
    store.put("results/a.json", b"{}", {"n": "1"})
    shutil.copytree(store.folder, tmp_path / "copy")
    copy = LocalStore(tmp_path / "copy")
    assert copy.get("results/a.json") == b"{}"
    assert [entry.metadata for entry in copy.list()] == [{}]
    copy.delete("results/a.json")
    assert list(copy.list()) == []


def test_a_file_put_there_by_hand_is_an_object(store):
    store.folder.mkdir()
    (store.folder / "notes.txt").write_text("by hand")
    assert [(entry.path, entry.metadata) for entry in store.list()] == [("notes.txt", {})]
    store.delete("notes.txt")
    assert list(store.list()) == []


def test_replacing_leaves_nothing_behind(store):
    for n in range(5):
        store.put("a", b"x", {"n": json.dumps(n)})
        store.create("a", b"x", {"n": json.dumps(n)})
    assert len([file for file in (store.folder / ".meta").iterdir() if file.name != "lock"]) == 1


def test_no_link_below_the_folder_is_followed(store, tmp_path):
    store.put("search/run-1/a", b"1")
    (store.folder / "latest").symlink_to("search/run-1")
    for read in (store.get, store.stat, store.open):
        with pytest.raises(NotFoundError, match="latest/a: a symbolic link is not followed here"):
            read("latest/a")
    with pytest.raises(StoreError, match=r"cannot write .*latest/b: a symbolic link is not followed here"):
        store.put("latest/b", b"2")
    assert [entry.path for entry in store.list()] == ["search/run-1/a"]
    assert list(store.list("latest/")) == []


def test_the_folder_itself_may_be_a_link(store, tmp_path):
    store.put("run/a", b"1")
    (tmp_path / "runs").symlink_to(store.folder)
    linked = LocalStore(tmp_path / "runs")
    linked.put("run/b", b"2")
    assert store.get("run/b") == b"2"
    assert [entry.path for entry in linked.list()] == ["run/a", "run/b"]


def test_metadata_torn_by_a_power_failure_counts_as_none(store):
    store.put("a", b"1", {"n": "1"})
    (meta,) = (store.folder / ".meta").glob("a.*")
    meta.write_bytes(b"")
    assert store.stat("a").metadata == {}


def test_a_full_disk_is_told_with_the_path_and_leaves_the_old_version(store, monkeypatch):
    store.put("run/a", b"old", {"n": "1"})

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (store.put, store.create):
        with pytest.raises(StoreError, match=r"run/b?a?.*No space left on device"):
            write("run/b" if write == store.create else "run/a", b"new")
    assert store.get("run/a") == b"old"
    assert [entry.path for entry in store.list()] == ["run/a"]
    assert list((store.folder / "run" / ".meta").glob("*.tmp")) == []


def test_a_place_that_cannot_be_written_is_told_with_the_path(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    store = LocalStore(tmp_path / "file")
    with pytest.raises(StoreError, match=f"{tmp_path}/file/a: Not a directory"):
        store.put("a", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_missing_permission_is_told_with_the_path(store):
    store.put("run/a", b"old")
    (store.folder / "run" / ".meta").chmod(0o500)
    try:
        with pytest.raises(StoreError, match="run/a: Permission denied"):
            store.put("run/a", b"new")
    finally:
        (store.folder / "run" / ".meta").chmod(0o700)
