"""NAS-Bench-Macro as a problem: 6,561 CNNs for CIFAR-10, each trained three times."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from windtunnel.space import Space
from windtunnel.strategies import Problem

LAYERS = 8
OPERATIONS = ("identity", "mb3_k3", "mb6_k5")
WORST_ERROR = 20.0  # of the reference point, in percent


@dataclass(frozen=True)
class Table:
    """What every architecture came to.

    Attributes:
        genes: (n, 8), operations' places.
        error: (n,), in percent, the mean of three trainings.
        single: (n, 3), of each training.
        cost: (n,), FLOPs or parameters.
        cost_name: `flops` or `params`.
    """

    genes: np.ndarray
    error: np.ndarray
    single: np.ndarray
    cost: np.ndarray
    cost_name: str
    _place: dict[tuple[int, ...], int] = field(repr=False)

    @classmethod
    def load(cls, folder: Path, cost_name: str) -> "Table":
        """Read `nas_bench_macro.csv.gz`."""
        with gzip.open(folder / "nas_bench_macro.csv.gz", "rt") as file:
            rows = list(csv.DictReader(file))
        genes = np.array([[int(operation) for operation in row["arch"]] for row in rows])
        single = 100 - np.array([[float(row[f"acc_s{run}"]) for run in range(3)] for row in rows])
        error = 100 - np.array([float(row["mean_acc"]) for row in rows])
        cost = np.array([float(row[cost_name]) for row in rows])
        place = {tuple(int(gene) for gene in one): index for index, one in enumerate(genes)}
        return cls(genes, error, single, cost, cost_name, place)

    def problem(self) -> Problem:
        """What strategies see: eight categories, and the cost before training."""
        space = Space.parse({f"layer_{i}": list(OPERATIONS) for i in range(LAYERS)})
        return Problem(space, {"error": "minimize", self.cost_name: "minimize"}, {}, self.known)

    def known(self, params: dict[str, Any]) -> dict[str, float]:
        """The cost, which a workload would work out."""
        return {self.cost_name: float(self.cost[self.place(params.values())])}

    def place(self, operations: Any) -> int:
        """The row of an architecture, by its operations' names or places."""
        genes = (OPERATIONS.index(one) if isinstance(one, str) else int(one) for one in operations)
        return self._place[tuple(genes)]

    def params(self, row: int) -> dict[str, str]:
        """The configuration of a row."""
        return {f"layer_{i}": OPERATIONS[gene] for i, gene in enumerate(self.genes[row])}

    def share(self, rows: Sequence[int]) -> float:
        """The hypervolume that architectures reach, in percent of the true front's.

        The reference is an error of 20 % and the largest cost of the table.
        """
        import moocore

        reference = [WORST_ERROR, float(self.cost.max())]
        points = np.column_stack([self.error, self.cost])
        return 100 * moocore.hypervolume(points[list(rows)], reference) / moocore.hypervolume(points, reference)
