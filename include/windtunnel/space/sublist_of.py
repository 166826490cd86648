"""Some of several values: distinct, and in their order."""

import functools
import math
import random
from collections.abc import Hashable
from itertools import accumulate
from typing import Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from windtunnel.space.base import Column, Coordinates, Parameter, identity
from windtunnel.space.choices import check_different
from windtunnel.space.lists import encoded_length, length_columns, lengths_text
from windtunnel.validation import shown


class SublistOf(Parameter):
    """Some of the choices, each at most once and in the order of the choices."""

    type: str = "sublist_of"
    choices: list[Any] = Field(min_length=1)
    """The values, of any JSON type."""
    length: PositiveInt | None = None
    """How many are taken."""
    min_length: NonNegativeInt | None = None
    """How few may be taken; 0 by default."""
    max_length: PositiveInt | None = None
    """How many may be taken; by default all."""

    @model_validator(mode="after")
    def _lengths_are_right(self) -> Self:
        check_different(self.choices)
        if self.length is not None and (self.min_length is not None or self.max_length is not None):
            raise ValueError("length excludes min_length and max_length")
        longest = self.length or self.max_length or len(self.choices)
        if longest > len(self.choices):
            raise ValueError(f"{longest} cannot be taken of {len(self.choices)} choices")
        if not self.lengths:
            raise ValueError(f"min_length {self.min_length} is above max_length {longest}")
        return self

    @functools.cached_property
    def lengths(self) -> range:
        """How many choices may be taken."""
        return range(self.length or self.min_length or 0, (self.length or self.max_length or len(self.choices)) + 1)

    @functools.cached_property
    def _places(self) -> dict[Hashable, int]:
        return {identity(choice): place for place, choice in enumerate(self.choices)}

    @functools.cached_property
    def _upto(self) -> list[int]:
        """How many sublists have the shortest length, that or the next, and so on."""
        return list(accumulate(math.comb(len(self.choices), length) for length in self.lengths))

    def size(self) -> int:
        """How many sublists there are."""
        return self._upto[-1]

    def at(self, index: int) -> list[Any]:
        """The sublist at a place: short ones first, then by the places of what is taken."""
        step = next(step for step, upto in enumerate(self._upto) if index < upto)
        index -= self._upto[step - 1] if step else 0
        needed, taken = self.lengths[step], []
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
            places = {self._places[identity(part)] for part in value}
        except (KeyError, ValueError, TypeError):
            places = set()
        if not isinstance(value, list | tuple) or len(places) < len(value) or len(places) not in self.lengths:
            text = f"a list of {lengths_text(self.lengths)} different ones of {shown(self.choices)}"
            raise ValueError(text)
        return self._list(places)

    def middle(self) -> list[Any]:
        """The first choices, as many as is middling."""
        return self.choices[: (self.lengths[0] + self.lengths[-1] + 1) // 2]

    def neighbours(self, value: Any) -> list[list[Any]]:
        """Those with one exchanged, one more, or one fewer."""
        taken = self._taken(value)
        left = self._left(taken)
        near = [taken - {out} | {into} for out in taken for into in left]
        near += [taken | {into} for into in left] + [taken - {out} for out in taken]
        return [self._list(places) for places in near if len(places) in self.lengths]

    def different(self, value: Any, rng: random.Random) -> list[Any]:
        """Any of the neighbours, without listing them all."""
        taken = self._taken(value)
        none: set[int] = set()
        out, into = [none, *({place} for place in taken)], [none, *({place} for place in self._left(taken))]
        while True:
            near = taken - rng.choice(out) | rng.choice(into)
            if near != taken and len(near) in self.lengths:
                return self._list(near)

    def crossover(self, first: Any, second: Any, rng: random.Random) -> list[Any]:
        """What both have, and some of what one has, so that the length is between theirs."""
        one, other = self._taken(first), self._taken(second)
        length = rng.randint(*sorted((len(one), len(other))))
        both, either = one & other, sorted(one ^ other)
        return self._list(both | set(rng.sample(either, length - len(both))))

    def columns(self, name: str) -> list[Column]:
        """The length, where it varies, and for each choice whether it is taken."""
        taken = [Column(f"{name}[{place}]", "category", 2, ordered=True) for place in range(len(self.choices))]
        return length_columns(name, self.lengths) + taken

    def encode(self, value: Any) -> list[float]:
        """The length's position; then 1 for what is taken and 0 for what is not."""
        taken = self._taken(value)
        return encoded_length(len(taken), self.lengths) + [float(place in taken) for place in range(len(self.choices))]

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> list[Any]:
        """All sublists alike: a length by how many have it, then choice after choice by how many are still needed."""
        needed = self.lengths[0]
        if len(self.lengths) > 1:
            needed += next(step for step, upto in enumerate(self._upto) if coordinate(start) < upto / self._upto[-1])
            start += 1
        taken = []
        for place, choice in enumerate(self.choices):
            if needed and 1 - coordinate(start + place) <= needed / (len(self.choices) - place):
                taken.append(choice)
                needed -= 1
        return taken

    def _taken(self, value: Any) -> set[int]:
        return {self._places[identity(part)] for part in value}

    def _left(self, taken: set[int]) -> list[int]:
        return [place for place in range(len(self.choices)) if place not in taken]

    def _list(self, places: set[int]) -> list[Any]:
        return [self.choices[place] for place in sorted(places)]
