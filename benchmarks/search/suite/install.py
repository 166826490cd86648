"""Make the environments that the suite's peers run in: `python -m benchmarks.search.suite.install`."""

from benchmarks.environments import make

ENVIRONMENTS = {
    "botorch": (["torch==2.13.0"], ["torch==2.13.0", "botorch", "gpytorch", "optuna", "pymoo"]),
    "smac": (["smac"],),
    "hebo": (["torch==2.13.0"], ["torch==2.13.0", "HEBO"]),
}

if __name__ == "__main__":
    make(ENVIRONMENTS)
