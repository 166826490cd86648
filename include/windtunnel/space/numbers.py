"""Numbers between two bounds: whole ones and others, even or logarithmic, on a grid or not."""

import functools
import math
import random
import sys
from abc import abstractmethod
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.space.base import Column, Coordinates, Parameter
from windtunnel.validation import LARGEST

_DECIMALS = 5  # of a sampled number, relative to its range: more would only blur labels and logs
_TRIES = 100

WholeNumber = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]


class Number(Parameter):
    """A number with a distribution: evenly drawn positions from 0 to 1 give numbers of it.

    Here all values share the positions evenly; kinds with another distribution have their own `from_position` and
    `position`.
    """

    edge: ClassVar[float] = 0.0  # how far from 0 and 1 the positions stay that are chosen rather than drawn

    @abstractmethod
    def place(self, value: float) -> int:
        """The place of the nearest number to a value, of a finite parameter: what `at` takes."""

    def from_position(self, position: float) -> Any:
        """The number at a position from 0 to 1 of the distribution."""
        size = self.size() or 1
        return self.at(min(int(position * size), size - 1))

    def position(self, value: float) -> float:
        """Where a canonical number lies in its distribution, from 0 to 1."""
        return (self.place(value) + 0.5) / (self.size() or 1)

    def steps(self, value: float) -> list[Any]:
        """The numbers next to a canonical one on the grid; none where there is no grid."""
        size = self.size()
        if size is None:
            return []
        place = self.place(value)
        return [self.at(near) for near in (place - 1, place + 1) if 0 <= near < size]

    def middle(self) -> Any:
        """The number in the middle of the distribution."""
        return self.canonical(self.from_position(0.5))

    def columns(self, name: str) -> list[Column]:
        """One number."""
        return [Column(name, "number", self.size(), ordered=True, edge=self.edge)]

    def encode(self, value: Any) -> list[float]:
        """The number's position."""
        return [self.position(value)]

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> Any:
        """The number at that position."""
        return self.from_position(coordinate(start))

    def neighbours(self, value: Any) -> list[Any]:
        """The numbers next on the grid; without one, those a tenth of the range away."""
        near = self.steps(value)
        if near or self.size() == 1:
            return near
        position = self.position(value)
        beside = [there for there in (position - 0.1, position + 0.1) if self.edge <= there <= 1 - self.edge]
        return [number for number in map(self.from_position, beside) if number != value]

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


