"""Trials that sleep, by Ray Tune: `ray_peer.py TRIALS SLOTS SECONDS`, on a Ray of its own with a core a slot."""

import json
import sys
import tempfile
import time

import ray
from ray import tune


def main() -> None:
    trials, slots, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

    def train(config: dict[str, float]) -> None:
        time.sleep(seconds)
        tune.report({"score": config["x"]})

    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False)
        results = tune.Tuner(
            train,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                metric="score", mode="max", num_samples=trials, max_concurrent_trials=slots, reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        wall = time.time() - began
        done = sum(result.error is None and "score" in (result.metrics or {}) for result in results)
        ray.shutdown()
    print(json.dumps({"trials": done, "seconds": wall}))


if __name__ == "__main__":
    main()
