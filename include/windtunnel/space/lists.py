"""Lists of parameters: the layers of a network."""

import functools
import math
import operator
import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeInt, model_validator

from windtunnel.errors import DefinitionError
from windtunnel.space.base import Column, Coordinates, Nested, Parameter, checked
from windtunnel.validation import Fault

_Length = Annotated[int, Field(gt=0, le=1000)]  # each place is a parameter of its own


class List(Parameter):
    """A list of values. Give `items`, a parameter for each place, or `of`, one for all, with `length` or its bounds."""

    type: str = "list"
    of: Nested | None = None
    """The parameter of every item."""
    length: _Length | None = None
    """How many items of `of` there are."""
    min_length: NonNegativeInt | None = None
    """How few items of `of` there may be."""
    max_length: _Length | None = None
    """How many items of `of` there may be."""
    items: list[Nested] | None = Field(default=None, min_length=1)
    """A parameter for each item."""

    @model_validator(mode="after")
    def _has_items_and_lengths(self) -> Self:
        bounds = [name for name in ("length", "min_length", "max_length") if getattr(self, name) is not None]
        if (self.of is None) == (self.items is None):
            raise ValueError("give either `of`, one parameter for all items, or `items`, one for each")
        if self.items is not None and bounds:
            raise ValueError(f"`items` fixes the length: leave out {', '.join(bounds)}")
        if self.of is not None and (self.length is None) == (self.max_length is None):
            raise ValueError("`of` needs either length, or max_length (and min_length, 1 by default)")
        if self.length is not None and self.min_length is not None:
            raise ValueError("length and min_length exclude each other")
        if not self.lengths:
            raise ValueError(f"min_length {self.min_length} is above max_length {self.max_length}")
        if any(item.when is not None for item in self.every):
            raise ValueError("an item of a list has no `when`: nothing stands beside it")
        return self

    @functools.cached_property
    def lengths(self) -> range:
        """How many items there may be."""
        longest = len(self.items) if self.items is not None else self.max_length or self.length or 0
        if self.max_length is None:
            return range(longest, longest + 1)
        return range(1 if self.min_length is None else self.min_length, longest + 1)

    @functools.cached_property
    def every(self) -> list[Parameter]:
        """The parameter of each place, up to the last of the longest list."""
        return list(self.items) if self.items is not None else [self.of] * self.lengths[-1] if self.of else []

    @functools.cached_property
    def _sizes(self) -> dict[int, int]:
        """How many lists of each length there are, of finite items."""
        upto = list(accumulate((item.size() or 0 for item in self.every), operator.mul, initial=1))
        return {length: upto[length] for length in self.lengths}

    def size(self) -> int | None:
        """How many lists there are; None for infinitely many."""
        return None if any(item.size() is None for item in self.every) else sum(self._sizes.values())

    def at(self, index: int) -> list[Any]:
        """The list at a place, short ones first."""
        length = self.lengths[0]
        while index >= self._sizes[length]:
            index -= self._sizes[length]
            length += 1
        values = []
        for item in reversed(self.every[:length]):
            index, place = divmod(index, item.size() or 1)
            values.append(item.at(place))
        return values[::-1]

    def canonical(self, value: Any) -> list[Any]:
        """Each item in its one form.

        Raises:
            ValueError: it is no list of a right length.
            DefinitionError: an item is wrong.
        """
        if not isinstance(value, list | tuple) or len(value) not in self.lengths:
            raise ValueError(f"a list of {lengths_text(self.lengths)} items")
        faults: list[Fault] = []
        items = enumerate(zip(self.every, value, strict=False))
        values = [checked(item, part, (index,), faults) for index, (item, part) in items]
        if faults:
            raise DefinitionError.of(faults)
        return values

    def middle(self) -> list[Any]:
        """A list of middling length, of the items' defaults."""
        return [item.start() for item in self.every[: (self.lengths[0] + self.lengths[-1]) // 2]]

    def neighbours(self, value: Any) -> list[Any]:
        """Those that differ in one item by one step, lack the last item, or have it twice."""
        near = [
            [*value[:index], other, *value[index + 1 :]]
            for index, part in enumerate(value)
            for other in self.every[index].neighbours(part)
        ]
        if len(value) - 1 in self.lengths:
            near.append(value[:-1])
        if len(value) + 1 in self.lengths:
            near.append([*value, value[-1] if value else self.every[0].start()])
        return near

    def columns(self, name: str) -> list[Column]:
        """The length, where it varies, and those of every item, up to the longest list."""
        items = [column for place, item in enumerate(self.every) for column in item.columns(f"{name}[{place}]")]
        return length_columns(name, self.lengths) + items

    def encode(self, value: Any) -> list[float]:
        """The length's position, and the items; nan for items that are not there."""
        row = encoded_length(len(value), self.lengths)
        for place, item in enumerate(self.every):
            row += item.encode(value[place]) if place < len(value) else [math.nan] * item.width
        return row

    def undescribed(self, name: str, value: Any) -> dict[str, Any]:
        """Those of the items."""
        parts: dict[str, Any] = {}
        for place, part in enumerate(value):
            parts |= self.every[place].undescribed(f"{name}[{place}]", part)
        return parts

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> list[Any]:
        """The length by its coordinate, all lengths alike; each item at its coordinates."""
        length = self.lengths[-1]
        if len(self.lengths) > 1:
            length = self.lengths[int(coordinate(start) * len(self.lengths))]
            start += 1
        values = []
        for item in self.every[:length]:
            values.append(item.from_coordinates(coordinate, start, rng))
            start += item.width
        return values

    def genes(self, value: Any) -> int:
        """Those of the items, and the length where it varies."""
        return int(len(self.lengths) > 1) + sum(item.genes(part) for item, part in zip(self.every, value, strict=False))

    def mutate(self, value: Any, chosen: Iterator[bool], rng: random.Random, scale: float | None) -> list[Any]:
        """Items changed as chosen; if the length is, an item is put in or taken out anywhere."""
        resized = len(self.lengths) > 1 and next(chosen)
        changed = [item.mutate(part, chosen, rng, scale) for item, part in zip(self.every, value, strict=False)]
        if resized:
            can_grow, can_shrink = len(value) + 1 in self.lengths, len(value) - 1 in self.lengths
            if can_grow and not (can_shrink and rng.random() < 0.5):
                changed.insert(rng.randrange(len(value) + 1), self.every[0].sample(rng))
            else:
                del changed[rng.randrange(len(value))]
        return changed

    def crossover(self, first: Any, second: Any, rng: random.Random) -> list[Any]:
        """The length of either; items that both have are crossed, others are of the one that has them."""
        length = len(first) if rng.random() < 0.5 else len(second)
        longer = first if len(first) >= len(second) else second
        pairs = list(zip(self.every, first, second, strict=False))[:length]
        return [*(item.crossover(one, other, rng) for item, one, other in pairs), *longer[len(pairs) : length]]


def length_columns(name: str, lengths: range) -> list[Column]:
    """The column of a list's length, where it varies.

    Args:
        name: the list's path.
        lengths: that it may have.
    """
    return [Column(f"{name}.length", "number", len(lengths), ordered=True)] if len(lengths) > 1 else []


def encoded_length(length: int, lengths: range) -> list[float]:
    """A list's length as a number for that column."""
    return [(lengths.index(length) + 0.5) / len(lengths)] if len(lengths) > 1 else []


def lengths_text(lengths: range) -> str:
    """The lengths as an error names them: `3`, `1 to 4`."""
    return f"{lengths[0]} to {lengths[-1]}" if len(lengths) > 1 else f"{lengths[0]}"
