import gzip

import numpy as np
import pytest

from windtunnel.errors import DefinitionError, WorkloadError
from windtunnel.ledger import Ledger
from windtunnel_trainer.data import Preparation, load_split
from windtunnel_trainer.workloads.images import write_splits


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_DATA", raising=False)


def splits(tmp_path, run="run", **settings):
    ledger = Ledger.open(f"{tmp_path}/search/{run}")
    data = Preparation(ledger, settings)
    write_splits(data)
    data.finish()
    return {name: load_split(ledger, name) for name in ("train", "validation", "test")}


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def mnist(folder, pack=gzip.compress, suffix=".gz"):
    """Files as MNIST's, of a few images whose pixels tell which they are."""
    folder.mkdir()
    for part, n in (("train", 60), ("t10k", 20)):
        images = np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)
        (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
        (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx((np.arange(n) % 10).astype(np.uint8))))
    return str(folder)


def test_digits_are_split_without_overlap_and_by_class(tmp_path):
    found = splits(tmp_path)
    sizes = {name: len(split["labels"]) for name, split in found.items()}
    assert sum(sizes.values()) == 1797
    assert sizes["test"] == pytest.approx(0.2 * 1797, abs=5)
    assert sizes["validation"] == pytest.approx(0.15 * 0.8 * 1797, abs=5)
    for split in found.values():
        assert split["images"].shape[1:] == (1, 8, 8) and split["images"].dtype == np.uint8
        assert split["images"].max() == 16
        shares = np.bincount(split["labels"], minlength=10) / len(split["labels"])
        assert np.all(abs(shares - 0.1) < 0.015)


def test_digits_splits_are_seeded(tmp_path):
    first, again, other = splits(tmp_path, "a"), splits(tmp_path, "b"), splits(tmp_path, "c", seed=1)
    assert np.array_equal(first["test"]["images"], again["test"]["images"])
    assert not np.array_equal(first["test"]["labels"], other["test"]["labels"])


def test_a_limit_keeps_all_classes(tmp_path):
    found = splits(tmp_path, limit=200)
    assert sum(len(split["labels"]) for split in found.values()) == pytest.approx(200, abs=15)
    assert all(set(split["labels"]) == set(range(10)) for split in found.values())


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
def test_mnist_is_read_from_its_files(tmp_path, pack, suffix):
    found = splits(tmp_path, dataset="mnist", folder=mnist(tmp_path / "raw", pack, suffix), validation=0.5)
    assert found["test"]["images"][:, 0, 0, 0].tolist() == list(range(20))
    used = np.concatenate([found[name]["images"][:, 0, 3, 3] for name in ("train", "validation")])
    assert sorted(used) == list(range(60))
    for split in found.values():
        assert np.array_equal(split["images"][:, 0, 0, 0] % 10, split["labels"])


def test_mnist_says_what_it_wants(tmp_path):
    with pytest.raises(
        WorkloadError, match=r"train-images-idx3-ubyte\.gz, .*no folder is given.*DATA=.*WINDTUNNEL_DATA"
    ):
        splits(tmp_path, dataset="mnist")
    with pytest.raises(WorkloadError, match=r"nowhere holds no train-images-idx3-ubyte\.gz"):
        splits(tmp_path, dataset="mnist", folder=str(tmp_path / "nowhere"))


def test_a_torn_file_is_named(tmp_path):
    folder = mnist(tmp_path / "raw")
    file = tmp_path / "raw" / "train-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1]))
    with pytest.raises(WorkloadError, match=r"train-labels-idx1-ubyte\.gz is no whole IDX file"):
        splits(tmp_path, dataset="mnist", folder=folder)


def test_settings_name_what_is_wrong(tmp_path):
    with pytest.raises(
        DefinitionError, match=r"data\.dataset: found .cifar.; allowed: 'digits', 'mnist' or 'mnist_or_digits'"
    ):
        splits(tmp_path, dataset="cifar")
