"""Two convolutions for MNIST: the 36 networks of the first tutorial of Google's Vertex AI Neural Architecture Search.

Each convolution has a kernel of 3 or 5, and 0.75, 1 or 1.25 times its filters, which are 4 and 8; ReLU and a pool that
halves the image follow, and one linear layer to the classes. Data, training and verification are those of
`windtunnel_trainer.workloads.cnn`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from windtunnel.validation import read_model
from windtunnel_trainer.workloads.cnn import CLASSES, Settings, compare, fit, prepare

if TYPE_CHECKING:
    import torch

    from windtunnel_trainer.trial import Trial
    from windtunnel_trainer.verification import Verification

__all__ = ["cost", "prepare", "space", "train", "verify"]

_FILTERS = (4, 8)  # of the two convolutions, times what is searched


def space() -> dict[str, Any]:
    """36 networks."""
    return {
        f"{name}_{layer}": {"type": "categorical", "choices": choices}
        for layer in range(1, len(_FILTERS) + 1)
        for name, choices in (("kernel", [3, 5]), ("filters", [0.75, 1.0, 1.25]))
    }


def cost(params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """Trainable parameters, FLOPs of one image at two a multiply-add, and the predicted work of an epoch."""
    side = read_model(Settings, settings, ("settings",)).image_size
    channels, weights, flops = 1, 0, 0
    for kernel, filters in _layers(params):
        weights += kernel**2 * channels * filters + filters
        flops += 2 * side**2 * kernel**2 * channels * filters
        channels, side = filters, side // 2
    head = channels * side**2 * CLASSES
    total = float(flops + 2 * head)
    return {"params": float(weights + head + CLASSES), "flops": total, "work": total * 1e-6}


def train(trial: "Trial") -> None:
    """Train the network and report `val_acc` and `loss`."""
    fit(trial, build(trial.params, trial.settings))


def verify(model: "Verification") -> None:
    """Hold the exported model against torch's over the whole test set."""
    compare(model, build(model.params, model.settings))


def build(params: Mapping[str, Any], settings: Mapping[str, Any]) -> "torch.nn.Sequential":
    """The network: images N x 1 x H x W to logits N x 10."""
    from torch import channels_last, nn

    side = read_model(Settings, settings, ("settings",)).image_size
    channels, layers = 1, list[nn.Module]()
    for kernel, filters in _layers(params):
        layers += [nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.ReLU(), nn.MaxPool2d(2)]
        channels, side = filters, side // 2
    layers += [nn.Flatten(), nn.Linear(channels * side**2, CLASSES)]
    return nn.Sequential(*layers).to(memory_format=channels_last)  # type: ignore[call-overload,no-any-return]


def _layers(params: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Kernel and filters of each convolution."""
    for layer, filters in enumerate(_FILTERS, 1):
        yield int(params[f"kernel_{layer}"]), round(filters * params[f"filters_{layer}"])
