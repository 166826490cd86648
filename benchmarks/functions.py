"""What 20 trials of a function that does nothing take: `windtunnel.search`, Optuna in process, and Ray Tune.

Each row is measured in a Python of its own, from its start: wall time, and the CPU time of all its processes, which
says something on a busy machine too. Ray Tune runs in an environment of its own, whose Python `--ray` names.
"""

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WINDTUNNEL = """
import sys, windtunnel
def nothing(trial):
    trial.report(score=trial.params["x"])
space = {"x": {"type": "float", "low": 0, "high": 1}}
run = windtunnel.search(nothing, space, {"score": "maximize"}, trials=TRIALS, parallel=2, store=sys.argv[1])
assert len(run.trials) == TRIALS
"""
OPTUNA = """
import optuna
study = optuna.create_study(direction="maximize")
study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=TRIALS)
assert len(study.trials) == TRIALS
"""
RAY = """
import sys, ray
from ray import tune
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
def nothing(config):
    tune.report({"score": config["x"]})
options = tune.TuneConfig(num_samples=TRIALS, max_concurrent_trials=2, metric="score", mode="max")
settings = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
found = tune.Tuner(nothing, param_space={"x": tune.uniform(0, 1)}, tune_config=options, run_config=settings).fit()
assert len(found) == TRIALS and not found.errors
"""
_ADOPT = 36  # prctl's PR_SET_CHILD_SUBREAPER: lanes are detached, and their time counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--ray", metavar="PYTHON", help="of an environment with ray[tune]")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows = [("windtunnel.search", sys.executable, WINDTUNNEL), ("Optuna, in process", sys.executable, OPTUNA)]
    rows += [("Ray Tune", arguments.ray, RAY)] if arguments.ray else []
    for name, python, program in rows:
        wall, cpu = measured(python, program.replace("TRIALS", str(arguments.trials)))
        each = 1000 * wall / arguments.trials
        print(f"{name:20} {wall:7.2f} s, {each:8.1f} ms a trial; {cpu:6.2f} s of CPU time", flush=True)


def measured(python: str, program: str) -> tuple[float, float]:
    """Seconds that a program takes in an interpreter of its own, by the clock and of all its processes' CPU time.

    Raises:
        subprocess.CalledProcessError: it failed; its output is shown.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(program)
        before, began = cpu_seconds(), time.perf_counter()
        done = subprocess.run([python, str(file), folder], capture_output=True, text=True, check=False)
        wall = time.perf_counter() - began
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            done.check_returncode()
        wait_for_left()
        return wall, cpu_seconds() - before


def wait_for_left() -> None:
    """Reap what the program has left behind, whose time counts only then."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def cpu_seconds() -> float:
    """Of all processes that this one has reaped."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
