"""A workload whose trials do nothing, in a job that has loaded torch."""

from typing import Any


def prepare(data: Any) -> None:
    """Nothing is needed."""


def train(trial: Any) -> None:
    """Report a value, which a trial must."""
    trial.report(score=1.0)


def verify(model: Any) -> None:
    """Nothing is checked."""
