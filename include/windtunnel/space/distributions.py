"""HyperDrive's distributions: uniform and normal numbers, their exponentials, and multiples of a number.

They are exactly those of Azure ML's HyperDrive and of its successor, the sweep: `q…` is round(x / q) · q; `log…` is the
exponential of what it is called after, so that its bounds are logarithms.
"""

import math
from abc import abstractmethod
from statistics import NormalDist
from typing import Any, ClassVar, Self

from pydantic import PositiveFloat, model_validator

from windtunnel.space.numbers import Number, decimal
from windtunnel.validation import LARGEST

_STANDARD = NormalDist()
_TAIL = 0.01  # of the distribution, at either end: 2.3 standard deviations from the mean
_SMALLEST = 2.0**-53  # the normal distribution has no quantile of 0 or of 1
_LARGEST_LOGARITHM = 700  # near the largest float's


class Distribution(Number):
    """A number drawn by a quantile function. It keeps all its digits."""

    log: ClassVar[bool] = False  # whether the number is the exponential of what is drawn

    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Between which is drawn; infinite where there is no bound."""

    @abstractmethod
    def quantile(self, position: float) -> float:
        """What is drawn at a position from 0 to 1."""

    @abstractmethod
    def share_below(self, drawn: float) -> float:
        """The cumulative distribution function."""

    def ends(self) -> tuple[float, float]:
        """The smallest and the largest number; infinite where there is none."""
        low, high = self.bounds()
        return (math.exp(low), math.exp(high)) if self.log else (low, high)

    def size(self) -> int | None:
        """Infinitely many, unless there is only one."""
        low, high = self.ends()
        return 1 if low == high else None

    def at(self, index: int) -> float:
        """The only number."""
        return self.ends()[0]

    def place(self, value: float) -> int:
        """The only place."""
        return 0

    def canonical(self, value: Any) -> float:
        """The number as a float.

        Raises:
            ValueError: it is no number of the distribution.
        """
        low, high = self.ends()
        if not _is_number(value) or not low <= value <= high:
            between = f" from {low} to {high}" if math.isfinite(high) else f" of at least {low}" if low == 0 else ""
            raise ValueError(f"a number{between}")
        return float(value) + 0.0  # no -0.0

    def from_position(self, position: float) -> float:
        """The number drawn at a position."""
        drawn = self.quantile(position)
        if not self.log:
            return drawn
        low, high = self.ends()
        return min(max(math.exp(drawn), low), high)

    def position(self, value: float) -> float:
        """The share of the draws below a number."""
        if not self.log:
            return self.share_below(value)
        return min(max(self.share_below(math.log(value)), 0.0), 1.0) if value > 0 else 0.0


class Quantised(Distribution):
    """Multiples of a number: a draw from another distribution, rounded to the nearest one."""

    q: PositiveFloat
    """The number whose multiples are drawn; multiples of a whole one are whole."""

    @model_validator(mode="after")
    def _has_multiples(self) -> Self:
        try:
            furthest = max(abs(Distribution.from_position(self, position)) for position in (0.0, 1.0))
        except OverflowError:  # which is told of the distribution
            return self
        if furthest / self.q > LARGEST:
            raise ValueError(
                f"q {self.q:g} is too small for numbers up to {furthest:.3g}; allowed: at least "
                f"{furthest / LARGEST:.3g}"
            )
        return self

    def size(self) -> int | None:
        """How many multiples come up; None where the distribution has no end."""
        first, last = self._multiples()
        return int(last - first) + 1 if math.isfinite(last - first) else None

    def at(self, index: int) -> float:
        """The multiple at a place, counted from the smallest."""
        return self._multiple(int(self._multiples()[0]) + index)

    def canonical(self, value: Any) -> float:
        """The nearest multiple.

        Raises:
            ValueError: it is none that comes up.
        """
        first, last = self._multiples()
        if not _is_number(value) or math.isinf(value / self.q) or not first <= round(value / self.q) <= last:
            between = f" from {first * self.q:g} to {last * self.q:g}" if math.isfinite(last) else ""
            raise ValueError(f"a multiple of {self.q:g}{between}")
        return self._multiple(round(value / self.q))

    def from_position(self, position: float) -> float:
        """The distribution's number, rounded."""
        first, last = self._multiples()
        nearest = round(super().from_position(position) / self.q)
        return self._multiple(int(min(max(nearest, first), last)))

    def position(self, value: float) -> float:
        """The number's own position, kept within the distribution."""
        low, high = self.ends()
        return super().position(min(max(value, low), high))

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
        multiple = times * decimal(self.q)
        return int(multiple) if self.q.is_integer() else float(multiple)  # a layer's width is a whole number


