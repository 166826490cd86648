"""Lays a run's front beside the one that Archai's own MNIST search printed.

    python benchmarks/archai_front.py RUN DATA/archai-mnist/pareto_models.csv

RUN is the folder of a finished `mnist_cnn` or `mnist_cnn_cpu` run. Archai's file has its partially trained models
(accuracy on the test set, which its search selected by; "Latency (ms)" in seconds, on its own machine); ours are
partially trained too, and their accuracy is that of the validation data. FLOPs are two a multiply-add in both, to
which Archai adds those of batch norm and ReLU. Latencies are from different machines: look at their order only.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

from windtunnel.ledger import Ledger
from windtunnel.objectives.dominance import hypervolume

FLOPS_SCALE = 1e9
REFERENCE = (0.1, 1.0)  # error, GFLOPs


@dataclass(frozen=True)
class Model:
    origin: str
    name: str
    accuracy: float
    flops: float
    latency_ms: float

    @property
    def point(self) -> tuple[float, float]:
        return 1 - self.accuracy, self.flops / FLOPS_SCALE


def ours(run: Path) -> tuple[list[Model], list[Model]]:
    """The run's front as the search saw it, and its fully trained models with their test accuracy."""
    ledger = Ledger.open(str(run))
    front = (ledger.read_json("pareto.json") or {}).get("trials", [])
    models = (ledger.read_json("models.json") or {}).get("models", [])
    return (
        [_model("ours", trial, trial["objectives"]["val_acc"]) for trial in front],
        [_model("ours, full", model, model["test"]["onnx_acc"]) for model in models if model["verdict"] == "verified"],
    )


def archai(file: Path) -> list[Model]:
    with file.open() as lines:
        return [
            Model(
                "archai",
                row["archid"][:8],
                float(row["AmlTrainingValAccuracy"]),
                float(row["FLOPs"]),
                float(row["ONNX Latency (ms)"]) * 1000,
            )
            for row in csv.DictReader(lines)
        ]


def _model(origin: str, trial: dict, accuracy: float) -> Model:
    params = trial["params"]
    name = f"{params['nb_layers']}x{params['hidden_dim']} k{params['kernel_size']}"
    objectives = trial["objectives"]
    return Model(origin, name, accuracy, objectives["flops"], objectives.get("latency_ms", float("nan")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("archai", type=Path)
    options = parser.parse_args()
    front, full = ours(options.run)
    theirs = archai(options.archai)
    print(f"{'front':<12}{'model':<14}{'accuracy':>9}{'MFLOPs':>9}{'latency ms':>12}")
    for model in sorted([*front, *full, *theirs], key=lambda model: (model.flops, model.origin)):
        row = f"{model.origin:<12}{model.name:<14}{model.accuracy:>9.4f}"
        print(f"{row}{model.flops / 1e6:>9.1f}{model.latency_ms:>12.3f}")
    print()
    for name, models in (("ours", front), ("ours, full", full), ("archai", theirs)):
        volume = hypervolume([model.point for model in models], REFERENCE) / (REFERENCE[0] * REFERENCE[1])
        print(f"{name:<12}{len(models):>3} models, {volume:7.2%} of the box error <= 0.1, GFLOPs <= 1")
    beaten = sum(any(f.accuracy >= a.accuracy and f.flops <= a.flops for f in full) for a in theirs)
    print(
        f"{beaten} of archai's {len(theirs)} are matched or beaten in accuracy and FLOPs by a fully trained one of ours"
    )


if __name__ == "__main__":
    main()
