"""Numbers: whole ones and others, even or logarithmic, on a grid or not."""

import functools
import math
import random
from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.section import LARGEST
from windtunnel.space.parameter import Column, Gene

_DECIMALS = 5  # of a sampled number, relative to its range: more would only blur labels and logs
_TRIES = 100

WholeNumber = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]


class Number(Gene):
    """A number that is drawn by its quantile function: evenly drawn positions give numbers of its distribution."""

    @property
    def edge(self) -> float:
        """How far from 0 and 1 the positions stay that are chosen rather than drawn."""
        return 0.0

    @abstractmethod
    def from_position(self, position: float) -> Any:
        """The number at a position from 0 to 1 of its distribution."""

    @abstractmethod
    def position(self, value: float) -> float:
        """Where a canonical number lies in its distribution, from 0 to 1."""

    @abstractmethod
    def steps(self, value: float) -> list[Any]:
        """The numbers next to a canonical one on the grid; none where there is no grid."""

    def middle(self) -> Any:
        """The number in the middle of the distribution."""
        return self.canonical(self.from_position(0.5))

    def columns(self, name: str) -> list[Column]:
        """One number."""
        return [Column(name, "number", self.size(), ordered=True, edge=self.edge)]

    def encode(self, value: Any) -> list[float]:
        """The number's position."""
        return [self.position(value)]

    def from_unit(self, point: Sequence[float], start: int, rng: random.Random) -> Any:
        """The number at that position."""
        return self.from_position(point[start])

    def neighbours(self, value: Any) -> list[Any]:
        """The numbers next on the grid; without one, those a tenth of the range away."""
        near = self.steps(value)
        if near or self.size() == 1:
            return near
        position = self.position(value)
        beside = [there for there in (position - 0.1, position + 0.1) if self.edge <= there <= 1 - self.edge]
        shifted = map(self.from_position, beside)
        return [number for number in shifted if number != value]

    def different(self, value: Any, rng: random.Random) -> Any:
        """Another number; the next one where hardly any other is ever drawn."""
        for _ in range(_TRIES):
            if (other := self.from_position(rng.random())) != value:
                return other
        return rng.choice(self.neighbours(value) or [value])

    def moved(self, value: Any, rng: random.Random, scale: float) -> Any:
        """Another number, a normal step away; a grid's next one where the step is shorter than the grid's."""
        position = self.position(value)
        shifted = self.from_position(min(max(rng.gauss(position, scale), self.edge), 1 - self.edge))
        return shifted if shifted != value else rng.choice(self.neighbours(value) or [value])


class _Range(Number):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> "_Range":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log: true low must be above 0, not {self.low}")
        return self

    def _checked(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ValueError(f"a number from {self.low} to {self.high}")
        return value


class Int(_Range):
    """Whole numbers.

    Attributes:
        low: the smallest.
        high: the largest.
        log: whether there are as many draws from 1 to 10 as from 10 to 100.
        step: distance between the numbers, counted from `low`.
    """

    type: Literal["int"] = "int"
    low: WholeNumber
    high: WholeNumber
    step: PositiveInt = 1

    @model_validator(mode="after")
    def _log_has_no_step(self) -> "Int":
        if self.log and self.step != 1:
            raise ValueError("log and step exclude each other")
        return self

    def size(self) -> int:
        """How many whole numbers the range has."""
        return (self.high - self.low) // self.step + 1

    def at(self, index: int) -> int:
        """The number at a place."""
        return self.low + index * self.step

    def canonical(self, value: Any) -> int:
        """The value as an integer, which it must equal.

        Raises:
            ValueError: it is no whole number of the range.
        """
        number = self._checked(value)
        if number != int(number) or (int(number) - self.low) % self.step:
            steps = f" in steps of {self.step}" if self.step > 1 else ""
            raise ValueError(f"a whole number from {self.low} to {self.high}{steps}")
        return int(number)

    # Half a step more at either end gives the first and the last number their full share.

    def from_position(self, position: float) -> int:
        """The number at a position of the range, or of its logarithm."""
        if self.log:
            low, high = self.low - 0.5, self.high + 0.5
            return min(max(round(math.exp(math.log(low) + position * math.log(high / low))), self.low), self.high)
        size = self.size()
        return self.at(min(int(position * size), size - 1))

    def position(self, value: float) -> float:
        """The number's position in the range, or in its logarithm."""
        if self.log:
            low, high = self.low - 0.5, self.high + 0.5
            return math.log(value / low) / math.log(high / low)
        return ((value - self.low) // self.step + 0.5) / self.size()

    def steps(self, value: float) -> list[int]:
        """The numbers one step away."""
        last = self.at(self.size() - 1)
        return [int(near) for near in (value - self.step, value + self.step) if self.low <= near <= last]

    def middle(self) -> int:
        """The number nearest to the middle, or to the logarithm's middle."""
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return self.at(round((middle - self.low) / self.step))


class Float(_Range):
    """Numbers.

    Attributes:
        low: the smallest.
        high: the largest.
        log: whether there are as many draws from 1 to 10 as from 10 to 100.
        step: distance between the numbers, counted from `low`; without it any number is drawn.
    """

    type: Literal["float"] = "float"
    step: PositiveFloat | None = None

    @model_validator(mode="after")
    def _log_has_no_step(self) -> "Float":
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        return self

    def size(self) -> int | None:
        """How many numbers the grid has; None without one."""
        return self._size

    @functools.cached_property
    def _size(self) -> int | None:
        if self.low == self.high:
            return 1
        if self.step is None:
            return None
        return int((Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(self.step))) + 1

    def at(self, index: int) -> float:
        """The number at a place of the grid, in decimal arithmetic: 0.3, not 0.30000000000000004."""
        return float(Decimal(str(self.low)) + index * Decimal(str(self.step or 0.0)))

    def canonical(self, value: Any) -> float:
        """The number as a float, rounded to the grid where there is one.

        Raises:
            ValueError: it is no number of the range.
        """
        number = float(self._checked(value))
        size = self.size()
        if size is None:
            return number + 0.0  # no -0.0
        return self.at(min(self._index(number), size - 1))

    def from_position(self, position: float) -> float:
        """The number at a position of the range, or of its logarithm."""
        size = self.size()
        if size is not None:
            return self.at(min(int(position * size), size - 1))
        if self.log:
            drawn = math.exp(math.log(self.low) + position * math.log(self.high / self.low))
            return self._short(min(max(drawn, self.low), self.high))
        return self._short(self.low + position * (self.high - self.low))

    def position(self, value: float) -> float:
        """The number's position in the range, or in its logarithm."""
        size = self.size()
        if size is not None:
            return (self._index(value) + 0.5) / size
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def steps(self, value: float) -> list[float]:
        """The numbers next on the grid."""
        size = self.size()
        if size is None:
            return []
        index = self._index(value)
        return [self.at(near) for near in (index - 1, index + 1) if 0 <= near < size]

    def middle(self) -> float:
        """The middle of the range, or of its logarithm."""
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return self.canonical(self._short(middle))

    def _index(self, value: float) -> int:
        if self.step is None:
            return 0
        return round((Decimal(str(value)) - Decimal(str(self.low))) / Decimal(str(self.step)))

    def _short(self, value: float) -> float:
        """The number with some decimals only, as many as its range deserves."""
        scale = value * math.log(self.high / self.low) if self.log else self.high - self.low
        if scale <= 0:
            return value
        return min(max(round(value, _DECIMALS - math.floor(math.log10(scale))), self.low), self.high)
