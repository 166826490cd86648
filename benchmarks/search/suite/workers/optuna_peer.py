"""Optuna's samplers, as a process that is asked and told."""

import json
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def main() -> None:
    task = json.loads(sys.stdin.readline())
    seed, many = task["seed"], task["constraints"]
    constraints = (lambda trial: trial.user_attrs.get("excess", [1e9] * many)) if many else None
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, constant_liar=True, constraints_func=constraints),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed, constraints_func=constraints),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(
            population_size=max(20, task["batch"]), seed=seed, constraints_func=constraints
        ),
    }
    study = optuna.create_study(directions=["minimize"] * task["objectives"], sampler=samplers[task["method"]]())
    space = {f"x{i}": distribution(column) for i, column in enumerate(task["columns"])}
    print('@"ready"', flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "ask" in message:
            trials = [study.ask(space) for _ in range(message["ask"])]
            print("@" + json.dumps([[trial.params[name] for name in space] for trial in trials]), flush=True)
            continue
        for trial, one in zip(trials, message["tell"], strict=True):
            if one is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            trial.set_user_attr("excess", one["excess"])
            study.tell(trial, one["values"])
        print("@1", flush=True)


def distribution(column: dict) -> optuna.distributions.BaseDistribution:
    if column["number"]:
        return optuna.distributions.FloatDistribution(0, 1)
    last = column["size"] - 1
    if column["ordered"]:
        return optuna.distributions.IntDistribution(0, last)
    return optuna.distributions.CategoricalDistribution(range(last + 1))


main()
