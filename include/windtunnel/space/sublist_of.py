"""Some of several values: distinct, and in their order."""

import functools
import math
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from windtunnel.ledger.ids import canonical_json
from windtunnel.section import found
from windtunnel.space.choices import check_different
from windtunnel.space.parameter import Column, Gene


class SublistOf(Gene):
    """Some of the choices, each at most once and in the order of the choices.

    Attributes:
        choices: the values, of any JSON type.
        length: how many are taken.
        min_length: how few may be taken; 0 by default.
        max_length: how many may be taken; by default all.
    """

    type: Literal["sublist_of"] = "sublist_of"
    choices: list[Any] = Field(min_length=1)
    length: PositiveInt | None = None
    min_length: NonNegativeInt | None = None
    max_length: PositiveInt | None = None

    @model_validator(mode="after")
    def _lengths_are_right(self) -> "SublistOf":
        check_different(self.choices)
        if self.length is not None and (self.min_length is not None or self.max_length is not None):
            raise ValueError("length excludes min_length and max_length")
        if self.longest > len(self.choices):
            raise ValueError(f"{self.longest} cannot be taken of {len(self.choices)} choices")
        if self.shortest > self.longest:
            raise ValueError(f"min_length {self.shortest} is above max_length {self.longest}")
        return self

    @property
    def shortest(self) -> int:
        """How few may be taken."""
        return self.length if self.length is not None else self.min_length or 0

    @property
    def longest(self) -> int:
        """How many may be taken."""
        return self.length if self.length is not None else self.max_length or len(self.choices)

    @functools.cached_property
    def _places(self) -> dict[bytes, int]:
        return {canonical_json(choice): index for index, choice in enumerate(self.choices)}

    @functools.cached_property
    def _upto(self) -> list[int]:
        """How many sublists have the shortest length, that or the next, and so on."""
        lengths = range(self.shortest, self.longest + 1)
        return list(accumulate(math.comb(len(self.choices), length) for length in lengths))

    def size(self) -> int:
        """How many sublists there are."""
        return self._upto[-1]

    def at(self, index: int) -> list[Any]:
        """The sublist at a place: short ones first, then by the places of what is taken."""
        step = next(step for step, upto in enumerate(self._upto) if index < upto)
        index -= self._upto[step - 1] if step else 0
        needed, taken = self.shortest + step, []
        for place, choice in enumerate(self.choices):
            with_it = math.comb(len(self.choices) - place - 1, needed - 1) if needed else 0
            if index < with_it:
                taken.append(choice)
                needed -= 1
            else:
                index -= with_it
        return taken

    def canonical(self, value: Any) -> list[Any]:
        """The sublist in the order of the choices.

        Raises:
            ValueError: it is no such list.
        """
        try:
            places = sorted(self._places[canonical_json(part)] for part in value)
        except (KeyError, ValueError, TypeError):
            places = None
        if places is None or len(set(places)) < len(places) or not self.shortest <= len(places) <= self.longest:
            lengths = f"{self.shortest} to {self.longest}" if self.shortest < self.longest else f"{self.longest}"
            raise ValueError(f"a list of {lengths} different ones of {found(self.choices)}")
        return [self.choices[place] for place in places]

    def middle(self) -> list[Any]:
        """The first choices, as many as is middling."""
        return self.choices[: (self.shortest + self.longest + 1) // 2]

    def neighbours(self, value: Any) -> list[list[Any]]:
        """Those with one more, one fewer, or one exchanged."""
        taken = self._taken(value)
        left = [place for place in range(len(self.choices)) if place not in taken]
        near = [taken - {out} | {into} for out in taken for into in left]
        near += [taken | {into} for into in left if len(taken) < self.longest]
        near += [taken - {out} for out in taken if len(taken) > self.shortest]
        return [self._list(places) for places in near]

    def different(self, value: Any, rng: random.Random) -> list[Any]:
        """Another sublist, near this one: one more, one fewer, or one exchanged."""
        taken = self._taken(value)
        left = [place for place in range(len(self.choices)) if place not in taken]
        more, fewer = len(taken) < self.longest, len(taken) > self.shortest
        exchanges = len(taken) * len(left)
        place = rng.randrange(exchanges + more * len(left) + fewer * len(taken))
        if place < exchanges:
            return self._list(taken - {sorted(taken)[place // len(left)]} | {left[place % len(left)]})
        place -= exchanges
        if more and place < len(left):
            return self._list(taken | {left[place]})
        return self._list(taken - {sorted(taken)[place - more * len(left)]})

    def crossover(self, first: Any, second: Any, rng: random.Random) -> list[Any]:
        """What both have, and some of what one has, so that the length is between theirs."""
        one, other = self._taken(first), self._taken(second)
        length = rng.randint(*sorted((len(one), len(other))))
        both, either = one & other, sorted(one ^ other)
        return self._list(both | set(rng.sample(either, length - len(both))))

    def columns(self, name: str) -> list[Column]:
        """The length, where it varies, and for each choice whether it is taken."""
        lengths = [Column(f"{name}.length", "number", len(self._upto), ordered=True)] if len(self._upto) > 1 else []
        return lengths + [Column(f"{name}[{i}]", "category", 2, ordered=True) for i in range(len(self.choices))]

    def encode(self, value: Any) -> list[float]:
        """The length's position; then 1 for what is taken and 0 for what is not."""
        taken = self._taken(value)
        length = [(len(taken) - self.shortest + 0.5) / len(self._upto)] if len(self._upto) > 1 else []
        return length + [float(place in taken) for place in range(len(self.choices))]

    def from_unit(self, point: Sequence[float], start: int, rng: random.Random) -> list[Any]:
        """All sublists alike: a length by how many have it, then choice after choice by how many are still needed."""
        needed = self.shortest
        if len(self._upto) > 1:
            needed += next(step for step, upto in enumerate(self._upto) if point[start] < upto / self._upto[-1])
            start += 1
        taken = []
        for place, choice in enumerate(self.choices):
            if needed and 1 - point[start + place] <= needed / (len(self.choices) - place):
                taken.append(choice)
                needed -= 1
        return taken

    def _taken(self, value: Any) -> set[int]:
        return {self._places[canonical_json(part)] for part in value}

    def _list(self, places: set[int]) -> list[Any]:
        return [self.choices[place] for place in sorted(places)]
