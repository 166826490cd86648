"""Search spaces: what may be varied, and how. Pure functions of a random generator."""

from windtunnel.space.base import Column, Parameter
from windtunnel.space.choices import Bool, Categorical, Choice
from windtunnel.space.custom import Custom
from windtunnel.space.dicts import Dict
from windtunnel.space.distributions import (
    LogNormal,
    LogUniform,
    Normal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    Uniform,
)
from windtunnel.space.lists import List
from windtunnel.space.numbers import Float, Int, Randint
from windtunnel.space.one_of import OneOf
from windtunnel.space.reading import KINDS
from windtunnel.space.space import Params, Space
from windtunnel.space.sublist_of import SublistOf

__all__ = [
    "KINDS",
    "Bool",
    "Categorical",
    "Choice",
    "Column",
    "Custom",
    "Dict",
    "Float",
    "Int",
    "List",
    "LogNormal",
    "LogUniform",
    "Normal",
    "OneOf",
    "Parameter",
    "Params",
    "QLogNormal",
    "QLogUniform",
    "QNormal",
    "QUniform",
    "Randint",
    "Space",
    "SublistOf",
    "Uniform",
]
