"""Multi-layer perceptrons for tables of numbers, on scikit-learn's breast cancer data.

A workload is a module with the functions below. Airflow calls `space` and `cost`, so nothing heavy is imported at the
top; `prepare`, `train` and `verify` run in jobs, where torch is.
"""

import math
from itertools import pairwise


def space():
    """What may be varied, where the definition has no `space` of its own. May be left out."""
    return {
        "layers": {"type": "int", "low": 1, "high": 3},
        "width": {"type": "categorical", "choices": [8, 16, 32, 64]},
        "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
        "lr": {"type": "float", "low": 1e-3, "high": 1e-1, "log": True},
    }


def cost(params, settings):
    """What is known of a configuration before it is trained. May be left out."""
    sizes = [30] + [params["width"]] * params["layers"] + [2]
    weights = sum(inputs * outputs + outputs for inputs, outputs in pairwise(sizes))
    # `work` predicts how long an epoch takes, relative to the others: the longest trials are begun first.
    return {"params": weights, "work": weights}


def prepare(data):
    """Write the splits, once a run. `data.settings` is the definition's `data`, `data.folder` where raw data is."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    tests = round(len(y) * data.settings["test"])
    held = round((len(y) - tests) * data.settings["validation"])
    test, validation, train = np.split(order, [tests, tests + held])
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)  # of the training data only
    scaled = ((x - mean) / deviation).astype(np.float32)
    data.save("train", x=scaled[train], y=y[train])
    data.save("validation", x=scaled[validation], y=y[validation])
    data.save("test", x=scaled[test], y=y[test])


def train(trial):
    """Train one configuration, from the beginning or from its last checkpoint."""
    import torch
    from torch.nn.functional import cross_entropy

    data, held = trial.load("train"), trial.load("validation")
    x, y = (torch.from_numpy(data[name]).to(trial.device) for name in ("x", "y"))
    held_x, held_y = (torch.from_numpy(held[name]).to(trial.device) for name in ("x", "y"))
    model = build(trial.params).to(trial.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=trial.params["lr"])
    trial.restore(model=model, optimizer=optimizer)

    batch_size = trial.settings["batch_size"]
    for epoch in trial.epochs(steps_per_epoch=math.ceil(len(y) / batch_size)):
        model.train()
        for batch in epoch.batches(len(y), batch_size):  # shuffled by the trial's seed and the epoch
            loss = cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch.add(loss=loss, weight=len(batch))
        model.eval()
        with torch.inference_mode():
            accuracy = (model(held_x).argmax(1) == held_y).float().mean()
        trial.report(val_acc=accuracy, **epoch.means())
        trial.checkpoint(model=model, optimizer=optimizer)
    trial.export_onnx(model, x[:2])  # two examples show the shape of the input


def verify(model):
    """Hold a finalist's exported model against torch's, on the test data: the only time that it is used."""
    test = model.load("test")
    net = build(model.params)
    model.restore(model=net)
    model.classification(net, test["x"], test["y"])


def build(params):
    """The network: 30 numbers in, a logit for each of the two classes out."""
    from torch import nn

    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[params["activation"]]
    layers, inputs = [], 30
    for _ in range(params["layers"]):
        layers += [nn.Linear(inputs, params["width"]), activation()]
        inputs = params["width"]
    return nn.Sequential(*layers, nn.Linear(inputs, 2))
