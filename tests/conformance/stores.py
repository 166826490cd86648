"""What every store must pass. Subclass `StoreConformance` and give it a `url` fixture: an empty place for each test."""

import json
import multiprocessing
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from windtunnel.errors import ConflictError, NotFoundError, StoreError
from windtunnel.stores import Store, open_store

_PROCESSES = 4
_THREADS = 50


class StoreConformance:
    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError("give the URL of an empty store")

    @pytest.fixture
    def store(self, url) -> Store:
        return open_store(url)

    # One object

    def test_what_was_written_is_read_back(self, store):
        store.put("run/a.json", b"one")
        store.put("run/a.json", b"two")
        assert store.get("run/a.json") == b"two"

    def test_empty_objects_exist(self, store):
        assert store.create("empty", b"")
        assert store.get("empty") == b""
        assert store.stat("empty").size == 0

    def test_creating_an_object_that_exists_leaves_it_alone(self, store):
        assert store.create("a", b"one", {"n": "1"})
        assert not store.create("a", b"two", {"n": "2"})
        assert store.get("a") == b"one"
        assert store.stat("a").metadata == {"n": "1"}

    def test_a_missing_object_is_not_found(self, store, tmp_path):
        store.put("there/is", b"")
        for path in ("missing", "there", "there/is-not", "nowhere/at/all"):
            for read in (
                lambda p: store.get(p),
                lambda p: store.stat(p),
                lambda p: store.tail(p, 9),
                lambda p: store.read(p, 0, 9),
                lambda p: store.open(p),
                lambda p: store.download(p, tmp_path / "file"),
            ):
                with pytest.raises(NotFoundError):
                    read(path)
        assert list(tmp_path.glob("file*")) == []

    def test_deleting_removes_and_a_missing_object_is_fine(self, store):
        store.put("run/a", b"one", {"n": "1"})
        store.delete("run/a")
        store.delete("run/a")
        store.delete("nowhere/at/all")
        assert list(store.list()) == []
        assert store.create("run/a", b"two")
        assert store.stat("run/a").metadata == {}

    def test_the_tail_is_the_end(self, store):
        store.put("log", b"0123456789")
        assert store.tail("log", 4) == b"6789"
        assert store.tail("log", 100) == b"0123456789"
        assert store.tail("log", 0) == b""

    def test_a_part_is_what_lies_between(self, store):
        store.put("log", b"0123456789")
        store.put("empty", b"")
        assert store.read("log", 2, 3) == b"234"
        assert store.read("log", 8, 100) == b"89"
        assert store.read("log", 10, 1) == store.read("log", 99, 1) == store.read("empty", 0, 9) == b""

    def test_an_object_is_opened_for_reading(self, store):
        store.put("log", b"0123456789")
        with store.open("log") as file:
            assert file.read(4) == b"0123"
            file.seek(8)
            assert file.read() == b"89"

    def test_files_travel_whole(self, store, tmp_path):
        content = bytes(range(256)) * 20_000
        (tmp_path / "up").write_bytes(content)
        store.upload("data/big", tmp_path / "up", {"n": "1"})
        store.download("data/big", tmp_path / "new" / "down")
        assert (tmp_path / "new" / "down").read_bytes() == content
        assert store.stat("data/big").metadata == {"n": "1"}
        assert [file.name for file in (tmp_path / "new").iterdir()] == ["down"]

    def test_what_stands_where_a_file_is_to_come_is_named_and_the_object_is_not_missing(self, store, tmp_path):
        store.put("data/small", b"1")
        (tmp_path / "down").mkdir()
        with pytest.raises(StoreError, match=f"cannot write {re.escape(str(tmp_path / 'down'))}: ") as refused:
            store.download("data/small", tmp_path / "down")
        assert not isinstance(refused.value, NotFoundError)
        assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".down")] == []

    # Versions

    def test_the_etag_changes_with_every_write(self, store):
        etags = set()
        for _ in range(50):
            store.put("a", b"same")
            etags.add(store.stat("a").etag)
        assert len(etags) == 50
        assert store.stat("a").etag == store.stat("a").etag

    def test_content_comes_with_its_own_etag(self, store):
        for content in (b"one", b"two"):
            store.put("a", content)
            assert store.get_tagged("a") == (content, store.stat("a").etag)
        with pytest.raises(NotFoundError):
            store.get_tagged("b")

    def test_a_version_is_replaced_only_while_it_holds(self, store):
        store.put("a", b"one")
        first = store.stat("a").etag
        store.put("a", b"two", if_match=first)
        with pytest.raises(ConflictError):
            store.put("a", b"three", if_match=first)
        with pytest.raises(ConflictError):
            store.put("missing", b"one", if_match=first)
        assert store.get("a") == b"two"
        assert [entry.path for entry in store.list()] == ["a"]

    def test_counting_with_if_match_loses_no_step(self, store):
        store.put("count", b"0")

        def step(_):
            while True:
                entry = store.stat("count")
                value = int(store.get("count"))
                if store.stat("count").etag != entry.etag:
                    continue
                try:
                    return store.put("count", str(value + 1).encode(), if_match=entry.etag)
                except ConflictError:
                    continue

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(step, range(40)))
        assert store.get("count") == b"40"

    def test_the_time_of_writing_is_told_in_utc(self, store):
        store.put("a", b"one")
        assert abs(store.stat("a").modified - datetime.now(UTC)) < timedelta(minutes=5)

    # Metadata

    def test_metadata_comes_with_listing_and_goes_with_replacing(self, store):
        metadata = {"state": '"completed"', "objectives": json.dumps({"val_acc": 0.97, "flops": 1e6})}
        store.create("results/a.json", b"{}", metadata)
        store.put("results/b.json", b"{}", {"n": "2"})
        assert [entry.metadata for entry in store.list("results/")] == [metadata, {"n": "2"}]
        store.put("results/b.json", b"{}")
        assert store.stat("results/b.json").metadata == {}

    def test_metadata_of_the_largest_size_is_kept(self, store):
        metadata = {"state": json.dumps("x" * (6 * 1024 - 7))}
        store.create("a", b"", metadata)
        assert store.stat("a").metadata == metadata

    @pytest.mark.parametrize(
        "metadata",
        [
            {"State": "1"},
            {"1st": "1"},
            {"a-b": "1"},
            {"a": "plain"},
            {"a": '"é"'},
            {"a": "1\n"},
            {"a": f'"{"x" * 6144}"'},
        ],
    )
    def test_metadata_that_some_store_would_refuse_is_refused(self, store, metadata):
        for write in (store.create, store.put):
            with pytest.raises(StoreError, match="metadata"):
                write("a", b"", metadata)
        assert list(store.list()) == []

    @pytest.mark.parametrize("path", ["", "/a", "a//b", "a/", "../a", "a/./b", ".a", "a/.meta/b", "a\nb", "a\\b"])
    def test_paths_that_some_store_would_refuse_are_refused(self, store, path):
        with pytest.raises(StoreError, match="path"):
            store.put(path, b"")

    # Listing

    def test_listing_goes_by_prefix_at_any_depth_in_order_of_path(self, store):
        paths = ["a", "b/c.d", "b/c/e", "b/c0", "b.c", "b0", "ba/x/y/z"]
        for path in paths:
            store.put(path, path.encode())
        assert [entry.path for entry in store.list()] == sorted(paths)
        assert [entry.path for entry in store.list("b/")] == ["b/c.d", "b/c/e", "b/c0"]
        assert [entry.path for entry in store.list("b/c")] == ["b/c.d", "b/c/e", "b/c0"]
        assert [entry.path for entry in store.list("b/c/")] == ["b/c/e"]
        assert [entry.path for entry in store.list("ba/x")] == ["ba/x/y/z"]
        assert list(store.list("c")) == list(store.list("b/d/e")) == list(store.list("../")) == []

    def test_an_entry_in_a_listing_is_the_entry_of_stat(self, store):
        store.put("run/a", b"one", {"n": "1"})
        assert list(store.list("run/")) == [store.stat("run/a")]
        assert store.stat("run/a").size == 3

    def test_listing_sees_every_finished_write(self, store):
        missed = []

        def write(thread):
            for n in range(20):
                path = f"results/{thread}-{n}"
                store.create(path, b"{}", {"n": str(n)})
                found = {entry.path: entry.metadata for entry in store.list("results/")}
                if found.get(path) != {"n": str(n)}:
                    missed.append(path)

        _in_threads(write, 4)
        assert missed == []
        assert len(list(store.list("results/"))) == 80

    # Races

    def test_of_racing_creators_exactly_one_wins(self, store, url):
        with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
            won = [winner for winners in pool.map(_race, [(url, n) for n in range(_PROCESSES)]) for winner in winners]
        assert len(won) == 5  # one for each object
        for path, winner in won:
            assert store.get(path) == winner.encode() * 1000
            assert store.stat(path).metadata == {"winner": json.dumps(winner)}
        assert len(list(store.list())) == 5

    def test_a_replaced_object_is_never_seen_torn(self, store, url):
        store.put("a", b"0" * 50_000, {"n": "0"})
        done = threading.Event()
        wrong = []

        def write(thread):
            for n in range(60):
                digit = str((thread + n) % 10)
                store.put("a", digit.encode() * (50_000 + int(digit)), {"n": digit})

        def read():
            reader = open_store(url)
            while not done.is_set():
                content = reader.get("a")
                entry = reader.stat("a")
                digit = entry.metadata.get("n", "")
                if len(set(content)) != 1 or len(content) != 50_000 + int(content[:1]):
                    wrong.append(content[:20])
                if not digit or entry.size != 50_000 + int(digit):
                    wrong.append(entry)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            _in_threads(write, 3)
        finally:
            done.set()
            reader.join()
        assert wrong == []
        assert [entry.path for entry in store.list()] == ["a"]


def _in_threads(target, count):
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(target, range(count)))


def _race(arguments) -> list[tuple[str, str]]:
    """50 threads of one process race for five objects; which of them this process won, and by which thread."""
    url, process = arguments
    store = open_store(url)
    together = threading.Barrier(_THREADS)
    won = []

    def create(thread):
        name = f"{process}.{thread}"
        for path in (f"results/{n}.json" for n in range(5)):
            together.wait()
            if store.create(path, name.encode() * 1000, {"winner": json.dumps(name)}):
                won.append((path, name))

    _in_threads(create, _THREADS)
    return won
