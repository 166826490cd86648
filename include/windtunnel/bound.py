"""A bound on a value: what definitions write, strategies keep to, and results are measured by."""

from pydantic import model_validator

from windtunnel.section import Section


class Bound(Section):
    """What a value must keep to."""

    max: float | None = None
    """The largest value allowed."""
    min: float | None = None
    """The smallest value allowed."""

    @model_validator(mode="after")
    def _says_something(self) -> "Bound":
        if self.max is None and self.min is None:
            raise ValueError("give max, min or both")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def broken(self, value: float) -> str | None:
        """How the value breaks the bound, as the end of a sentence; None where it keeps to it. NaN keeps to none."""
        if self.max is not None and not value <= self.max:
            return f"is above {self.max:g}"
        if self.min is not None and not value >= self.min:
            return f"is below {self.min:g}"
        return None

    def excess(self, value: float) -> float:
        """By how much the value breaks the bound, relative to it; 0 where it keeps to it."""
        if self.max is not None and value > self.max:
            return (value - self.max) / (abs(self.max) or 1.0)
        if self.min is not None and value < self.min:
            return (self.min - value) / (abs(self.min) or 1.0)
        return 0.0
