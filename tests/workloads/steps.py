"""Training of some minutes that could be saved after each of its short steps; the third one leaves a trace."""

import time

from tests.workloads.faults import note_start


def prepare(data):
    data.save("train", x=[1.0])


def train(trial):
    import torch

    model = torch.nn.Linear(1, 1)
    trial.restore(model=model)
    for epoch in trial.epochs(5000):
        for step, _ in enumerate(epoch.take([None] * 5000)):
            time.sleep(0.02)
            trial.checkpoint(model=model)
            if step == 2:
                note_start(trial)
        trial.report(score=1.0)
        trial.checkpoint(model=model)


def verify(model):
    model.metrics["test_acc"] = 1.0
