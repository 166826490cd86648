"""Search spaces: what may be varied, and how. Pure functions of a random generator."""

from windtunnel.space.parameters import Bool, Categorical, Float, Int, Parameter
from windtunnel.space.space import Params, Space

__all__ = ["Bool", "Categorical", "Float", "Int", "Parameter", "Params", "Space"]
