"""Problems made of formulas. Sources are named where they are; values are those of the minimised objectives."""

import math
import random
from collections.abc import Callable

import moocore
import numpy as np

from benchmarks.search.suite.case import Case, Metrics
from windtunnel.objectives.constraint import Constraint
from windtunnel.space import Params

TWO = {"f1": "minimize", "f2": "minimize"}
ONE = {"loss": "minimize"}


def floats(count: int, low: float = 0.0, high: float = 1.0) -> dict[str, dict]:
    """So many numbers."""
    return {f"x{i}": {"type": "float", "low": low, "high": high} for i in range(count)}


def plain(formula: Callable[[np.ndarray], Metrics]) -> Callable[[Params, random.Random], Metrics]:
    """A formula of all numbers, without noise."""
    return lambda params, rng: formula(np.array(list(params.values()), float))


def dtlz2(x: np.ndarray, count: int = 2) -> Metrics:
    """Deb, Thiele, Laumanns and Zitzler, "Scalable multi-objective optimization test problems", 2002."""
    radius = 1 + ((x[count - 1 :] - 0.5) ** 2).sum()
    angles = x[: count - 1] * math.pi / 2
    values = {}
    for i in range(count):
        value = radius * np.prod(np.cos(angles[: count - 1 - i]))
        values[f"f{i + 1}"] = float(value * np.sin(angles[count - 1 - i]) if i else value)
    return values


def c2_dtlz2(x: np.ndarray) -> Metrics:
    """Jain and Deb, "An evolutionary many-objective optimization algorithm using reference-point based NSGA", 2014."""
    values = dtlz2(x)
    f1, f2 = values["f1"], values["f2"]
    edges = min((f1 - 1) ** 2 + f2**2, (f2 - 1) ** 2 + f1**2) - 0.2**2
    middle = (f1 - 1 / math.sqrt(2)) ** 2 + (f2 - 1 / math.sqrt(2)) ** 2 - 0.2**2
    return values | {"away": min(edges, middle)}


def zdt1(x: np.ndarray) -> Metrics:
    """Zitzler, Deb and Thiele, "Comparison of multiobjective evolutionary algorithms", 2000."""
    g = 1 + 9 * x[1:].mean()
    return {"f1": float(x[0]), "f2": float(g * (1 - math.sqrt(x[0] / g)))}


def zdt3(x: np.ndarray) -> Metrics:
    """Of the same article: a front of five pieces."""
    g = 1 + 9 * x[1:].mean()
    share = x[0] / g
    return {"f1": float(x[0]), "f2": float(g * (1 - math.sqrt(share) - share * math.sin(10 * math.pi * x[0])))}


def zdt3_volume() -> float:
    """The hypervolume of its front up to (1.1, 1.1)."""
    points = np.array([list(zdt3(np.r_[first, np.zeros(2)]).values()) for first in np.linspace(0, 1, 20_001)])
    return float(moocore.hypervolume(points, ref=[1.1, 1.1]))


def osy(x: np.ndarray) -> Metrics:
    """Osyczka and Kundu, "A new method to solve generalized multicriteria optimization problems", 1995."""
    a, b, c, d, e, f = x * np.array([10, 10, 4, 6, 4, 10]) + np.array([0, 0, 1, 0, 1, 0])
    return {
        "f1": float(-(25 * (a - 2) ** 2 + (b - 2) ** 2 + (c - 1) ** 2 + (d - 4) ** 2 + (e - 1) ** 2)),
        "f2": float(a**2 + b**2 + c**2 + d**2 + e**2 + f**2),
        "g1": float(a + b - 2),
        "g2": float(6 - a - b),
        "g3": float(2 - b + a),
        "g4": float(2 - a + 3 * b),
        "g5": float(4 - (c - 3) ** 2 - d),
        "g6": float((e - 3) ** 2 + f - 4),
    }


