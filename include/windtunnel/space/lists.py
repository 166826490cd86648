"""Lists of parameters: the layers of a network."""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from windtunnel.errors import DefinitionError
from windtunnel.section import Fault
from windtunnel.space.nested import Nested
from windtunnel.space.parameter import Column, Parameter, checked


class List(Parameter):
    """A list of values. Give `items`, a parameter for each place, or `of`, one for all, with `length` or its bounds.

    Attributes:
        of: the parameter of every item.
        length: how many items of `of` there are.
        min_length: how few items of `of` there may be.
        max_length: how many items of `of` there may be.
        items: a parameter for each item.
    """

    type: Literal["list"] = "list"
    of: Nested | None = None
    length: PositiveInt | None = None
    min_length: NonNegativeInt | None = None
    max_length: PositiveInt | None = None
    items: list[Nested] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_its_items(self) -> "List":
        bounds = [name for name in ("length", "min_length", "max_length") if getattr(self, name) is not None]
        if (self.of is None) == (self.items is None):
            raise ValueError("give either `of`, one parameter for all items, or `items`, one for each")
        if self.items is not None and bounds:
            raise ValueError(f"`items` fixes the length: leave out {', '.join(bounds)}")
        if self.of is not None and (self.length is None) == (self.max_length is None):
            raise ValueError("`of` needs either length, or max_length (and min_length, 1 by default)")
        if self.length is not None and self.min_length is not None:
            raise ValueError("length and min_length exclude each other")
        if self.shortest > self.longest:
            raise ValueError(f"min_length {self.shortest} is above max_length {self.longest}")
        for item in self._all:
            if item.when is not None:
                raise ValueError("an item of a list has no `when`: nothing stands beside it")
        return self

    @property
    def shortest(self) -> int:
        """The smallest number of items."""
        if self.max_length is not None:
            return 1 if self.min_length is None else self.min_length
        return self.longest

    @property
    def longest(self) -> int:
        """The largest number of items."""
        return len(self.items) if self.items is not None else self.max_length or self.length or 0

    @property
    def _all(self) -> list[Parameter]:
        """The parameter of each place, up to the last of the longest list."""
        if self.items is not None:
            return list(self.items)
        return [self.of] * self.longest if self.of is not None else []

    @property
    def _varies(self) -> bool:
        return self.shortest < self.longest

    def size(self) -> int | None:
        """How many lists there are; None for infinitely many."""
        sizes = [item.size() for item in self._all]
        if None in sizes:
            return None
        return sum(self._of_length(length) for length in range(self.shortest, self.longest + 1))

    def at(self, index: int) -> list[Any]:
        """The list at a place, short ones first."""
        length = self.shortest
        while index >= self._of_length(length):
            index -= self._of_length(length)
            length += 1
        values = []
        for item in reversed(self._all[:length]):
            index, place = divmod(index, item.size() or 1)
            values.append(item.at(place))
        return values[::-1]

    def canonical(self, value: Any) -> list[Any]:
        """Each item in its one form.

        Raises:
            ValueError: it is no list of a right length.
            DefinitionError: an item is wrong.
        """
        if not isinstance(value, list | tuple) or not self.shortest <= len(value) <= self.longest:
            lengths = f"{self.shortest} to {self.longest}" if self._varies else f"{self.longest}"
            raise ValueError(f"a list of {lengths} items")
        faults: list[Fault] = []
        values = [
            checked(item, part, (index,), faults)
            for index, (item, part) in enumerate(zip(self._all, value, strict=False))
        ]
        if faults:
            raise DefinitionError.of(faults)
        return values

    def middle(self) -> list[Any]:
        """A list of middling length, of the items' defaults."""
        return [item.start() for item in self._all[: (self.shortest + self.longest) // 2]]

    def neighbours(self, value: Any) -> list[Any]:
        """Those that differ in one item by one step, lack the last item, or have it twice."""
        near = [
            [*value[:index], other, *value[index + 1 :]]
            for index, part in enumerate(value)
            for other in self._all[index].neighbours(part)
        ]
        if len(value) > self.shortest:
            near.append(value[:-1])
        if len(value) < self.longest:
            near.append([*value, value[-1] if value else self._all[0].start()])
        return near

    def columns(self, name: str) -> list[Column]:
        """The length, where it varies, and those of every item, up to the longest list."""
        lengths = self.longest - self.shortest + 1
        length = [Column(f"{name}.length", "number", lengths, ordered=True)] if self._varies else []
        items = [column for i, item in enumerate(self._all) for column in item.columns(f"{name}[{i}]")]
        return length + items

    def encode(self, value: Any) -> list[float]:
        """The length's position, and the items; nan for items that are not there."""
        lengths = self.longest - self.shortest + 1
        row = [(len(value) - self.shortest + 0.5) / lengths] if self._varies else []
        for index, item in enumerate(self._all):
            row += item.encode(value[index]) if index < len(value) else [math.nan] * item.width
        return row

    def untold(self, name: str, value: Any) -> dict[str, Any]:
        """Those of the items."""
        parts: dict[str, Any] = {}
        for index, part in enumerate(value):
            parts |= self._all[index].untold(f"{name}[{index}]", part)
        return parts

    def from_unit(self, point: Sequence[float], start: int, rng: random.Random) -> list[Any]:
        """The length by its coordinate, all lengths alike; each item at its part of the point."""
        length = self.longest
        if self._varies:
            length = self.shortest + int(point[start] * (self.longest - self.shortest + 1))
            start += 1
        values = []
        for item in self._all[:length]:
            values.append(item.from_unit(point, start, rng))
            start += item.width
        return values

    def genes(self, value: Any) -> int:
        """Those of the items, and the length where it varies."""
        return int(self._varies) + sum(item.genes(part) for item, part in zip(self._all, value, strict=False))

    def mutate(self, value: Any, chosen: Iterator[bool], rng: random.Random, scale: float | None) -> list[Any]:
        """Items changed as chosen; if the length is, an item is put in or taken out anywhere."""
        resized = self._varies and next(chosen)
        changed = [
            item.mutate(part, islice(chosen, item.genes(part)), rng, scale)
            for item, part in zip(self._all, value, strict=False)
        ]
        if resized and self.of is not None:
            can_grow, can_shrink = len(value) < self.longest, len(value) > self.shortest
            if can_grow and not (can_shrink and rng.random() < 0.5):
                changed.insert(rng.randrange(len(value) + 1), self.of.sample(rng))
            else:
                del changed[rng.randrange(len(value))]
        return changed

    def crossover(self, first: Any, second: Any, rng: random.Random) -> list[Any]:
        """The length of either; items that both have are crossed, others are of the one that has them."""
        length = len(first) if rng.random() < 0.5 else len(second)
        longer = first if len(first) >= len(second) else second
        shared = min(len(first), len(second))
        crossed = [self._all[i].crossover(first[i], second[i], rng) for i in range(min(length, shared))]
        return [*crossed, *longer[shared:length]]

    def _of_length(self, length: int) -> int:
        return math.prod(item.size() or 0 for item in self._all[:length])
