"""SMAC's hyperparameter facade, for one objective without constraints, and ParEGO for several."""

import json
import sys
import tempfile

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from smac import HyperparameterOptimizationFacade, Scenario
from smac.multi_objective.parego import ParEGO
from smac.runhistory.dataclasses import TrialValue


def main() -> None:
    task = json.loads(sys.stdin.readline())
    if task["constraints"]:
        print('@"it has constraints"', flush=True)
        return
    space = ConfigurationSpace(seed=task["seed"])
    space.add([parameter(f"x{i}", column) for i, column in enumerate(task["columns"])])
    names = [f"f{i}" for i in range(task["objectives"])]
    scenario = Scenario(
        space,
        deterministic=True,
        n_trials=task["trials"] + 1,
        seed=task["seed"],
        objectives=names if len(names) > 1 else names[0],
        output_directory=tempfile.mkdtemp(),
    )
    facade = HyperparameterOptimizationFacade(
        scenario,
        target_function=lambda config, seed=0: 0.0,
        multi_objective_algorithm=ParEGO(scenario) if len(names) > 1 else None,
        overwrite=True,
        logging_level=50,
    )
    worst = [1e3] * len(names)
    print('@"ready"', flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "ask" in message:
            trials = [facade.ask() for _ in range(message["ask"])]
            print(
                "@" + json.dumps([[dict(one.config)[f"x{i}"] for i in range(len(task["columns"]))] for one in trials]),
                flush=True,
            )
            continue
        for info, one in zip(trials, message["tell"], strict=True):
            cost = one["values"] if one else worst
            facade.tell(info, TrialValue(cost=cost if len(names) > 1 else cost[0]))
        print("@1", flush=True)


def parameter(name: str, column: dict) -> Float | Integer | Categorical:
    if column["number"]:
        return Float(name, (0.0, 1.0))
    last = column["size"] - 1
    return Integer(name, (0, last)) if column["ordered"] else Categorical(name, list(range(last + 1)))


main()