def welded_beam(x: np.ndarray) -> Metrics:
    """Deb, Pratap and Moitra, "Mechanical component design for multiple objectives", 2000: cost and deflection."""
    h, length, t, b = x * np.array([4.875, 9.9, 9.9, 4.875]) + np.array([0.125, 0.1, 0.1, 0.125])
    first = 6000 / (math.sqrt(2) * h * length)
    root = math.sqrt(0.25 * (length**2 + (h + t) ** 2))
    second = 6000 * (14 + 0.5 * length) * root / (2 * 0.707 * h * length * (length**2 / 12 + 0.25 * (h + t) ** 2))
    return {
        "f1": float(1.10471 * h**2 * length + 0.04811 * t * b * (14 + length)),
        "f2": float(2.1952 / (t**3 * b)),
        "shear": float(math.sqrt(first**2 + second**2 + length * first * second / root)),
        "stress": float(504_000 / (t**2 * b)),
        "thicker": float(b - h),
        "buckling": float(64746.022 * (1 - 0.0282346 * t) * t * b**3),
    }


def hartmann6(x: np.ndarray) -> Metrics:
    """Dixon and Szegö, "The global optimization problem", 1978; the optimum is -3.32237."""
    alpha = np.array([1.0, 1.2, 3.0, 3.2])
    a = np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    return {"loss": float(-alpha @ np.exp(-(a * (x - p) ** 2).sum(1)))}


def diverging(x: np.ndarray) -> Metrics:
    """A smooth bowl in four numbers; where the first two are large together the loss is a thousand, or a million."""
    loss = float(((x - np.array([0.6, 0.3, 0.7, 0.4])) ** 2 * np.array([4, 2, 1, 1])).sum())
    if x[0] + x[1] > 1.5:
        loss = 1e3 if x[2] < 0.5 else 1e6
    return {"loss": loss}


def crashing(x: np.ndarray) -> Metrics:
    """Five numbers of which nine trials in ten crash: only a narrow band of the first two works."""
    if abs(x[0] - 0.7) > 0.13 or x[1] > 0.4:
        return {}
    return {"loss": float(((x - np.array([0.75, 0.2, 0.5, 0.6, 0.4])) ** 2).sum())}


def speed_reducer(x: np.ndarray) -> Metrics:
    """Golinski, "Optimal synthesis problems solved by means of nonlinear programming", 1970: one weight, 11 bounds."""
    a, b, c, d, e, f, g = x * np.array([1, 0.1, 11, 1, 1, 1, 0.5]) + np.array([2.6, 0.7, 17, 7.3, 7.3, 2.9, 5.0])
    weight = 0.7854 * a * b**2 * (3.3333 * c**2 + 14.9334 * c - 43.0934) - 1.508 * a * (f**2 + g**2)
    weight += 7.4777 * (f**3 + g**3) + 0.7854 * (d * f**2 + e * g**2)
    bounds = [
        27 / (a * b**2 * c),
        397.5 / (a * b**2 * c**2),
        1.93 * d**3 / (b * c * f**4),
        1.93 * e**3 / (b * c * g**4),
        math.sqrt((745 * d / (b * c)) ** 2 + 1.69e7) / (110 * f**3),
        math.sqrt((745 * e / (b * c)) ** 2 + 1.575e8) / (85 * g**3),
        b * c / 40,
        5 * b / a,
        a / (12 * b),
        (1.5 * f + 1.9) / d,
        (1.1 * g + 1.9) / e,
    ]
    return {"loss": float(weight)} | {f"g{i}": float(value) for i, value in enumerate(bounds)}


NETWORKS = {
    "optimizer": ["adam", "sgd", "rmsprop"],
    "lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0, "high": 0.99, "when": {"optimizer": "sgd"}},
    "layers": {"type": "int", "low": 1, "high": 6},
    "width": [16, 32, 64, 128, 256, 512],
    "activation": ["relu", "tanh", "gelu", "silu"],
    "norm": ["none", "batch", "layer"],
    "dropout": {"type": "float", "low": 0, "high": 0.6, "step": 0.05},
    "batch": {"type": "int", "low": 16, "high": 1024, "log": True},
    "decay": {"type": "float", "low": 1e-7, "high": 1e-1, "log": True},
    "skip": {"type": "bool"},
    "idle_1": {"type": "float", "low": 0, "high": 1},
    "idle_2": ["a", "b", "c"],
}