class Uniform(Distribution):
    """Numbers, all alike: HyperDrive's `uniform`."""

    type: str = "uniform"
    min_value: float
    """The smallest."""
    max_value: float
    """The largest."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min_value > self.max_value:
            raise ValueError(f"min_value {self.min_value} is above max_value {self.max_value}")
        if self.log and self.max_value > _LARGEST_LOGARITHM:
            limit = f"allowed: at most {_LARGEST_LOGARITHM}"
            raise ValueError(f"max_value {self.max_value:g} is a natural logarithm; {limit}")
        if not math.isfinite(self.max_value - self.min_value):
            least, most = f"min_value {self.min_value:g}", f"max_value {self.max_value:g}"
            raise ValueError(f"from {least} to {most} is further than a number can tell")
        return self

    def bounds(self) -> tuple[float, float]:
        """The two of the definition."""
        return self.min_value, self.max_value

    def quantile(self, position: float) -> float:
        """What lies at a position between the bounds."""
        return min(self.min_value + position * (self.max_value - self.min_value), self.max_value)

    def share_below(self, drawn: float) -> float:
        """Where it lies between the bounds."""
        return (drawn - self.min_value) / ((self.max_value - self.min_value) or 1.0)


class QUniform(Quantised, Uniform):
    """round(uniform(min_value, max_value) / q) · q: HyperDrive's `quniform`."""

    type: str = "quniform"
    min_value: float
    """The smallest, before rounding."""
    max_value: float
    """The largest, before rounding."""


class LogUniform(Uniform):
    """exp(uniform(min_value, max_value)): HyperDrive's `loguniform`."""

    log: ClassVar[bool] = True
    type: str = "loguniform"
    min_value: float
    """Natural logarithm of the smallest."""
    max_value: float
    """Natural logarithm of the largest."""


class QLogUniform(Quantised, LogUniform):
    """round(exp(uniform(min_value, max_value)) / q) · q: HyperDrive's `qloguniform`."""

    type: str = "qloguniform"
    min_value: float
    """Natural logarithm of the smallest, before rounding."""
    max_value: float
    """Natural logarithm of the largest, before rounding."""


class Normal(Distribution):
    """Normally distributed numbers, without bounds: HyperDrive's `normal`."""

    # What is chosen stays out of the tails: the last step there would lead to eight standard deviations.
    edge: ClassVar[float] = _TAIL
    type: str = "normal"
    mu: float
    """Mean of the numbers."""
    sigma: PositiveFloat
    """Standard deviation of the numbers."""

    @model_validator(mode="after")
    def _has_exponentials(self) -> Self:
        if self.log and self.mu + 9 * self.sigma > _LARGEST_LOGARITHM:
            limit = f"allowed: mu + 9 sigma <= {_LARGEST_LOGARITHM}"
            raise ValueError(f"mu {self.mu:g} and sigma {self.sigma:g} are of the logarithm; {limit}")
        if not math.isfinite(abs(self.mu) + 9 * self.sigma):
            raise ValueError(f"mu {self.mu:g} and sigma {self.sigma:g} lead beyond all numbers")
        return self

    def bounds(self) -> tuple[float, float]:
        """None."""
        return -math.inf, math.inf

    def quantile(self, position: float) -> float:
        """The normal distribution's."""
        return self.mu + self.sigma * _STANDARD.inv_cdf(min(max(position, _SMALLEST), 1 - _SMALLEST))

    def share_below(self, drawn: float) -> float:
        """The normal distribution's."""
        return _STANDARD.cdf((drawn - self.mu) / self.sigma)


class QNormal(Quantised, Normal):
    """round(normal(mu, sigma) / q) · q: HyperDrive's `qnormal`."""

    type: str = "qnormal"
    mu: float
    """The mean, before rounding."""
    sigma: PositiveFloat
    """The standard deviation, before rounding."""


class LogNormal(Normal):
    """exp(normal(mu, sigma)): HyperDrive's `lognormal`."""

    log: ClassVar[bool] = True
    type: str = "lognormal"
    mu: float
    """Mean of the numbers' natural logarithm."""
    sigma: PositiveFloat
    """Standard deviation of the numbers' natural logarithm."""


class QLogNormal(Quantised, LogNormal):
    """round(exp(normal(mu, sigma)) / q) · q: HyperDrive's `qlognormal`."""

    type: str = "qlognormal"
    mu: float
    """Mean of the natural logarithm, before rounding."""
    sigma: PositiveFloat
    """Standard deviation of the natural logarithm, before rounding."""


DISTRIBUTIONS = (Uniform, QUniform, LogUniform, QLogUniform, Normal, QNormal, LogNormal, QLogNormal)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
