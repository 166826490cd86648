"""A workload whose trials sleep, each for a time of its own, in a job without torch."""

import time
from collections.abc import Mapping
from typing import Any

__all__ = ["TORCH", "cost", "train"]

TORCH = False


def cost(params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """The predicted work."""
    return {"work": settings["work"][params["n"]]}


def train(trial: Any) -> None:
    """Sleep as long as the settings say."""
    time.sleep(trial.settings["seconds"][trial.params["n"]])
    trial.report(score=float(trial.params["n"]))
