import numpy as np
import pytest

from windtunnel.errors import WorkloadError
from windtunnel.ledger import Ledger
from windtunnel_trainer.data import Preparation, examples, is_whole, load_split


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(f"{tmp_path}/search/run")


def prepared(ledger, **arrays):
    data = Preparation(ledger, {})
    data.save("train", **arrays)
    return data.finish()


def test_what_was_saved_is_loaded(ledger):
    x = np.arange(6, dtype=np.uint8).reshape(3, 2)
    manifest = prepared(ledger, x=x, y=[1.5, 2.5, 3.5])
    loaded = load_split(ledger, "train")
    assert np.array_equal(loaded["x"], x) and loaded["x"].dtype == np.uint8
    assert loaded["y"].tolist() == [1.5, 2.5, 3.5]
    assert ledger.manifest() == manifest
    assert examples(manifest) == {"train_examples": 3}
    assert is_whole(ledger, manifest)


def test_the_digest_depends_on_the_content_alone(tmp_path):
    def digest(run, x):
        return prepared(Ledger.open(f"{tmp_path}/search/{run}"), x=np.array(x))["digest"]

    assert digest("a", [1, 2]) == digest("b", [1, 2])
    assert len({digest("c", [1, 2]), digest("d", [2, 1]), digest("e", [1.0, 2.0]), digest("f", [[1], [2]])}) == 4


def test_data_that_is_not_whole_is_noticed(ledger):
    manifest = prepared(ledger, x=[1])
    ledger.store.put(ledger.path("data/train.npz"), b"other")
    assert not is_whole(ledger, manifest)
    ledger.store.delete(ledger.path("data/train.npz"))
    assert not is_whole(ledger, manifest)


def test_faults_of_a_preparation(ledger):
    data = Preparation(ledger, {})
    with pytest.raises(WorkloadError, match="saved no split"):
        data.finish()
    with pytest.raises(WorkloadError, match=r"arrays of one length, not \{'x': 2, 'y': 1\}"):
        data.save("train", x=[1, 2], y=[1])
    with pytest.raises(WorkloadError, match="Python objects"):
        data.save("train", x=np.array([object()]))
    data.save("train", x=[1])
    with pytest.raises(WorkloadError, match="saved already"):
        data.save("train", x=[1])
    assert ledger.manifest() is None


def test_a_missing_split_is_named(ledger):
    with pytest.raises(WorkloadError, match="no split 'train'; it has none: it is not prepared"):
        load_split(ledger, "train")
    prepared(ledger, x=[1])
    with pytest.raises(WorkloadError, match="no split 'validation'; it has train"):
        load_split(ledger, "validation")


class Remote:
    """A store whose objects are no files of this host."""

    def __init__(self, store):
        self.store, self.downloads = store, []

    def __getattr__(self, name):
        return getattr(self.store, name)

    def local_file(self, path):
        return None

    def download(self, path, file):
        self.downloads.append(path)
        self.store.download(path, file)


def test_a_remote_store_is_downloaded_from_once(ledger, tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_CACHE", str(tmp_path / "cache"))
    prepared(ledger, x=[1, 2])
    store = Remote(ledger.store)
    remote = Ledger(store, ledger.search, ledger.run)
    for _ in range(2):
        assert load_split(remote, "train")["x"].tolist() == [1, 2]
    assert store.downloads == [ledger.path("data/train.npz")]
    prepared(ledger, x=[3])
    assert load_split(remote, "train")["x"].tolist() == [3]


def test_the_folder_of_raw_data(ledger, monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)
    assert Preparation(ledger, {}).folder is None
    assert str(Preparation(ledger, {"folder": "a"}).folder) == "a"
    monkeypatch.setenv("WINDTUNNEL_DATA", "b")
    assert str(Preparation(ledger, {"folder": "a"}).folder) == "b"
