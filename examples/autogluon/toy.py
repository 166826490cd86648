"""AutoGluon's sample of a distributed search: a function that pretends to train, twenty trials, two CPUs for each.

python toy.py
"""

import math

import windtunnel as wt


def train_fn(args, reporter):
    """Pretend to train for ten epochs: the nearer `lr` is to 0.01 and the less it decays, the better."""
    skill = 1 - abs(math.log10(args.lr) + 2) / 4 - 100 * args.wd
    for epoch in range(1, 11):
        reporter(epoch=epoch, accuracy=skill * (1 - args.momentum**epoch))


if __name__ == "__main__":
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
        "wd": {"type": "float", "low": 1e-4, "high": 5e-4},
    }
    fixed = {"batch_size": 64, "momentum": 0.9}
    run = wt.search(train_fn, space, {"accuracy": "maximize"}, trials=20, settings=fixed, resources={"cpu": 2})
    print(f"best: {run.best.objectives['accuracy']:.3f} with lr {run.best.params['lr']:.4f}")
    run.report()
