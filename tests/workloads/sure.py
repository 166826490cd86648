"""A workload that needs neither torch nor time. What it writes depends on the trial alone; the setting `fail` names
values of `x` whose first try fails.
"""

TORCH = False


def space():
    return {
        "x": {"type": "int", "low": 1, "high": 12, "default": 12},
        "y": {"type": "categorical", "choices": [1, 2], "default": 2},
    }


def cost(params, settings):
    return {"cost": float(params["x"] * params["y"])}


def prepare(data):
    data.save("train", x=[1.0])
    data.save("test", x=[1.0])


def train(trial):
    x, y = trial.params["x"], trial.params["y"]
    request, ledger = trial._request, trial.ledger
    if x in trial.settings.get("fail", ()) and ".r" not in request.trial:
        raise ValueError(f"{x} does not train at first")
    trial.report(score=float(-abs(x - 7) * y + request.epochs))
    for name in ("checkpoint.pt", "model.onnx", "weights.pt"):
        ledger.store.put(ledger.trial_path(request.trial, name), f"{name} of {request.config}".encode())


def verify(model):
    model.compare([1.0], [1.0])
