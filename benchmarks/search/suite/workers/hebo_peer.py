"""HEBO, for one objective without constraints."""

import json
import sys

import numpy as np
import pandas as pd
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO


def main() -> None:
    task = json.loads(sys.stdin.readline())
    if task["constraints"] or task["objectives"] > 1:
        print('@"it has more than one value"', flush=True)
        return
    names = [f"x{i}" for i in range(len(task["columns"]))]
    space = DesignSpace().parse([parameter(name, column) for name, column in zip(names, task["columns"], strict=True)])
    optimiser = HEBO(space, scramble_seed=task["seed"])
    print('@"ready"', flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "ask" in message:
            suggestions = optimiser.suggest(n_suggestions=message["ask"])
            print("@" + json.dumps(suggestions[names].astype(float).values.tolist()), flush=True)
            continue
        values = np.array([[one["values"][0] if one else np.nan] for one in message["tell"]])
        values[np.isnan(values)] = np.nanmax(values) if np.isfinite(values).any() else 1e3
        optimiser.observe(pd.DataFrame(suggestions), values)
        print("@1", flush=True)


def parameter(name: str, column: dict) -> dict:
    if column["number"]:
        return {"name": name, "type": "num", "lb": 0.0, "ub": 1.0}
    last = column["size"] - 1
    if column["ordered"]:
        return {"name": name, "type": "int", "lb": 0, "ub": last}
    return {"name": name, "type": "cat", "categories": list(range(last + 1))}


main()