def network_loss(params: Params) -> float:
    """What a small network might come to: mixed, conditional, with two parameters that do nothing. Optimum 0."""
    best_rate = {"adam": -3.0, "rmsprop": -3.3, "sgd": -1.3 - (params.get("momentum", 0) > 0.9) * 0.7}
    away = math.log10(params["lr"]) - best_rate[params["optimizer"]] - 0.25 * math.log2(params["batch"] / 128) / 3
    size = params["layers"] * math.log2(params["width"])
    loss = 0.35 * away**2 + {"adam": 0.0, "sgd": 0.15, "rmsprop": 0.12}[params["optimizer"]]
    if params["optimizer"] == "sgd":
        loss += 0.4 * (params["momentum"] - 0.9) ** 2
    loss += 0.004 * (size - 30 - 6 * params["skip"]) ** 2
    loss += {"relu": 0.06, "tanh": 0.2, "gelu": 0.0, "silu": 0.02}[params["activation"]]
    loss += {"none": 0.04 * params["layers"], "batch": 0.03 + (params["batch"] < 32) * 0.3, "layer": 0.0}[
        params["norm"]
    ]
    loss += 1.2 * (params["dropout"] - 0.2) ** 2 + 0.02 * (math.log10(params["decay"]) + 4) ** 2
    return loss + 0.1 * (not params["skip"])


def network_seconds(params: Params) -> float:
    """How long such a network takes to answer."""
    wide = 1.5 if params["norm"] != "none" else 1.0
    return 0.1 * wide * params["layers"] * params["width"] ** 0.7 * (1.1 if params["skip"] else 1.0)


def noisy_network(params: Params, rng: random.Random) -> Metrics:
    """Its loss with the noise of seeds."""
    return {"loss": network_loss(params) + rng.gauss(0, 0.05)}


def bounded_network(params: Params, rng: random.Random) -> Metrics:
    """Its loss where rates too high crash it, and what is measured of its speed and calibration."""
    if math.log10(params["lr"]) > (-0.5 if params["optimizer"] == "sgd" else -1.5):
        return {}
    calibration = abs(params["dropout"] - 0.15) + 0.02 * params["layers"] + rng.gauss(0, 0.003)
    return {"loss": network_loss(params) + rng.gauss(0, 0.01), "seconds": network_seconds(params), "gap": calibration}


def cases() -> list[Case]:
    """All of them."""
    nought = Constraint(max=0.0)
    return [
        Case("DTLZ2", floats(6), TWO, plain(dtlz2), 1.1**2 - math.pi / 4, (1.1, 1.1)),
        Case("OSY", floats(6), TWO, plain(osy), 10_067, (-75, 75), {f"g{i}": Constraint(min=0.0) for i in range(1, 7)}),
        Case("Hartmann 6", floats(6), ONE, plain(hartmann6), -3.32237),
        Case("diverging", floats(4), ONE, plain(diverging), 0.0),
        Case("crashing", floats(5), ONE, plain(crashing), 0.0),
        Case("noisy network", NETWORKS, ONE, noisy_network, 0.0, exact=lambda params: {"loss": network_loss(params)}),
        Case("ZDT1", floats(8), TWO, plain(zdt1), 1.21 - 1 / 3, (1.1, 1.1)),
        Case("C2-DTLZ2", floats(6), TWO, plain(c2_dtlz2), 0.3996406, (1.1, 1.1), {"away": nought}),
        Case("ZDT3", floats(6), TWO, plain(zdt3), zdt3_volume(), (1.1, 1.1), unseen=True),
        Case(
            "bounded network",
            NETWORKS,
            ONE,
            bounded_network,
            0.0,
            constraints={"seconds": Constraint(max=9.0), "gap": Constraint(max=0.12)},
            exact=lambda params: {"loss": network_loss(params)},
            unseen=True,
        ),
        Case(
            "welded beam",
            floats(4),
            TWO,
            plain(welded_beam),
            0.5131,  # under the front of 500 costs, each with the least deflection that SLSQP found from many starts
            (40.0, 0.015),
            {
                "shear": Constraint(max=13_600.0),
                "stress": Constraint(max=30_000.0),
                "thicker": Constraint(min=0.0),
                "buckling": Constraint(min=6000.0),
            },
            unseen=True,
        ),
        Case(
            "speed reducer",
            floats(7),
            ONE,
            plain(speed_reducer),
            2994.355,
            constraints={f"g{i}": Constraint(max=1.0) for i in range(11)},
            unseen=True,
        ),
        Case(
            "DTLZ2 of 3",
            floats(6),
            {"f1": "minimize", "f2": "minimize", "f3": "minimize"},
            plain(lambda x: dtlz2(x, 3)),
            1.1**3 - math.pi / 6,
            (1.1, 1.1, 1.1),
            unseen=True,
        ),
    ]
