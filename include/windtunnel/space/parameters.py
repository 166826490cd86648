"""The kinds of parameter that a space is made of. Each is a section of the YAML file and knows how to vary its value.

A new kind is a subclass of `Parameter` with a `type` of its own, added to `KINDS`.
"""

import functools
import math
import random
from abc import abstractmethod
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.ledger.ids import canonical_json
from windtunnel.section import Section, found

_LARGEST = 2**53 - 1  # the largest integer that all JSON readers agree on (RFC 8785)
_DECIMALS = 5  # of a sampled number, relative to its range: more would only blur labels and logs

WholeNumber = Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]


class Parameter(Section):
    """One searched parameter. Values are plain JSON values; all randomness comes from the generator given."""

    @abstractmethod
    def size(self) -> int | None:
        """How many values there are; None for infinitely many."""

    @abstractmethod
    def at(self, index: int) -> Any:
        """The value at a place from 0 to `size() - 1`, of a finite parameter."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Any:
        """A random value."""

    @abstractmethod
    def canonical(self, value: Any) -> Any:
        """The one form of a value: `3.0` of an integer is `3`, a stepped number lies on its grid.

        Raises:
            ValueError: it is no value of this parameter; the text says what would be.
        """

    @abstractmethod
    def neighbours(self, value: Any) -> list[Any]:
        """The values one step from a canonical one."""

    @abstractmethod
    def default(self) -> Any:
        """A value in the middle."""

    def different(self, value: Any, rng: random.Random) -> Any:
        """A random value other than this canonical one; the same only where there is no other."""
        if self.size() == 1:
            return value
        while (other := self.sample(rng)) == value:
            pass
        return other

    def describe(self) -> dict[str, Any]:
        """The parameter as the YAML file says it."""
        fields = self.model_dump()
        return {"type": fields["type"], **self.model_dump(exclude_defaults=True)}


class _Range(Parameter):
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

    def _draw(self, rng: random.Random, low: float, high: float) -> float:
        """A random number, its logarithm even if so declared; never outside the parameter's own range."""
        drawn = math.exp(rng.uniform(math.log(low), math.log(high))) if self.log else rng.uniform(low, high)
        return min(max(drawn, self.low), self.high)

    def _middle(self) -> float:
        return math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2


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

    def sample(self, rng: random.Random) -> int:
        """A random whole number."""
        if not self.log:
            return self.at(rng.randrange(self.size()))
        # Half a step more at either end gives the first and the last number their full share.
        return round(self._draw(rng, self.low - 0.5, self.high + 0.5))

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

    def neighbours(self, value: Any) -> list[int]:
        """The numbers one step away."""
        last = self.at(self.size() - 1)
        return [near for near in (value - self.step, value + self.step) if self.low <= near <= last]

    def default(self) -> int:
        """The number nearest to the middle, or to the logarithm's middle."""
        return self.at(round((self._middle() - self.low) / self.step))


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
        if self.low == self.high:
            return 1
        if self.step is None:
            return None
        return int((Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(self.step))) + 1

    def at(self, index: int) -> float:
        """The number at a place of the grid, in decimal arithmetic: 0.3, not 0.30000000000000004."""
        return float(Decimal(str(self.low)) + index * Decimal(str(self.step or 0.0)))

    def sample(self, rng: random.Random) -> float:
        """A random number."""
        size = self.size()
        return self.at(rng.randrange(size)) if size is not None else self._short(self._draw(rng, self.low, self.high))

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

    def neighbours(self, value: Any) -> list[float]:
        """The numbers next on the grid; without one, those a tenth of the range away."""
        size = self.size()
        if size is not None:
            index = self._index(value)
            return [self.at(near) for near in (index - 1, index + 1) if 0 <= near < size]
        if self.log:
            factor = (self.high / self.low) ** 0.1
            near = (value / factor, value * factor)
        else:
            near = (value - (self.high - self.low) / 10, value + (self.high - self.low) / 10)
        return [self._short(number) for number in near if self.low <= number <= self.high]

    def default(self) -> float:
        """The middle of the range, or of its logarithm."""
        return self.canonical(self._short(self._middle()))

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


class Categorical(Parameter):
    """One of some values. `[1, 3, 5]` is short for `{type: categorical, choices: [1, 3, 5]}`.

    Attributes:
        choices: the values, of any JSON type.
    """

    type: Literal["categorical"] = "categorical"
    choices: list[Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_different(self) -> "Categorical":
        try:
            different = len(self._places)
        except ValueError as error:
            raise ValueError(f"choices must be JSON values: {error}") from None
        if different < len(self.choices):
            raise ValueError(f"choices must differ from each other: {found(self.choices)}")
        return self

    @functools.cached_property
    def _places(self) -> dict[bytes, int]:
        return {canonical_json(choice): index for index, choice in enumerate(self.choices)}

    def size(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    def at(self, index: int) -> Any:
        """The choice at a place."""
        return self.choices[index]

    def sample(self, rng: random.Random) -> Any:
        """A random choice."""
        return rng.choice(self.choices)

    def canonical(self, value: Any) -> Any:
        """The choice that equals the value as JSON: 1.0 is 1, but true is not.

        Raises:
            ValueError: it is none of the choices.
        """
        try:
            return self.choices[self._places[canonical_json(value)]]
        except (KeyError, ValueError, TypeError):
            raise ValueError(f"one of {found(self.choices)}") from None

    def different(self, value: Any, rng: random.Random) -> Any:
        """A random choice other than this one; the same only where there is no other."""
        return rng.choice(self.neighbours(value) or [value])

    def neighbours(self, value: Any) -> list[Any]:
        """All other choices: they have no order."""
        place = self._places[canonical_json(value)]  # by place, for Python holds True and 1 for equal
        return self.choices[:place] + self.choices[place + 1 :]

    def default(self) -> Any:
        """The first choice."""
        return self.choices[0]


class Bool(Parameter):
    """True or false."""

    type: Literal["bool"] = "bool"

    def size(self) -> int:
        """Two."""
        return 2

    def at(self, index: int) -> bool:
        """False, then true."""
        return bool(index)

    def sample(self, rng: random.Random) -> bool:
        """True or false, at even odds."""
        return rng.random() < 0.5

    def canonical(self, value: Any) -> bool:
        """The boolean itself.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value

    def neighbours(self, value: Any) -> list[bool]:
        """The other one."""
        return [not value]

    def default(self) -> bool:
        """False."""
        return False


KINDS: dict[str, type[Parameter]] = {"int": Int, "float": Float, "categorical": Categorical, "bool": Bool}
