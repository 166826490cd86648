"""Trials that sleep, by Ray Tune: `ray_peer.py TRIALS SLOTS SECONDS`, on a Ray of its own with a core a slot.

A class whose actors take up one trial after another is the fastest of its ways: a function has an actor, and so a
process, started more often.
"""

import json
import sys
import tempfile
import time
from typing import Any

import ray
from ray import tune


class Sleeps(tune.Trainable):
    """A trial of one step."""

    def setup(self, config: dict[str, Any]) -> None:
        self._x, self._seconds = config["x"], config["seconds"]

    def reset_config(self, config: dict[str, Any]) -> bool:
        self.setup(config)
        return True

    def step(self) -> dict[str, Any]:
        time.sleep(self._seconds)
        return {"score": self._x, "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: there is no state."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing."""


def main() -> None:
    trials, slots, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False)
        results = tune.Tuner(
            Sleeps,
            param_space={"x": tune.uniform(0, 1), "seconds": seconds},
            tune_config=tune.TuneConfig(metric="score", mode="max", num_samples=trials, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        wall = time.time() - began
        done = sum(result.error is None and "score" in (result.metrics or {}) for result in results)
        ray.shutdown()
    print(json.dumps({"trials": done, "seconds": wall}))


if __name__ == "__main__":
    main()
