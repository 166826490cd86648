"""Bounds of a value: what definitions write, strategies keep to, and results are measured by."""

from typing import Self

from pydantic import model_validator

from windtunnel.objectives.direction import near
from windtunnel.validation import StrictModel


class Constraint(StrictModel):
    """The bounds that a value must lie within."""

    max: float | None = None
    """The largest value allowed."""
    min: float | None = None
    """The smallest value allowed."""

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("give max, min or both")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def violated(self, value: float) -> str | None:
        """How the value violates a bound, as the end of a sentence; None where it keeps to both. NaN keeps to none."""
        if self.max is not None and not value <= self.max:
            return f"is above {self.max:g}"
        if self.min is not None and not value >= self.min:
            return f"is below {self.min:g}"
        return None

    def violation(self, value: float) -> float:
        """By how much the value violates a bound, as a share of that bound; 0 where it keeps to both."""
        if self.max is not None and value > self.max:
            return near((value - self.max) / (abs(self.max) or 1.0))
        if self.min is not None and value < self.min:
            return near((self.min - value) / (abs(self.min) or 1.0))
        return 0.0
