"""A workload whose process may not write files of more than some bytes, as if the disk were full."""

import resource

TORCH = True


def prepare(data):
    data.save("train", x=[1.0])


def train(trial):
    import torch

    model = torch.nn.Linear(1000, 1000)
    for epoch in trial.epochs(steps_per_epoch=1):
        for _ in epoch.batches(1, 1):
            pass
        trial.report(val_acc=1.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        trial.checkpoint(model=model)


def verify(model):
    pass
