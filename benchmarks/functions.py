"""What 20 trials of a function that does nothing take: `windtunnel.search`, Optuna in process, and Ray Tune.

Ray Tune runs in an environment of its own, whose Python `--ray` names.
"""

import argparse
import os
import subprocess
import tempfile
import time
from typing import Any

RAY = """import time
from ray import tune
began = time.perf_counter()
def nothing(config): tune.report({"score": config["x"]})
tune.run(nothing, config={"x": tune.uniform(0, 1)}, num_samples=TRIALS, max_concurrent_trials=2, verbose=0)
print(time.perf_counter() - began)"""


def nothing(trial: Any) -> None:
    trial.report(score=trial.params["x"])


def windtunnel_seconds(trials: int) -> float:
    import windtunnel

    space = {"x": {"type": "float", "low": 0, "high": 1}}
    with tempfile.TemporaryDirectory() as store:
        began = time.perf_counter()
        windtunnel.search(nothing, space, {"score": "maximize"}, trials=trials, parallel=2, store=store, progress=False)
        return time.perf_counter() - began


def optuna_seconds(trials: int) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began = time.perf_counter()
    study = optuna.create_study(direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=trials)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--ray", metavar="PYTHON", help="of an environment with ray[tune]")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows = [("windtunnel.search", windtunnel_seconds), ("Optuna, in process", optuna_seconds)]
    for name, measure in rows:
        seconds = measure(arguments.trials)
        print(f"{name:20} {seconds:7.2f} s, {1000 * seconds / arguments.trials:8.1f} ms a trial", flush=True)
    if arguments.ray:
        program = RAY.replace("TRIALS", str(arguments.trials))
        done = subprocess.run([arguments.ray, "-c", program], capture_output=True, text=True, check=True)
        seconds = float(done.stdout.split()[-1])
        print(f"{'Ray Tune':20} {seconds:7.2f} s, {1000 * seconds / arguments.trials:8.1f} ms a trial")


if __name__ == "__main__":
    main()