class Float(Number):
    """Numbers."""

    type: str = "float"
    low: float
    """The smallest."""
    high: float
    """The largest."""
    log: bool = False
    """Whether numbers are drawn evenly by their logarithm: as often from 1 to 10 as from 10 to 100."""
    step: PositiveFloat | None = None
    """Distance between the numbers, counted from `low`; without it any number is drawn."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log: true low must be above 0, not {self.low}")
        if self.log and self.step != type(self).model_fields["step"].default:
            raise ValueError("log and step exclude each other")
        if not self.log and not math.isfinite(self.high - self.low):
            raise ValueError(f"from low {self.low:g} to high {self.high:g} is further than a number can tell")
        if self.step is not None and (self.size() or 0) > LARGEST:
            raise ValueError(f"step {self.step:g} makes more than {LARGEST:.3g} numbers; allowed: a longer step")
        return self

    @functools.cached_property
    def _size(self) -> int | None:
        if self.low == self.high:
            return 1
        if self.step is None:
            return None
        return int((decimal(self.high) - decimal(self.low)) / decimal(self.step)) + 1

    @functools.cached_property
    def _ends(self) -> tuple[float, float]:
        """Between which numbers are drawn where they are not drawn from a grid."""
        return self.low, self.high

    @functools.cached_property
    def _extent(self) -> float:
        """The logarithm of what lies between the ends."""
        return _logarithm(*self._ends)

    @functools.cached_property
    def _evenly(self) -> bool:
        """Whether the numbers share the positions evenly, as those of a grid do, or the only one."""
        return self.size() == 1 or (self.size() is not None and not self.log)

    def size(self) -> int | None:
        """How many numbers the grid has; None without one."""
        return self._size

    def at(self, index: int) -> float:
        """The number at a place of the grid, in decimal arithmetic: 0.3, not 0.30000000000000004."""
        return float(decimal(self.low) + index * decimal(self.step or 0.0))

    def place(self, value: float) -> int:
        """The place of the nearest number of the grid."""
        return round((value - self.low) / (self.step or 1.0))

    def canonical(self, value: Any) -> float:
        """The number as a float, rounded to the grid where there is one.

        Raises:
            ValueError: it is no number of the range.
        """
        number = float(self._within(value))
        return number + 0.0 if self.size() is None else self._nearest(number)  # no -0.0

    def from_position(self, position: float) -> Any:
        """The number at a position of the range, or of its logarithm."""
        if self._evenly:
            return super().from_position(position)
        low, high = self._ends
        if self.log:
            return self._nearest(math.exp(math.log(low) + position * self._extent))
        return self._nearest(low + position * (high - low))

    def position(self, value: float) -> float:
        """The number's position in the range, or in its logarithm."""
        if self._evenly:
            return super().position(value)
        low, high = self._ends
        return _logarithm(low, value) / self._extent if self.log else (value - low) / (high - low)

    def middle(self) -> Any:
        """The number nearest to the middle, or to the logarithm's middle."""
        return self._nearest(math.sqrt(self.low) * math.sqrt(self.high) if self.log else self.low / 2 + self.high / 2)

    def _within(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ValueError(f"a number from {self.low} to {self.high}")
        return value

    def _nearest(self, value: float) -> Any:
        """The number of the grid nearest to a value; without a grid, the value with as many decimals as it deserves."""
        size = self.size()
        if size is not None:
            return self.at(min(max(self.place(value), 0), size - 1))
        value = min(max(value, self.low), self.high)
        scale = value * _logarithm(self.low, self.high) if self.log else self.high - self.low
        places = _DECIMALS - math.floor(math.log10(min(max(scale, sys.float_info.min), sys.float_info.max)))
        return min(max(round(value, places), self.low), self.high)


class Int(Float):
    """Whole numbers."""

    type: str = "int"
    low: WholeNumber
    """The smallest."""
    high: WholeNumber
    """The largest."""
    step: PositiveInt = 1
    """Distance between the numbers, counted from `low`."""

    @functools.cached_property
    def _ends(self) -> tuple[float, float]:
        """Half a step more at either end gives the first and the last number their full share."""
        return self.low - 0.5, self.high + 0.5

    def at(self, index: int) -> int:
        """The number at a place."""
        return self.low + index * self.step

    def canonical(self, value: Any) -> int:
        """The value as an integer, which it must equal.

        Raises:
            ValueError: it is no whole number of the range.
        """
        number = self._within(value)
        if number != int(number) or (int(number) - self.low) % self.step:
            steps = f" in steps of {self.step}" if self.step > 1 else ""
            raise ValueError(f"a whole number from {self.low} to {self.high}{steps}")
        return int(number)


class Randint(Number):
    """Whole numbers from 0 up to, but without, a bound: HyperDrive's `randint`."""

    type: str = "randint"
    upper: Annotated[int, Field(gt=0, le=LARGEST)]
    """The bound, which is one more than the largest number."""

    def size(self) -> int:
        """As many as the bound."""
        return self.upper

    def at(self, index: int) -> int:
        """The place itself."""
        return index

    def place(self, value: float) -> int:
        """The number itself."""
        return int(value)

    def canonical(self, value: Any) -> int:
        """The value as an integer, which it must equal.

        Raises:
            ValueError: it is no such number.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(self.upper):
            raise ValueError(f"a whole number from 0 to {self.upper - 1}")
        return int(value)


def _logarithm(low: float, high: float) -> float:
    """Of the ratio of two numbers, which may be beyond all floats."""
    ratio = high / low
    return math.log(ratio) if 0 < ratio < math.inf else math.log(high) - math.log(low)


def decimal(number: float) -> Decimal:
    """The number as it is written: 0.1, not 0.1000000000000000055511151231257827."""
    return Decimal(str(number))
