"""Distributions by their quantiles: uniform and normal numbers, their exponentials, and multiples of a number."""

import math
from abc import abstractmethod
from decimal import Decimal
from statistics import NormalDist
from typing import Any

from pydantic import PositiveFloat, model_validator

from windtunnel.space.numbers import Number

_STANDARD = NormalDist()
_TAIL = 0.01  # of the distribution, at either end: 2.3 standard deviations from the mean
_SMALLEST = 2.0**-53  # the normal distribution has no quantile of 0 or of 1


class Drawn(Number):
    """A number with a distribution.

    Numbers keep all their digits: the distributions are to be exactly HyperDrive's.
    """

    @abstractmethod
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest number; infinite where there is none."""

    def size(self) -> int | None:
        """Infinitely many, unless there is only one."""
        low, high = self.ends()
        return 1 if low == high else None

    def at(self, index: int) -> Any:
        """The only number."""
        return self.ends()[0]

    def canonical(self, value: Any) -> float:
        """The number as a float.

        Raises:
            ValueError: it is no number of the distribution.
        """
        low, high = self.ends()
        number = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
        if not number or not low <= value <= high:
            between = f" from {low} to {high}" if math.isfinite(high) else f" of at least {low}" if low == 0 else ""
            raise ValueError(f"a number{between}")
        return float(value) + 0.0  # no -0.0

    def steps(self, value: float) -> list[float]:
        """There is no grid."""
        return []

    def from_position(self, position: float) -> float:
        """The number drawn at a position."""
        return self.drawn(position)

    def position(self, value: float) -> float:
        """The share of the draws below a number."""
        return self.share(value)

    @abstractmethod
    def drawn(self, position: float) -> float:
        """The distribution's quantile function."""

    @abstractmethod
    def share(self, value: float) -> float:
        """The distribution's cumulative distribution function."""


class Quantised(Drawn):
    """A distribution whose numbers are rounded to multiples of q."""

    q: PositiveFloat

    def size(self) -> int | None:
        """How many multiples come up; None where the distribution has no ends."""
        first, last = self._multiples()
        return int(last - first) + 1 if math.isfinite(first) and math.isfinite(last) else None

    def at(self, index: int) -> float:
        """The multiple at a place, counted from the smallest."""
        return self._multiple(int(self._multiples()[0]) + index)

    def canonical(self, value: Any) -> float:
        """The nearest multiple.

        Raises:
            ValueError: it is none that comes up.
        """
        first, last = self._multiples()
        number = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
        if not number or not first <= round(value / self.q) <= last:
            between = f" from {first * self.q:g} to {last * self.q:g}" if math.isfinite(last) else ""
            raise ValueError(f"a multiple of {self.q:g}{between}")
        return self._multiple(round(value / self.q))

    def from_position(self, position: float) -> float:
        """The distribution's number, rounded."""
        first, last = self._multiples()
        nearest = round(self.drawn(position) / self.q)
        return self._multiple(int(min(max(nearest, first), last)))

    def position(self, value: float) -> float:
        """The number's own position, kept within the distribution."""
        low, high = self.ends()
        return self.share(min(max(value, low), high))

    def steps(self, value: float) -> list[float]:
        """One multiple less and one more."""
        first, last = self._multiples()
        multiple = round(value / self.q)
        return [self._multiple(near) for near in (multiple - 1, multiple + 1) if first <= near <= last]

    def _multiples(self) -> tuple[float, float]:
        """The smallest and the largest multiple that comes up; a draw that is just between two never does."""
        low, high = self.ends()
        first = math.floor(low / self.q + 0.5) if math.isfinite(low) else low
        last = math.ceil(high / self.q - 0.5) if math.isfinite(high) else high
        return first, max(first, last)

    def _multiple(self, times: int) -> float:
        return float(times * Decimal(str(self.q)))


class UniformNumber(Drawn):
    """Numbers between two bounds, all alike.

    Attributes:
        min_value: the smaller bound.
        max_value: the larger one.
    """

    min_value: float
    max_value: float

    @model_validator(mode="after")
    def _is_a_range(self) -> "UniformNumber":
        if self.min_value > self.max_value:
            raise ValueError(f"min_value {self.min_value} is above max_value {self.max_value}")
        return self

    def ends(self) -> tuple[float, float]:
        """The bounds."""
        return self.min_value, self.max_value

    def drawn(self, position: float) -> float:
        """The number at a position between the bounds."""
        return min(self.min_value + position * (self.max_value - self.min_value), self.max_value)

    def share(self, value: float) -> float:
        """Where between the bounds the number lies."""
        return (value - self.min_value) / ((self.max_value - self.min_value) or 1.0)


class LogUniformNumber(UniformNumber):
    """Exponentials of numbers between two bounds."""

    @model_validator(mode="after")
    def _are_logarithms(self) -> "LogUniformNumber":
        if self.max_value > 700:
            raise ValueError(f"max_value {self.max_value:g} is a natural logarithm; allowed: at most 700")
        return self

    def ends(self) -> tuple[float, float]:
        """The bounds' exponentials."""
        return math.exp(self.min_value), math.exp(self.max_value)

    def drawn(self, position: float) -> float:
        """The exponential of the number between the bounds."""
        low, high = self.ends()
        return min(max(math.exp(super().drawn(position)), low), high)

    def share(self, value: float) -> float:
        """Where the number's logarithm lies."""
        return min(max(super().share(math.log(value)), 0.0), 1.0)


class NormalNumber(Drawn):
    """Normally distributed numbers.

    Attributes:
        mu: their mean.
        sigma: their standard deviation.
    """

    mu: float
    sigma: PositiveFloat

    @property
    def edge(self) -> float:
        """What is chosen keeps out of the tails, where the last step would lead to eight standard deviations."""
        return _TAIL

    def ends(self) -> tuple[float, float]:
        """None."""
        return -math.inf, math.inf

    def drawn(self, position: float) -> float:
        """The distribution's quantile."""
        return self.mu + self.sigma * _STANDARD.inv_cdf(min(max(position, _SMALLEST), 1 - _SMALLEST))

    def share(self, value: float) -> float:
        """The share of the distribution below the number."""
        return _STANDARD.cdf((value - self.mu) / self.sigma)


class LogNormalNumber(NormalNumber):
    """Exponentials of normally distributed numbers."""

    @model_validator(mode="after")
    def _are_logarithms(self) -> "LogNormalNumber":
        if self.mu + 9 * self.sigma > 700:
            raise ValueError(
                f"mu {self.mu:g} and sigma {self.sigma:g} are of the logarithm; allowed: mu + 9 sigma <= 700"
            )
        return self

    def ends(self) -> tuple[float, float]:
        """Zero, and none."""
        return 0.0, math.inf

    def drawn(self, position: float) -> float:
        """The exponential of the normal distribution's quantile."""
        return math.exp(super().drawn(position))

    def share(self, value: float) -> float:
        """The share of the distribution below the number."""
        return super().share(math.log(value)) if value > 0 else 0.0
