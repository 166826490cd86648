"""A linear model that is trained, and does at the end of each epoch what the setting `do` says."""

import contextlib
import random

CLASSES = 3


def prepare(data):
    import numpy as np

    rng = np.random.default_rng(0)
    for split, n in (("train", 40), ("validation", 20), ("test", 30)):
        data.save(split, x=rng.normal(size=(n, 4)).astype(np.float32), y=rng.integers(0, CLASSES, n))


def build():
    import torch

    return torch.nn.Linear(4, CLASSES)


def train(trial):
    import numpy as np
    import torch

    hook = HOOKS[trial.settings.get("do", "nothing")]
    data = trial.load("train")
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trial.restore(model=model, optimizer=optimizer)
    for epoch in trial.epochs(5):
        for batch in epoch.batches(40, 8):
            noise = torch.rand(1) + random.random() + np.random.rand()
            loss = torch.nn.functional.cross_entropy(model(x[batch]) * float(noise), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch.add(loss=loss)
            trial.checkpoint(model=model, optimizer=optimizer)
        random.random()  # an evaluation may draw numbers: training must not notice
        values = trial.settings.get("val_acc") or [0.5]
        hook(trial, model, val_acc=values[min(epoch.index, len(values) - 1)], **epoch.means())
        trial.checkpoint(model=model, optimizer=optimizer)
    if trial.settings.get("export", True):
        trial.export_onnx(model, x[:1])


def verify(model):
    if model.settings.get("compare", True):
        net = build()
        model.restore(model=net)
        test = model.load("test")
        model.classification(net, test["x"], test["y"])


def _report(trial, model, **metrics):
    trial.report(**metrics)


def _swallow(trial, model, **metrics):
    with contextlib.suppress(Exception):
        trial.report(**metrics)


def _without_accuracy(trial, model, val_acc, **metrics):
    trial.report(**metrics)


def _raise(trial, model, **metrics):
    raise ValueError("deliberately wrong")


def _raise_late(trial, model, **metrics):
    if len(trial.reports) == 2:
        raise ValueError("deliberately wrong")
    trial.report(**metrics)


def _sometimes(trial, model, val_acc, **metrics):
    """The accuracy comes with all epochs but the third."""
    trial.report(**metrics | ({"val_acc": val_acc} if len(trial.reports) < 2 else {}))


def _exit(trial, model, **metrics):
    raise SystemExit(3)


def _memory(trial, model, **metrics):
    import torch

    torch.empty(1 << 60, dtype=torch.uint8)


def _text(trial, model, val_acc, **metrics):
    trial.report(val_acc="high")


def _read_test_data(trial, model, **metrics):
    trial.load("test")


HOOKS = {
    "nothing": _report,
    "swallow": _swallow,
    "without_accuracy": _without_accuracy,
    "raise": _raise,
    "raise_late": _raise_late,
    "sometimes": _sometimes,
    "exit": _exit,
    "memory": _memory,
    "text": _text,
    "read_test_data": _read_test_data,
}
