"""Problems made of tables of real trainings."""

from pathlib import Path

import moocore
import numpy as np

from benchmarks.search.suite.case import Case
from benchmarks.search.table import LAYERS, OPERATIONS, WORST_ERROR, Table


def nas_bench_macro(folder: Path) -> Case:
    """6,561 networks for CIFAR-10: error, and FLOPs that are known."""
    table = Table.load(folder, "flops")
    reference = (WORST_ERROR, float(table.cost.max()))

    def values(params: dict) -> dict[str, float]:
        row = table.place(params.values())
        return {"error": float(table.error[row]), "flops": float(table.cost[row])}

    return Case(
        "NAS-Bench-Macro",
        {f"layer_{i}": list(OPERATIONS) for i in range(LAYERS)},
        {"error": "minimize", "flops": "minimize"},
        lambda params, rng: values(params),
        float(moocore.hypervolume(np.column_stack([table.error, table.cost]), ref=reference)),
        reference,
        known=table.known,
        batch=20,
    )
