"""Workloads that note each epoch and each start of `train`, and end with an export that the setting `model` decides."""

from pathlib import Path


def prepare(data):
    data.save("train", x=[1.0])


def train(trial):
    import torch

    note(trial, "train")
    model = {"linear": torch.nn.Linear(2, 2), "lazy": torch.nn.LazyLinear(2), "odd": Odd()}[trial.settings["model"]]
    loss = None
    for epoch in trial.epochs(1):
        list(epoch.batches(1, 1))
        note(trial, "epoch")
        loss = 0.5
        trial.report(val_acc=loss)
    if trial.settings.get("after") == "counts on training":
        loss + 1
    if trial.settings.get("after") == "waits":
        while loss is None:
            for _ in trial.epochs(1):
                loss = 0.5
    if trial.settings.get("after") == "swallows":
        try:
            trial.export_onnx(model, torch.zeros(1, 2))
        except Exception:
            return
    trial.export_onnx(model, torch.zeros(1, 2))


def note(trial, word):
    with Path(trial.settings["notes"]).open("a") as file:
        print(word, file=file)


def verify(model):
    model.checked = True


def Odd():  # noqa: N802
    import torch

    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.linalg.eigvals(x[:, :2, None] * x[:, None, :2]).real

    return Odd()
