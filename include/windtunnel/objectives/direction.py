"""Which direction of an objective is better, and what that makes of values and comparisons: here, and only here.

A direction is `maximize` or `minimize`.
"""

from collections.abc import Iterable
from typing import TypeGuard

_FAR = 1e50  # five of them have a product, and each a square


def sign(direction: str) -> float:
    """What values are multiplied by so that less is better; multiplied twice, they are what they were."""
    return -1.0 if direction == "maximize" else 1.0


def loss(value: float, direction: str) -> float:
    """The value turned so that less is better."""
    return -value if direction == "maximize" else value


def better(value: float, other: float, direction: str) -> bool:
    """Whether the value is better than the other."""
    return loss(value, direction) < loss(other, direction)


def reached(value: float, goal: float, direction: str) -> bool:
    """Whether the value is at least as good as the goal."""
    return loss(value, direction) <= loss(goal, direction)


def told(value: float | None) -> TypeGuard[float]:
    """Whether there is a value that says something: finite, and not so far out that it only stands for "no value"."""
    return value is not None and -_FAR < value < _FAR


def near(value: float) -> float:
    """The value, or where it lies far out, as those do that stand for "no value", one that can be calculated with."""
    return min(max(value, -_FAR), _FAR)


def best(values: Iterable[float], direction: str) -> float | None:
    """The best of the values; None where there are none."""
    return min(values, key=lambda value: loss(value, direction), default=None)


def worst(values: Iterable[float], direction: str) -> float | None:
    """The worst of the values; None where there are none."""
    return max(values, key=lambda value: loss(value, direction), default=None)
