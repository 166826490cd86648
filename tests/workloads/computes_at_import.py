"""A workload that computes with torch when it is imported, which leaves OpenMP's threads behind."""

import torch

from tests.workloads.faults import note_start

CONSTANT = torch.ones(1200, 1200) @ torch.ones(1200, 1200)


def prepare(data):
    data.save("train", x=[1.0, 2.0])


def train(trial):
    note_start(trial)
    trial.report(score=float((torch.ones(1200, 1200) @ CONSTANT).mean()))


def verify(model):
    model.metrics["test_acc"] = 1.0
