"""Small networks trained on scikit-learn's digits: what real errors look like, within seconds of one core."""

import functools
import itertools
import json
import os
import random
from pathlib import Path

import moocore
import numpy as np

from benchmarks.search.suite.case import Case, Metrics
from windtunnel.space import Params, Space

SPACE = {
    "width": [4, 8, 16, 32, 64],
    "layers": {"type": "int", "low": 1, "high": 2},
    "log_rate": {"type": "float", "low": -4.0, "high": -1.0, "step": 0.6},
    "decay": [1e-5, 1e-2, 1.0],
    "activation": ["relu", "tanh", "logistic"],
    "batch": [32, 128],
}
WORST = 0.5  # error of the reference point
CACHE = Path(os.environ.get("TRAININGS", "build/bench-suite/trainings.jsonl"))


@functools.lru_cache
def known_errors() -> dict[str, list[float]]:
    """The errors of the configurations that were trained before."""
    lines = CACHE.read_text().splitlines() if CACHE.exists() else []
    return dict(map(json.loads, lines))


def errors(params: Params) -> list[float]:
    """The validation errors of a configuration, one for each of two seeds; trained once, and kept in a file."""
    key = json.dumps(params, sort_keys=True)
    if key not in known_errors():
        known_errors()[key] = [trained(params, seed) for seed in range(2)]
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with CACHE.open("a") as lines:
            lines.write(json.dumps([key, known_errors()[key]]) + "\n")
    return known_errors()[key]


def trained(params: Params, seed: int) -> float:
    """Train for six epochs on 500 digits."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    (images, labels), (test_images, test_labels) = digits()
    network = MLPClassifier(
        [params["width"]] * params["layers"],
        activation=params["activation"],
        alpha=params["decay"],
        batch_size=params["batch"],
        learning_rate_init=10 ** params["log_rate"],
        max_iter=6,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(images, labels)
    return float((network.predict(test_images) != test_labels).mean())


@functools.lru_cache
def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """500 images to train with, and the others."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order] / 16, labels[order]
    return (images[:500], labels[:500]), (images[500:], labels[500:])


def weights(params: Params) -> dict[str, float]:
    """How many weights a network has, known before training."""
    sizes = [64, *[params["width"]] * params["layers"], 10]
    return {"weights": float(sum((a + 1) * b for a, b in itertools.pairwise(sizes)))}


def cases() -> list[Case]:
    """One with the noise of seeds, and one with weights as the second objective. The first use trains them all."""
    space = Space.parse(SPACE)
    every = [(np.mean(errors(params)), weights(params)["weights"]) for params in space.enumerate()]
    most = max(size for _, size in every)
    measured = lambda params: {"error": float(np.mean(errors(params)))} | weights(params)  # noqa: E731
    return [
        Case(
            "digits, noisy",
            SPACE,
            {"error": "minimize"},
            _one_of_two,
            float(min(error for error, _ in every)),
            exact=measured,
            unseen=True,
        ),
        Case(
            "digits and weights",
            SPACE,
            {"error": "minimize", "weights": "minimize"},
            lambda params, rng: measured(params),
            float(moocore.hypervolume(np.array(every), ref=[WORST, most])),
            (WORST, most),
            known=weights,
            unseen=True,
        ),
    ]


def _one_of_two(params: Params, rng: random.Random) -> Metrics:
    return {"error": rng.choice(errors(params))}
