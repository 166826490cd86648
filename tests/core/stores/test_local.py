import errno
import fcntl
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import pytest

from tests.conformance.stores import StoreConformance
from windtunnel.errors import NoObjectError, NotFoundError, StoreError, UnfitError, UnreadableError
from windtunnel.ledger.reading import read_object
from windtunnel.stores import open_store
from windtunnel.stores.local import LocalStore, writing


class TestLocalStore(StoreConformance):
    @pytest.fixture
    def url(self, tmp_path) -> str:
        return str(tmp_path / "store")


@pytest.fixture
def no_links(monkeypatch):
    """A file system without hard links."""

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
class TestLocalStoreWithoutHardLinks(StoreConformance):
    @pytest.fixture
    def url(self, tmp_path) -> str:
        return str(tmp_path / "store")


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_one_of_many_creates(store):
    with ThreadPoolExecutor(16) as pool:
        for name in "abcde":
            wrote = list(pool.map(lambda n, name=name: store.create(name, bytes([n]), {"n": str(n)}), range(16)))
            assert sum(wrote) == 1
            assert store.get(name) == bytes([wrote.index(True)])
            assert store.stat(name).metadata == {"n": str(wrote.index(True))}
    left = [file.name for file in (store.folder / ".meta").iterdir()]
    assert len(left) == 6 and not [name for name in left if name.endswith(".tmp")]  # five of metadata, and the lock


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
        with pytest.raises(NotFoundError, match="latest/a: a symbolic link is not followed here; move it away"):
            read("latest/a")
    with pytest.raises(StoreError, match=r"cannot write .*latest/b: a symbolic link is not followed here"):
        store.put("latest/b", b"2")
    assert [entry.path for entry in store.list()] == ["search/run-1/a"]
    assert list(store.list("latest/")) == []


def test_what_stands_in_the_place_of_an_object_is_named_by_reads_writes_and_among_the_obstacles(store):
    store.put("results/whole.json", b"{}")
    folder = store.folder / "results"
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to("whole.json")
    os.mkfifo(folder / "pipe.json")
    places = [f"results/{name}.json" for name in ("folder", "link", "pipe")]
    assert sorted(store.obstacles("results/")) == places
    for path in places:
        for use in (store.get, store.stat, lambda path: store.create(path, b"")):
            with pytest.raises(NoObjectError, match="move it away"):
                use(path)
    assert store.obstacles("claims/") == () and [entry.path for entry in store.list()] == ["results/whole.json"]
    (store.folder / "steps").write_text("")
    with pytest.raises(NoObjectError, match="steps: what is no folder stands in the place of one; move it away"):
        store.obstacles("steps/")


def test_an_object_that_this_user_may_not_read_is_unreadable_and_not_a_store_that_fails(store, monkeypatch):
    store.put("results/a.json", b"{}")

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("windtunnel.stores.local.store.open_file", refuse)
    with pytest.raises(UnfitError, match=r"results/a\.json: Permission denied; let this user read it"):
        store.get("results/a.json")
    with pytest.raises(UnreadableError, match="let this user read it; bring it back from a copy"):
        read_object(store, "results/a.json")


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
    told = f"{tmp_path}/file/a: what is no folder stands in the place of one; move it away"
    with pytest.raises(StoreError, match=told):
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


class Dying:
    """A process that is killed, as a power failure would, before the n-th thing that it asks of the system."""

    ASKED = ((os, "link"), (os, "replace"), (os, "unlink"), (os, "fsync"), (os, "utime"), (fcntl, "flock"))

    def __init__(self, n):
        self._left = n

    def run(self, work):
        """Whether it died."""
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                for module, name in (*self.ASKED, (writing, "open_file")):
                    setattr(module, name, self._mortal(getattr(module, name)))
                work()
                os._exit(0)
            os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, DIED)
        return code == DIED

    def _mortal(self, function):
        def asked(*arguments, **named):
            self._left -= 1
            return os._exit(DIED) if self._left == 0 else function(*arguments, **named)

        return asked


DIED = 9
WRITES = {
    "create": lambda store, _: store.create("run/new", b"new", {"n": "2"}),
    "put": lambda store, _: store.put("run/new", b"new", {"n": "2"}),
    "replace": lambda store, _: store.put("run/old", b"new", {"n": "2"}),
    "upload": lambda store, file: store.upload("run/old", file, {"n": "2"}),
    "delete": lambda store, _: store.delete("run/old"),
}


def shown(store):
    return {entry.path: (store.get(entry.path), dict(entry.metadata)) for entry in store.list()}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_a_kill_leaves_is_no_object_and_is_swept(tmp_path, write):
    (tmp_path / "file").write_bytes(b"new")
    for n in count(1):
        store = LocalStore(tmp_path / f"store-{n}")
        store.put("run/old", b"old", {"n": "1"})
        before = shown(store)
        died = Dying(n).run(lambda: write(store, tmp_path / "file"))  # noqa: B023
        found = shown(store)
        write(store, tmp_path / "file")
        assert found in (before, shown(store))
        store.sweep("run/")
        hidden = {file.name for file in (store.folder / "run" / ".meta").iterdir()} - {"lock"}
        assert hidden == {f"{entry.path.removeprefix('run/')}.{entry.etag}" for entry in store.list()}
        assert all(metadata for _, metadata in shown(store).values())
        if not died:
            assert n > 3
            return


def test_nothing_is_swept_away_under_a_living_writer(store, tmp_path, monkeypatch):
    store.put("run/a", b"old", {"n": "1"})
    replace, swept = os.replace, []

    def sweep_first(*arguments, **named):
        swept.append(store.sweep(""))
        return replace(*arguments, **named)

    monkeypatch.setattr(os, "replace", sweep_first)
    store.put("run/a", b"new", {"n": "2"})
    assert swept == [0]
    assert store.stat("run/a").metadata == {"n": "2"}
