"""The ten expressions of Azure ML's HyperDrive and of its successor, the sweep, as they define them.

`q…` is round(x / q) · q; `log…` is the exponential of what it is called after, so that its bounds are logarithms.
"""

from typing import Any, Literal

from pydantic import Field, PositiveInt

from windtunnel.space.choices import Choices
from windtunnel.space.distributions import (
    LogNormalNumber,
    LogUniformNumber,
    NormalNumber,
    Quantised,
    UniformNumber,
)
from windtunnel.space.numbers import Number


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


class Uniform(UniformNumber):
    """Numbers, all alike: HyperDrive's `uniform`.

    Attributes:
        min_value: the smallest.
        max_value: the largest.
    """

    type: Literal["uniform"] = "uniform"


class QUniform(Quantised, UniformNumber):
    """round(uniform(min_value, max_value) / q) · q: HyperDrive's `quniform`.

    Attributes:
        min_value: the smallest, before rounding.
        max_value: the largest, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["quniform"] = "quniform"


class LogUniform(LogUniformNumber):
    """exp(uniform(min_value, max_value)): HyperDrive's `loguniform`.

    Attributes:
        min_value: natural logarithm of the smallest.
        max_value: natural logarithm of the largest.
    """

    type: Literal["loguniform"] = "loguniform"


class QLogUniform(Quantised, LogUniformNumber):
    """round(exp(uniform(min_value, max_value)) / q) · q: HyperDrive's `qloguniform`.

    Attributes:
        min_value: natural logarithm of the smallest, before rounding.
        max_value: natural logarithm of the largest, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["qloguniform"] = "qloguniform"


class Normal(NormalNumber):
    """Normally distributed numbers, without bounds: HyperDrive's `normal`.

    Attributes:
        mu: their mean.
        sigma: their standard deviation.
    """

    type: Literal["normal"] = "normal"


class QNormal(Quantised, NormalNumber):
    """round(normal(mu, sigma) / q) · q: HyperDrive's `qnormal`.

    Attributes:
        mu: the mean, before rounding.
        sigma: the standard deviation, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["qnormal"] = "qnormal"


class LogNormal(LogNormalNumber):
    """exp(normal(mu, sigma)): HyperDrive's `lognormal`.

    Attributes:
        mu: mean of the numbers' natural logarithm.
        sigma: standard deviation of the numbers' natural logarithm.
    """

    type: Literal["lognormal"] = "lognormal"


class QLogNormal(Quantised, LogNormalNumber):
    """round(exp(normal(mu, sigma)) / q) · q: HyperDrive's `qlognormal`.

    Attributes:
        mu: mean of the natural logarithm, before rounding.
        sigma: standard deviation of the natural logarithm, before rounding.
        q: of which the numbers are multiples.
    """

    type: Literal["qlognormal"] = "qlognormal"
