"""A workload that changes whatever it is given, and whose cost fails for one of its configurations."""

import enum

TORCH = False


class Kernel(enum.Enum):
    SMALL = (3, 3)
    LARGE = (5, 5)


def space():
    return {"widths": {"type": "list", "max_length": 2, "of": [8, 16]}, "kernel": (Kernel.SMALL, Kernel.LARGE)}


def cost(params, settings):
    if params["widths"] == [16, 16]:
        raise ArithmeticError("no size of this one")
    params["widths"].insert(0, 4)
    settings["given"].append(0)
    return {"size": float(sum(params["widths"]))}


def prepare(data):
    data.save("train", x=[1.0, 2.0])
    data.settings["given"].append(0)


def train(trial):
    trial.params["widths"].insert(0, 4)
    trial.settings["given"].append(0)
    for _ in range(2):
        trial.report(score=float(len(trial.params["widths"])), given=len(trial.settings["given"]))
        trial.reports[-1].metrics.clear()


def verify(model):
    model.params["widths"].clear()
    model.settings["given"].clear()
    model.compare([1.0], [1.0])
