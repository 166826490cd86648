"""The data of the image classifiers: scikit-learn's digits, or MNIST from its files, in stratified, seeded splits."""

import gzip
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveInt

from windtunnel.errors import WorkloadError
from windtunnel.validation import StrictModel, read_model
from windtunnel_trainer.data import Preparation


class DataSettings(StrictModel):
    """The definition's `data`.

    Attributes:
        dataset: `digits`, which scikit-learn brings along; `mnist`, read from a folder; or `mnist_or_digits`: MNIST
            where a folder is given, and without one the digits, enlarged to MNIST's 28 pixels and brightness.
        folder: of MNIST's files; `$WINDTUNNEL_DATA` says otherwise.
        validation: share of the training images that selection judges by.
        test: share of all digits kept for the finalists; MNIST has test images of its own.
        limit: at most so many images in all, for a quick look.
        seed: of the splits.
    """

    dataset: Literal["digits", "mnist", "mnist_or_digits"] = "digits"
    folder: str | None = None
    validation: float = Field(default=0.15, gt=0, lt=1)
    test: float = Field(default=0.2, gt=0, lt=1)
    limit: PositiveInt | None = None
    seed: int = Field(default=0, ge=0)


def write_splits(data: Preparation) -> None:
    """Write `train`, `validation` and `test`: uint8 images N x 1 x H x W, and labels; stratified and seeded."""
    options = read_model(DataSettings, data.settings, ("data",))
    rng = np.random.default_rng(options.seed)
    if options.dataset == "digits" or (options.dataset == "mnist_or_digits" and data.folder is None):
        images, labels = _digits(like_mnist=options.dataset != "digits")
        rest, test = _split(labels, options.test, rng)
        held_out = (images[test], labels[test])
        images, labels = images[rest], labels[rest]
    else:
        images, labels = _mnist(data.folder, "train")
        held_out = _mnist(data.folder, "t10k")
    train, validation = _split(labels, options.validation, rng)
    splits = {
        "train": (images[train], labels[train]),
        "validation": (images[validation], labels[validation]),
        "test": held_out,
    }
    total = sum(len(y) for _, y in splits.values())
    for name, (x, y) in splits.items():
        if options.limit is not None and options.limit < total:
            _, some = _split(y, options.limit / total, rng)
            x, y = x[some], y[some]
        data.save(name, images=x[:, None], labels=y)


def _split(labels: npt.NDArray[Any], share: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """Indices of the rest and of a share of the examples, both with the classes in the same proportions."""
    held = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        held.append(members[: max(1, round(share * len(members)))])
    taken = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), taken), taken


def _digits(*, like_mnist: bool) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images.astype(np.uint8)  # 8 x 8 pixels of 0 to 16
    if like_mnist:
        enlarged = images.repeat(3, axis=1).repeat(3, axis=2)
        images = np.pad(np.minimum(enlarged, 15) * np.uint8(17), ((0, 0), (2, 2), (2, 2)))
    return images, digits.target.astype(np.int64)


def _mnist(folder: Path | None, part: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    names = {kind: f"{part}-{kind}-idx{axes}-ubyte" for kind, axes in (("images", 3), ("labels", 1))}
    wanted = ", ".join(f"{name}.gz" for name in names.values())
    how = "Give the folder with DATA=… of `make run`, the environment variable WINDTUNNEL_DATA, or `data.folder`"
    if folder is None:
        raise WorkloadError(f"dataset mnist is read from files ({wanted}), but no folder is given. {how}")
    contents = {}
    for kind, name in names.items():
        file = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
        if file is None:
            raise WorkloadError(f"dataset mnist: {folder.absolute()} holds no {name}.gz; it wants {wanted}. {how}")
        contents[kind] = _idx(file)
    return contents["images"], contents["labels"].astype(np.int64)


def _idx(file: Path) -> npt.NDArray[np.uint8]:
    """An array in the IDX format: zero, zero, type 8, the number of axes, their lengths (big-endian), the bytes."""
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    axes = raw[3] if len(raw) > 4 and raw[:3] == b"\0\0\x08" else 0
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    if not axes or len(raw) != 4 + 4 * axes + math.prod(shape):
        raise WorkloadError(f"{file} is no whole IDX file of bytes: get it again")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)
