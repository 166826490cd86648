"""Make the environments of the peers: `python -m benchmarks.orchestration.install`."""

from benchmarks.environments import make

ENVIRONMENTS = {"ray": (["ray[tune]"],), "optuna": (["optuna"],)}

if __name__ == "__main__":
    make(ENVIRONMENTS)
