"""A model for each tenant: a line by least squares through its features' values, in the order of the features.

A tenant's table has the columns `feature`, with labels such as `A`, …, `Z`, `AA`, and `metric`, a number.
"""

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from windtunnel_trainer.fleet.evaluation import Table
    from windtunnel_trainer.fleet.partition import Partition, PartitionVerification

_FEWEST = 3  # rows, of which each is left out once


def train(partition: "Partition") -> list[dict[str, Any]]:
    """Fit the tenant's line; report its error for rows left out, beside that of the tenant's mean.

    Returns:
        A row for each of the tenant's: feature, metric, and what the model that has not seen it predicts.

    Raises:
        ValueError: the tenant has too few rows.
    """
    features, x, y = _read(partition)
    if len(y) < _FEWEST:
        raise ValueError(f"{partition.name} has {len(y)} rows: at least {_FEWEST} are needed")
    line, mean = np.empty_like(y), np.empty_like(y)
    for left_out in range(len(y)):
        kept = np.arange(len(y)) != left_out
        slope, offset = _fit(x[kept], y[kept])
        line[left_out], mean[left_out] = slope * x[left_out] + offset, y[kept].mean()
    partition.report(error=np.abs(line - y).mean(), error_of_mean=np.abs(mean - y).mean(), rows=len(y))
    partition.export_onnx(_model(x, y), _inputs(x[:1]))
    rows = zip(features, y.tolist(), line.tolist(), strict=True)
    return [{"feature": feature, "metric": value, "prediction": round(guess, 6)} for feature, value, guess in rows]


def verify(verification: "PartitionVerification") -> None:
    """Hold the exported line against torch's at the tenant's features."""
    import torch

    _, x, y = _read(verification.partition)
    inputs = _inputs(x)
    with torch.inference_mode():
        expected = _model(x, y)(inputs).numpy()
    verification.compare(expected, verification.run_onnx(inputs.numpy()))


def evaluate(table: "Table") -> dict[str, float]:
    """The error over all tenants' rows."""
    rows = table.rows()
    errors = [abs(float(row["metric"]) - float(row["prediction"])) for row in rows]
    return {"error": float(np.mean(errors)) if errors else float("nan"), "rows": len(rows)}


def _read(partition: "Partition") -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The features' labels, their places among all features, from 1 on, and their values."""
    features, values = [], []
    for file in partition.files:
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                features.append(row["feature"])
                values.append(float(row["metric"]))
    return features, np.array([_place(feature) for feature in features], float), np.array(values)


def _place(label: str) -> int:
    """A label's place, as those of a sheet's columns: A is 1, Z 26, AA 27."""
    place = 0
    for letter in label:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place


def _fit(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[float, float]:
    slope, offset = np.polyfit(x, y, 1) if np.ptp(x) else (0.0, y.mean())
    return float(slope), float(offset)


def _model(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> "torch.nn.Module":
    import torch

    slope, offset = _fit(x, y)
    model = torch.nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(slope)
        model.bias.fill_(offset)
    return model.eval()


def _inputs(x: npt.NDArray[np.float64]) -> "torch.Tensor":
    import torch

    return torch.tensor(x[:, None], dtype=torch.float32)
