"""A search space: named parameters, and how to draw, vary and compare configurations of them."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from windtunnel.errors import DefinitionError
from windtunnel.space.base import Column, Coordinates, Parameter
from windtunnel.space.dicts import Dict
from windtunnel.space.reading import read_dict
from windtunnel.validation import Fault

Params = dict[str, Any]

_TRIES = 32  # for a child unlike both parents: enough that only parents without such a child have none
_AS_TEXT = json.JSONEncoder(sort_keys=True).encode
_SMALL_STEPS, _LEAPS = 20, 40  # of a repair, at most


class Space:
    """Configurations are plain dicts from parameter to JSON value; some parameters may be there only sometimes.

    Strategies see configurations as wholes and vary them through these methods only.
    """

    def __init__(self, root: Dict) -> None:
        """A space of these parameters.

        Args:
            root: the parameters; their order is the order of every configuration.
        """
        self._root = root
        self._columns = tuple(root.columns(""))

    @classmethod
    def parse(cls, description: Mapping[str, Any]) -> "Space":
        """Read the YAML form: `{nb_layers: {type: int, low: 1, high: 12}, kernel_size: [1, 3, 5]}`.

        Args:
            description: parameters by name, as the YAML file has them or as `Parameter`s.

        Raises:
            DefinitionError: with every fault, its path beginning at the parameter's name.
        """
        if not description:
            raise DefinitionError.of([Fault((), "a space needs at least one parameter")])
        return cls(read_dict(description))

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters by name."""
        return self._root.fields

    def describe(self) -> dict[str, Any]:
        """The YAML form, which `parse` reads back."""
        return {name: parameter.describe() for name, parameter in self.parameters.items()}

    def size(self) -> int | None:
        """How many configurations there are; None for infinitely many."""
        return self._root.size()

    def at(self, index: int) -> Params:
        """The configuration at a place from 0 to `size() - 1`, of a finite space."""
        return self._root.at(index)

    def enumerate(self) -> Iterator[Params]:
        """All configurations of a finite space, the last parameter varying fastest."""
        return map(self.at, range(self.size() or 0))

    def sample(self, rng: random.Random) -> Params:
        """A random configuration."""
        return dict(self._root.sample(rng))

    def from_unit(self, point: Sequence[float], rng: random.Random) -> Params:
        """The configuration at a point of the unit cube.

        Args:
            point: a coordinate from 0 up to, but without, 1 for each of `columns()`.
            rng: for what has no columns.
        """
        return self.from_coordinates(point.__getitem__, rng)

    def from_coordinates(self, coordinate: Coordinates, rng: random.Random) -> Params:
        """The configuration whose coordinates are made one by one.

        Args:
            coordinate: gives the coordinate of a column, from 0 up to, but without, 1, by the column's place in
                `columns()`. It is called in order, and only for columns of parameters that are there.
            rng: for what has no columns.
        """
        return self._root.from_coordinates(coordinate, 0, rng)

    def columns(self) -> tuple[Column, ...]:
        """What the numbers of `encode` mean; the same for every configuration."""
        return self._columns

    def encode(self, params: Params) -> list[float]:
        """A canonical configuration as a row of numbers, for models.

        Returns:
            One for each of `columns()`: a number's position between 0 and 1 on its own scale, a category's place; nan
            where the parameter is not there. Lists have columns for every place up to the longest.
        """
        return self._root.encode(params)

    def undescribed(self, params: Params) -> dict[str, Any]:
        """The parts of a canonical configuration that no column describes, by their paths."""
        return self._root.undescribed("", params)

    def mutate(self, params: Params, rng: random.Random, rate: float, scale: float | None = None) -> Params:
        """A configuration that differs from a canonical one, wherever the space holds another.

        Args:
            params: the configuration to vary.
            rng: the generator of all randomness.
            rate: probability of each gene to change; at least one changes.
            scale: how far numbers move: by normal steps of this share of their range. None draws them anew.
        """
        genes = self._root.genes(params)
        chosen = [rng.random() < rate for _ in range(genes)]
        if genes and not any(chosen):
            chosen[rng.randrange(genes)] = True
        return self._root.mutate(params, iter(chosen), rng, scale)

    def genes(self, params: Params) -> int:
        """How many places of a canonical configuration can be changed by themselves."""
        return self._root.genes(params)

    def crossover(self, first: Params, second: Params, rng: random.Random) -> Params:
        """A child of two canonical configurations, each gene from either of them.

        The child is unlike both wherever that is possible, which takes parents that differ in two genes.
        """
        parents = {self.key(first), self.key(second)}
        can_differ = len(parents) > 1 and max(self.genes(first), self.genes(second)) > 1
        child = first
        for _ in range(_TRIES if can_differ else 0):
            child = self._root.crossover(first, second, rng)
            if self.key(child) not in parents:
                break
        return child

    def neighbours(self, params: Params) -> list[Params]:
        """The configurations that differ from a canonical one in one gene, by one step of it."""
        return self._root.neighbours(params)

    def repair(self, params: Params, excess: Callable[[Params], float], rng: random.Random) -> Params | None:
        """A configuration near this one that keeps its bounds, reached by steps that each break them less.

        Where small steps would take too many, they become leaps.

        Args:
            params: a canonical configuration.
            excess: by how much a configuration breaks its bounds; 0 where it keeps them.
            rng: the generator of all randomness.

        Returns:
            The configuration; None if the steps lead to none.
        """
        over = excess(params)
        for nearby, most in ((self._steps, _SMALL_STEPS), (self._leaps, _LEAPS)):
            for _ in range(most):
                if over <= 0:
                    return params
                better = next(((one, less) for one in nearby(params, rng) if (less := excess(one)) < over), None)
                if better is None:
                    break
                params, over = better
        return params if over <= 0 else None

    def _steps(self, params: Params, rng: random.Random) -> list[Params]:
        """The neighbours in random order."""
        near = self.neighbours(params)
        rng.shuffle(near)
        return near

    def _leaps(self, params: Params, rng: random.Random) -> list[Params]:
        """Mutants whose numbers are some way off."""
        return [self.mutate(params, rng, rate=0.0, scale=0.3) for _ in range(_TRIES)]

    def default(self) -> Params:
        """The configuration of all defaults: those that the parameters name, else values in the middle."""
        return dict(self._root.start())

    def canonical(self, params: Mapping[str, Any]) -> Params:
        """The one form of a configuration: the same configuration gives the same JSON, however it was written.

        Raises:
            DefinitionError: it is not of this space; each fault says why.
        """
        return self._root.canonical(params)

    def contains(self, params: Mapping[str, Any]) -> bool:
        """Whether this is a configuration of the space."""
        try:
            self.canonical(params)
        except DefinitionError:
            return False
        return True

    def key(self, params: Params) -> str:
        """The id of a canonical configuration within the space: a text that is equal for equal ones only."""
        return _AS_TEXT(params)
