"""pymoo's NSGA-II with constraints, over numbers; the places of choices are rounded ones."""

import json
import sys

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem


def main() -> None:
    task = json.loads(sys.stdin.readline())
    top = np.array([1.0 if column["number"] else column["size"] for column in task["columns"]])
    many = task["constraints"]
    algorithm = NSGA2(pop_size=20, n_offsprings=task["batch"])
    problem = Problem(n_var=len(top), n_obj=task["objectives"], n_ieq_constr=many, xl=0, xu=1)
    algorithm.setup(problem, termination=("n_gen", 100_000), seed=task["seed"], verbose=False)
    waiting, outcomes = [], []
    print('@"ready"', flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "ask" in message:
            if not waiting:
                generation, outcomes = algorithm.ask(), []
                waiting = generation.get("X").tolist()
            points, waiting = waiting[: message["ask"]], waiting[message["ask"] :]
            rows = [
                [
                    v if c["number"] else min(int(v * c["size"]), c["size"] - 1)
                    for v, c in zip(row, task["columns"], strict=True)
                ]
                for row in points
            ]
            print("@" + json.dumps(rows), flush=True)
            continue
        worst = {"values": [1e9] * task["objectives"], "excess": [1e9] * many}
        outcomes += [one or worst for one in message["tell"]]
        if not waiting:
            generation.set("F", np.array([one["values"] for one in outcomes]))
            if many:
                generation.set("G", np.array([one["excess"] for one in outcomes]))
            algorithm.tell(infills=generation)
        print("@1", flush=True)


main()
