"""Image classifiers: Archai's convolutional networks, on scikit-learn's digits or on MNIST.

A network is `nb_layers` layers of convolution (same padding, `kernel_size`, `hidden_dim` channels), batch norm and
ReLU, then an average pool over the image and a 1x1 convolution to the classes (Microsoft Archai's multi-node search
sample, MIT licence, whose space this is too).
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PositiveFloat, PositiveInt

from windtunnel.errors import WorkloadError
from windtunnel.validation import StrictModel, read_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from windtunnel_trainer.data import Preparation
    from windtunnel_trainer.trial import Trial
    from windtunnel_trainer.verification import Verification

CLASSES = 10
_EVALUATION_BATCH = 512


class Settings(StrictModel):
    """The definition's `settings`.

    Attributes:
        image_size: pixels of a side: 8 for digits, 28 for MNIST.
        lr: Adam's learning rate, at the beginning where there is a schedule.
        batch_size: examples a step.
        schedule: of the learning rate; `cosine` falls to 0 at the horizon, that is at `epochs.full`.
        normalize: whether inputs get mean 0 and deviation 1 over the training data, rather than lie in 0…1.
    """

    image_size: PositiveInt
    lr: PositiveFloat = 1e-3
    batch_size: PositiveInt = 32
    schedule: Literal["constant", "cosine"] = "constant"
    normalize: bool = False


def space() -> dict[str, Any]:
    """Archai's space: 192 networks."""
    return {
        "nb_layers": {"type": "int", "low": 1, "high": 12},
        "kernel_size": {"type": "categorical", "choices": [1, 3, 5, 7]},
        "hidden_dim": {"type": "categorical", "choices": [16, 32, 64, 128]},
    }


def cost(params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """Trainable parameters, FLOPs of one image, and the predicted work of an epoch.

    FLOPs are those of the convolutions, the last 1x1 included, at two a multiply-add; padding counts as pixels do,
    bias, batch norm, ReLU and pooling do not count. So does `torch.utils.flop_counter`.
    """
    layers, kernel, hidden = (int(params[name]) for name in ("nb_layers", "kernel_size", "hidden_dim"))
    pixels = _read(settings).image_size ** 2
    weights = [kernel**2 * channels * hidden for channels in [1] + [hidden] * (layers - 1)]
    head = hidden * CLASSES
    flops = 2.0 * (pixels * sum(weights) + head)
    # Bias, batch norm and ReLU touch every activation: what makes networks of 1x1 kernels slower than their FLOPs.
    touched = pixels * hidden * layers
    return {
        "params": float(sum(weights) + layers * 3 * hidden + head + CLASSES),
        "flops": flops,
        "work": (flops + 60.0 * touched) * 1e-6,
    }


def prepare(data: "Preparation") -> None:
    """Write `train`, `validation` and `test` (`windtunnel_trainer.workloads.images`)."""
    from windtunnel_trainer.workloads.images import write_splits

    write_splits(data)


def train(trial: "Trial") -> None:
    """Train the network: see `fit`."""
    fit(trial, build(trial.params))


def fit(trial: "Trial", network: "torch.nn.Module") -> None:
    """Train with Adam on cross entropy; report `val_acc` on the validation data and `loss` on the training data.

    Args:
        trial: that is trained.
        network: from images N x 1 x H x W to logits N x 10.
    """
    import torch
    from torch.nn.functional import cross_entropy

    settings = _read(trial.settings)
    data, validation = trial.load("train"), trial.load("validation")
    _check_images(data["images"], settings)
    images, labels = (torch.from_numpy(data[name]).to(trial.device) for name in ("images", "labels"))
    held_images, held_labels = (torch.from_numpy(validation[name]).to(trial.device) for name in ("images", "labels"))
    scale = _scale(data["images"], settings)
    model = trial.wrap(network.to(trial.device))
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr, fused=True)
    trial.restore(model=model, optimizer=optimizer)
    steps = math.ceil(len(labels) / settings.batch_size)
    for epoch in trial.epochs(steps):
        model.train()
        for batch in epoch.batches(len(labels), settings.batch_size):
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * _share(settings, (trial.step - 1) / (trial.horizon * steps))
            chosen = torch.from_numpy(batch).to(trial.device)
            loss = cross_entropy(model(scale(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            epoch.add(loss=loss, weight=len(batch))
            trial.checkpoint(model=model, optimizer=optimizer)
        trial.report(val_acc=_accuracy(model, held_images, held_labels, scale), **epoch.means())
        trial.checkpoint(model=model, optimizer=optimizer)
    trial.export_onnx(model, scale(images[:2]))


def verify(model: "Verification") -> None:
    """Hold the exported model against torch's over the whole test set."""
    compare(model, build(model.params))


def compare(model: "Verification", network: "torch.nn.Module") -> None:
    """Hold the exported model against a network with its weights, over the whole test set."""
    import torch

    settings = _read(model.settings)
    scale = _scale(model.load("train")["images"], settings)
    test = model.load("test")
    model.restore(model=network)
    model.classification(network, scale(torch.from_numpy(test["images"])).numpy(), test["labels"])


def build(params: Mapping[str, Any]) -> "torch.nn.Sequential":
    """The network: images N x 1 x H x W to logits N x 10."""
    from torch import channels_last, nn

    layers: list[nn.Module] = []
    channels = 1
    for _ in range(int(params["nb_layers"])):
        hidden, kernel = int(params["hidden_dim"]), int(params["kernel_size"])
        layers += [nn.Conv2d(channels, hidden, kernel, padding=kernel // 2), nn.BatchNorm2d(hidden), nn.ReLU()]
        channels = hidden
    tail = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, CLASSES, 1), nn.Flatten()]
    return nn.Sequential(*layers, *tail).to(memory_format=channels_last)  # type: ignore[call-overload,no-any-return]


class _Scale:
    """From stored pixels to a network's inputs, on whichever device the pixels are."""

    def __init__(self, mean: float, deviation: float) -> None:
        self.mean, self.deviation = mean, deviation

    def __call__(self, images: "torch.Tensor") -> "torch.Tensor":
        return images.float().sub_(self.mean).div_(self.deviation)


def _read(settings: Mapping[str, Any]) -> Settings:
    return read_model(Settings, settings, ("settings",))


def _scale(training_images: "npt.NDArray[np.uint8]", settings: Settings) -> _Scale:
    if settings.normalize:
        return _Scale(float(training_images.mean()), float(training_images.std()) or 1.0)
    return _Scale(0.0, 16.0 if settings.image_size == 8 else 255.0)


def _share(settings: Settings, done: float) -> float:
    return 1.0 if settings.schedule == "constant" else 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def _accuracy(model: Any, images: "torch.Tensor", labels: "torch.Tensor", scale: _Scale) -> float:
    import torch

    model.eval()
    with torch.inference_mode():
        right = sum(int((model(scale(images[part])).argmax(1) == labels[part]).sum()) for part in _parts(len(labels)))
    return right / len(labels)


def _parts(examples: int) -> Iterator[slice]:
    return (slice(start, start + _EVALUATION_BATCH) for start in range(0, examples, _EVALUATION_BATCH))


def _check_images(images: "npt.NDArray[np.uint8]", settings: Settings) -> None:
    if images.shape[-1] != settings.image_size:
        raise WorkloadError(
            f"settings.image_size is {settings.image_size}, but the data's images have {images.shape[-1]} pixels a side"
        )
