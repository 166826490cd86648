"""A small network with batch norm, trained in double precision; its parameter `do` says what its last process does."""

import math
import os
import signal
import time
from pathlib import Path

EXAMPLES, BATCH = 45, 8  # the last batch, of 5, cannot be shared by two


def space():
    return {"do": ["train", "die_once", "die", "raise", "nan", "hang", "alone", "count_epochs"]}


def prepare(data):
    import numpy as np

    x = np.random.default_rng(0).normal(size=(EXAMPLES, 3, 4))
    for split in ("train", "validation", "test"):
        data.save(split, x=x, y=x.sum((1, 2)))


def train(trial):
    import torch
    from torch import nn

    do, last = trial.params["do"], int(os.environ.get("RANK", 0)) + 1 == int(os.environ.get("WORLD_SIZE", 1))
    data = trial.load("train")
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    model = nn.Sequential(nn.Conv1d(3, 6, 3), nn.BatchNorm1d(6), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1)).double()
    trained = model if do == "alone" else trial.wrap(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    trial.restore(model=trained, optimizer=optimizer)
    for epoch in trial.epochs(math.ceil(EXAMPLES / BATCH)):
        if do == "count_epochs":
            with (Path(trial.settings["trace"]) / f"epochs-{os.environ['RANK']}").open("a") as trace:
                trace.write(f"{epoch.index}\n")
        trained.train()
        for batch in epoch.batches(EXAMPLES, BATCH):
            loss = (trained(x[batch])[:, 0] - y[batch]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch.add(loss=loss, weight=len(batch))
            trial.checkpoint(model=trained, optimizer=optimizer)
            if last and epoch.index == 1:
                misbehave(do, Path(trial.settings["trace"]))
        trained.eval()
        with torch.no_grad():
            held = (trained(x)[:, 0] - y).square().mean()
        trial.report(held=math.nan if do == "nan" and epoch.index == 1 else held, **epoch.means())
        trial.checkpoint(model=trained, optimizer=optimizer)
    trial.export_onnx(trained, x[:2])


def misbehave(do, trace):
    first = not (trace / do).exists()
    (trace / do).write_text(str(os.getpid()))
    if do == "die" or (do == "die_once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "raise":
        raise ValueError("the last process gives up")
    if do == "hang":
        time.sleep(3600)


def verify(model):
    raise NotImplementedError
