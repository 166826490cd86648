"""Training of some minutes that could be saved after each of its short steps."""

import time


def prepare(data):
    data.save("train", x=[1.0])


def train(trial):
    import torch

    model = torch.nn.Linear(1, 1)
    trial.restore(model=model)
    for epoch in trial.epochs(5000):
        for _ in epoch.take([None] * 5000):
            time.sleep(0.02)
            trial.checkpoint(model=model)
        trial.report(score=1.0)
        trial.checkpoint(model=model)


def verify(model):
    model.metrics["test_acc"] = 1.0
