"""How long trials will take: the workload's prediction of their work, corrected by what the run's own trials took."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from sys import intern
from typing import Any

from windtunnel.ledger.records import Params, Request

Features = Mapping[str, float]  # what a trial's time may depend on

_FEWEST = 3  # trials that have ended from which on predictions are corrected
_SMALLEST = 1e-9  # of a cost or a time
_WEIGHT = 1.0  # of the prior, that the workload is right, in trials


def work_of(request: Request) -> float:
    """What the workload calls a trial's cost, above 0, so that one can divide by it."""
    return max(request.cost, _SMALLEST)


def timed_by(request: Request, seconds: float) -> tuple[Features, float]:
    """What a trial that has ended tells of others: all that a lane, which sees thousands end, needs to keep of it.

    Args:
        request: of the trial.
        seconds: that it took.

    Returns:
        Its features, and the logarithm of (time taken / cost).
    """
    factor = math.log(max(seconds, _SMALLEST) / work_of(request))
    return {intern(name): value for name, value in _features(request)}, factor


def predicted(requests: Sequence[Request], timed: Sequence[tuple[Features, float]] = ()) -> list[float]:
    """The predicted times of some trials, of which only the ratios count.

    What the workload calls a trial's `cost` is taken for its time, times a factor that depends on the cost itself and
    on the parameters: a ridge regression of the logarithm of (time taken / cost) over the trials that have ended. With
    few of them there is no correction.

    Args:
        requests: whose times are wanted.
        timed: trials that have ended, as `timed_by` tells of them.

    Returns:
        A time each, in order; seconds, once there is something to correct by.
    """
    costs = [work_of(request) for request in requests]
    if len(timed) < _FEWEST or len(requests) < 2:  # one alone is in order
        return costs
    import numpy as np

    factors = np.array([factor for _, factor in timed])
    names = sorted({name for features, _ in timed for name in features})
    places = {name: place for place, name in enumerate(names)}

    def table(rated: Sequence[Iterable[tuple[str, float]]]) -> Any:
        rows = np.zeros((len(rated), len(names)))
        for row, features in zip(rows, rated, strict=True):
            for name, value in features:
                if name in places:
                    row[places[name]] = value
        return rows

    known = table([features.items() for features, _ in timed])
    middle, spread = known.mean(axis=0), known.std(axis=0)
    spread[spread == 0] = np.inf  # what was always the same explains nothing
    scaled = (known - middle) / spread
    mean = factors.mean()
    gram = scaled.T @ scaled + _WEIGHT * np.eye(len(names))
    weights = np.linalg.solve(gram, scaled.T @ (factors - mean))
    wanted = (table([*map(_features, requests)]) - middle) / spread @ weights + mean
    within = np.clip(wanted, factors.min(), factors.max())
    return [float(cost * factor) for cost, factor in zip(costs, np.exp(within), strict=True)]


def _features(request: Request) -> Iterator[tuple[str, float]]:
    yield "", math.log(work_of(request))
    yield from _numbers("", request.params)


def _numbers(name: str, value: Params | Any) -> Iterator[tuple[str, float]]:
    """Numbers as they are, and of everything else whether it is there."""
    match value:
        case dict():
            for key, part in value.items():
                yield from _numbers(f"{name}.{key}", part)
        case list() | tuple():
            yield f"{name}.length", float(len(value))
            for place, part in enumerate(value):
                yield from _numbers(f"{name}.{place}", part)
        case bool() | None | str():
            yield f"{name}={value}", 1.0
        case int() | float() if math.isfinite(value):
            yield name, float(value)
