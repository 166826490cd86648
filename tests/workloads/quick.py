"""A workload whose training is a formula, and whose faults are ordered by the definition's settings.

Settings: `fail`, `hang`, `die` and `nan` name widths that do so; `hang_seconds` says how long; `slow` sleeps in every
epoch; `load` reads the training data, which nothing depends on. Where the environment names a folder in `DIE_ONCE_IN`,
each configuration takes its job down once, when it has saved its first epoch.
"""

import os
import signal
import time
from pathlib import Path


def space():
    return {"width": {"type": "int", "low": 1, "high": 8}, "depth": {"type": "int", "low": 1, "high": 8}}


def cost(params, settings):
    return {"params": float(params["width"] * params["depth"]), "work": float(params["depth"])}


def prepare(data):
    import numpy as np

    if data.settings.get("fail"):
        raise RuntimeError("there is no such data")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    y = (x.sum(1) > 0).astype(np.int64)
    for split in ("train", "validation", "test"):
        data.save(split, x=x, y=y)


def build(params, seed=0):
    import torch

    torch.manual_seed(seed)
    width = params["width"]
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 2))


def train(trial):
    import torch

    width, depth = trial.params["width"], trial.params["depth"]
    if trial.settings.get("load"):
        trial.load("train")
    model = build(trial.params, trial.seed)
    trial.restore(model=model)
    for epoch in trial.epochs(steps_per_epoch=4):
        time.sleep(trial.settings.get("slow", 0.0))
        for _ in epoch.batches(32, 8):
            pass
        misbehave(width, trial.settings)
        accuracy = 1 - 1 / (1 + width * depth * epoch.value)
        trial.report(val_acc=float("nan") if width in trial.settings.get("nan", ()) else accuracy)
        trial.checkpoint(model=model)
        die_once(f"{width}-{depth}")
    trial.export_onnx(model, torch.zeros(1, 4))


def misbehave(width, settings):
    if width in settings.get("fail", ()):
        raise RuntimeError(f"width {width} does not train")
    if width in settings.get("die", ()):
        os.kill(os.getpid(), signal.SIGKILL)
    if width in settings.get("hang", ()):
        time.sleep(settings.get("hang_seconds", 3600))


def die_once(name):
    folder = os.environ.get("DIE_ONCE_IN")
    if folder and not (Path(folder) / name).exists():
        (Path(folder) / name).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)


def verify(model):
    net = build(model.params)
    model.restore(model=net)
    data = model.load("test")
    model.classification(net, data["x"], data["y"])
