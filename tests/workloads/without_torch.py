"""A workload that needs no torch and knows no epochs."""

import time

TORCH = False


def prepare(data):
    data.save("train", x=[1.0])


def train(trial):
    time.sleep(trial.settings.get("hang", 0))
    aside = trial.settings.get("aside")
    trial.report(val_acc=float(trial.settings["value"]), **({"aside": float(aside)} if aside else {}))


def verify(model):
    model.compare([1.0], [1.0])
