"""One of several branches, each with parameters of its own."""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from windtunnel.errors import DefinitionError
from windtunnel.space.base import Column, Coordinates, Nested, Parameter, checked
from windtunnel.validation import Fault, shown, unknown


class OneOf(Parameter):
    """One of several parameters by name. The value says which: `{sgd: {momentum: 0.9}}`."""

    type: str = "one_of"
    options: dict[str, Nested | None] = Field(min_length=1)
    """The parameter of each branch; `null` for a branch without one, whose value is `null` too."""

    @model_validator(mode="after")
    def _have_no_conditions(self) -> Self:
        for name, option in self.options.items():
            if option is not None and option.when is not None:
                raise ValueError(f"option '{name}' has no `when`: the choice itself is its condition")
        return self

    def size(self) -> int | None:
        """How many values the branches have together; None for infinitely many."""
        sizes = [option.size() if option else 1 for option in self.options.values()]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def at(self, index: int) -> dict[str, Any]:
        """The value at a place, branch after branch."""
        for name, option in self.options.items():
            size = option.size() or 0 if option else 1
            if index < size:
                return {name: option and option.at(index)}
            index -= size
        raise IndexError(index)

    def canonical(self, value: Any) -> dict[str, Any]:
        """The branch's value in its one form.

        Raises:
            ValueError: it is no mapping of one branch.
            DefinitionError: the branch is unknown, or its value is wrong.
        """
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError(f"a mapping from one of {', '.join(self.options)} to its value")
        ((name, inner),) = value.items()
        if name not in self.options:
            raise DefinitionError.of([Fault((str(name),), unknown(str(name), self.options, "option"))])
        option = self.options[name]
        faults: list[Fault] = []
        canonical = option and checked(option, inner, (name,), faults)
        if option is None and inner is not None:
            faults.append(Fault((name,), f"found {shown(inner)}; allowed: null, for the option has no parameter"))
        if faults:
            raise DefinitionError.of(faults)
        return {name: canonical}

    def middle(self) -> dict[str, Any]:
        """The first branch with its default."""
        return self._start(next(iter(self.options)))

    def neighbours(self, value: Any) -> list[dict[str, Any]]:
        """One step within the branch, or another branch with its default."""
        ((name, inner),) = value.items()
        option = self.options[name]
        within = [{name: near} for near in option.neighbours(inner)] if option else []
        return within + [self._start(other) for other in self.options if other != name]

    def columns(self, name: str) -> list[Column]:
        """The branch as a category, and those of every branch."""
        own = Column(name, "category", len(self.options), ordered=False)
        return [own] + [
            column for branch, option in self.options.items() if option for column in option.columns(f"{name}.{branch}")
        ]

    def encode(self, value: Any) -> list[float]:
        """The branch's place, and its value; nan for all other branches."""
        ((name, inner),) = value.items()
        row = [float(list(self.options).index(name))]
        for branch, option in self.options.items():
            if option:
                row += option.encode(inner) if branch == name else [math.nan] * option.width
        return row

    def undescribed(self, name: str, value: Any) -> dict[str, Any]:
        """Those of the branch's value."""
        ((branch, inner),) = value.items()
        option = self.options[branch]
        return option.undescribed(f"{name}.{branch}", inner) if option else {}

    def from_coordinates(self, coordinate: Coordinates, start: int, rng: random.Random) -> dict[str, Any]:
        """The branch by its coordinate, all alike; its value by the coordinates of its columns."""
        names = list(self.options)
        place = int(coordinate(start) * len(names))
        option = self.options[names[place]]
        start += 1 + sum(other.width for other in list(self.options.values())[:place] if other)
        return {names[place]: option and option.from_coordinates(coordinate, start, rng)}

    def genes(self, value: Any) -> int:
        """The branch, where there are several, and those within it."""
        ((name, inner),) = value.items()
        option = self.options[name]
        return int(len(self.options) > 1) + (option.genes(inner) if option else 0)

    def mutate(self, value: Any, chosen: Iterator[bool], rng: random.Random, scale: float | None) -> dict[str, Any]:
        """Another branch, drawn anew, if that is chosen; else changed within."""
        ((name, inner),) = value.items()
        if len(self.options) > 1 and next(chosen):
            name = rng.choice([other for other in self.options if other != name])
            option = self.options[name]
            return {name: option and option.sample(rng)}
        option = self.options[name]
        return {name: option and option.mutate(inner, chosen, rng, scale)}

    def crossover(self, first: Any, second: Any, rng: random.Random) -> dict[str, Any]:
        """Crossed within a branch that both have; else one of the two."""
        ((name, inner),), ((other, others),) = first.items(), second.items()
        option = self.options[name]
        if name == other and option:
            return {name: option.crossover(inner, others, rng)}
        return dict(first if rng.random() < 0.5 else second)

    def _start(self, name: str) -> dict[str, Any]:
        option = self.options[name]
        return {name: option and option.start()}
