"""The ten expressions of Azure ML's HyperDrive and of its successor, the sweep, as they define them.

`q…` is round(x / q) · q; `log…` is the exponential of what it is called after, so that its bounds are logarithms.
"""

import math
from abc import abstractmethod
from decimal import Decimal
from statistics import NormalDist
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.space.choices import Choices
from windtunnel.space.numbers import Number

_STANDARD = NormalDist()
_SMALLEST = 2.0**-53  # the normal distribution has no quantile of 0 or of 1


class Choice(Choices):
    """One of some values: HyperDrive's `choice`.

    Attributes:
        values: of any JSON type.
    """

    type: Literal["choice"] = "choice"
    values: list[Any] = Field(min_length=1)

    def options(self) -> list[Any]:
        """The values."""
        return self.values


class Randint(Number):
    """Whole numbers from 0 up to, but without, a bound: HyperDrive's `randint`.

    Attributes:
        upper: the bound.
    """

    type: Literal["randint"] = "randint"
    upper: PositiveInt

    def size(self) -> int:
        """As many as the bound."""
        return self.upper

    def at(self, index: int) -> int:
        """The place itself."""
        return index

    def canonical(self, value: Any) -> int:
        """The value as an integer, which it must equal.

        Raises:
            ValueError: it is no such number.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(self.upper):
            raise ValueError(f"a whole number from 0 to {self.upper - 1}")
        return int(value)

    def from_position(self, position: float) -> int:
        """All numbers share the positions evenly."""
        return min(int(position * self.upper), self.upper - 1)

    def position(self, value: float) -> float:
        """The middle of the number's share."""
        return (value + 0.5) / self.upper

    def steps(self, value: float) -> list[int]:
        """One less and one more."""
        return [int(near) for near in (value - 1, value + 1) if 0 <= near < self.upper]


class _Drawn(Number):
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


class _Quantised(_Drawn):
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


class _Uniform(_Drawn):
    min_value: float
    max_value: float

    @model_validator(mode="after")
    def _is_a_range(self) -> "_Uniform":
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


class _LogUniform(_Uniform):
    @model_validator(mode="after")
    def _are_logarithms(self) -> "_LogUniform":
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


class _Normal(_Drawn):
    mu: float
    sigma: PositiveFloat

    def ends(self) -> tuple[float, float]:
        """None."""
        return -math.inf, math.inf

    def drawn(self, position: float) -> float:
        """The distribution's quantile."""
        return self.mu + self.sigma * _STANDARD.inv_cdf(min(max(position, _SMALLEST), 1 - _SMALLEST))

    def share(self, value: float) -> float:
        """The share of the distribution below the number."""
        return _STANDARD.cdf((value - self.mu) / self.sigma)


class _LogNormal(_Normal):
    @model_validator(mode="after")
    def _are_logarithms(self) -> "_LogNormal":
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


class Uniform(_Uniform):
    """Numbers, all alike: HyperDrive's `uniform`.

    Attributes:
        min_value: the smallest.
        max_value: the largest.
    """

    type: Literal["uniform"] = "uniform"


class QUniform(_Quantised, _Uniform):
    """round(uniform(min_value, max_value) / q) · q: HyperDrive's `quniform`.

    Attributes:
        min_value: the smallest, before rounding.
        max_value: the largest, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["quniform"] = "quniform"


class LogUniform(_LogUniform):
    """exp(uniform(min_value, max_value)): HyperDrive's `loguniform`.

    Attributes:
        min_value: natural logarithm of the smallest.
        max_value: natural logarithm of the largest.
    """

    type: Literal["loguniform"] = "loguniform"


class QLogUniform(_Quantised, _LogUniform):
    """round(exp(uniform(min_value, max_value)) / q) · q: HyperDrive's `qloguniform`.

    Attributes:
        min_value: natural logarithm of the smallest, before rounding.
        max_value: natural logarithm of the largest, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["qloguniform"] = "qloguniform"


class Normal(_Normal):
    """Normally distributed numbers, without bounds: HyperDrive's `normal`.

    Attributes:
        mu: their mean.
        sigma: their standard deviation.
    """

    type: Literal["normal"] = "normal"


class QNormal(_Quantised, _Normal):
    """round(normal(mu, sigma) / q) · q: HyperDrive's `qnormal`.

    Attributes:
        mu: the mean, before rounding.
        sigma: the standard deviation, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["qnormal"] = "qnormal"


class LogNormal(_LogNormal):
    """exp(normal(mu, sigma)): HyperDrive's `lognormal`.

    Attributes:
        mu: mean of the numbers' natural logarithm.
        sigma: standard deviation of the numbers' natural logarithm.
    """

    type: Literal["lognormal"] = "lognormal"


class QLogNormal(_Quantised, _LogNormal):
    """round(exp(normal(mu, sigma)) / q) · q: HyperDrive's `qlognormal`.

    Attributes:
        mu: mean of the natural logarithm, before rounding.
        sigma: standard deviation of the natural logarithm, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["qlognormal"] = "qlognormal"
