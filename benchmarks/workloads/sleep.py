"""A workload whose trials sleep, in a job without torch."""

import time
from typing import Any

__all__ = ["TORCH", "prepare", "train"]

TORCH = False


def prepare(data: Any) -> None:
    """Something must be there."""
    data.save("train", x=[0.0])


def train(trial: Any) -> None:
    """Sleep as long as the settings say."""
    time.sleep(trial.settings["seconds"])
    trial.report(score=float(trial.params["n"]))
