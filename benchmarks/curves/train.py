"""Train small networks on scikit-learn's digits and keep their learning curves: what `make bench-stopping` replays.

    python benchmarks/curves/train.py [--configurations 300] [--epochs 27] [--minutes 20]

One core, one seed each; networks and data are those of `windtunnel_trainer.workloads.cnn`, and what is varied is the
network, the learning rate and the batch size. Writes `digits_cnn.json` beside this file: for each configuration its
parameters, its FLOPs, and how many of the validation images it read rightly after each epoch.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn.functional import cross_entropy

from windtunnel_trainer.workloads.cnn import build, cost

CURVES = Path(__file__).with_name("digits_cnn.json")


def sample(rng: random.Random) -> dict[str, Any]:
    """A configuration."""
    return {
        "nb_layers": rng.randint(1, 5),
        "kernel_size": rng.choice([1, 3, 5]),
        "hidden_dim": rng.choice([4, 8, 16, 32]),
        "lr": round(10 ** rng.uniform(-4, -0.5), 6),
        "batch_size": rng.choice([32, 64, 128]),
    }


def learn(params: dict[str, Any], epochs: int, data: list[torch.Tensor]) -> list[int]:
    """How many validation images are read rightly after each epoch; Adam, its rate falling to 0 at the end."""
    torch.manual_seed(0)
    images, held, labels, held_labels = data
    model = build(params)
    optimizer = torch.optim.Adam(model.parameters(), lr=params["lr"])
    steps = math.ceil(len(labels) / params["batch_size"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    curve = []
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(labels)).split(params["batch_size"]):
            optimizer.zero_grad()
            cross_entropy(model(images[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.inference_mode():
            curve.append(int((model(held).argmax(1) == held_labels).sum()))
    return curve


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description="Train networks and keep their learning curves.")
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--minutes", type=float, default=20, help="of the processor's time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = load_digits()
    images = torch.from_numpy(digits.images[:, None]).float() / 16
    labels = torch.from_numpy(digits.target)
    data = train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)
    rng, began, configurations = random.Random(0), time.process_time(), []
    for _ in range(options.configurations):
        if time.process_time() - began > 60 * options.minutes:
            break
        params = sample(rng)
        curve = learn(params, options.epochs, data)
        flops = cost(params, {"image_size": 8})["flops"]
        configurations.append({"params": params, "flops": flops, "right": curve})
        write(configurations, len(data[1]))
        print(len(configurations), f"{time.process_time() - began:.0f} s", params, curve[-1], flush=True)


def write(configurations: list[dict[str, Any]], images: int) -> None:
    """Write what is found so far, a line a configuration."""
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in configurations)
    CURVES.write_text(f'{{"images":{images},"configurations":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
