"""What a definition says of stopping trials early: rungs between iterations, rules inside a trial."""

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from windtunnel.validation import Name, StrictModel


class Halving(StrictModel):
    """Successive halving: every trial is trained to the first rung, and at each rung the best go on to the next.

    The last rung is `epochs.partial`.
    """

    first: PositiveFloat | None = None
    """Epochs of the first rung; each further rung has `factor` times the epochs of the one before."""
    rungs: list[PositiveFloat] | None = Field(default=None, min_length=1)
    """Epochs of all rungs but the last, instead of `first`."""
    factor: float = Field(default=3.0, ge=1.1)
    """Share of the trials that goes on from a rung: one in `factor`."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.first is None) == (self.rungs is None):
            raise ValueError("give either first or rungs")
        if self.rungs is not None and self.rungs != sorted(set(self.rungs)):
            raise ValueError(f"rungs {self.rungs} must grow from one to the next")
        return self

    def epochs(self, last: float) -> list[float]:
        """The epochs of all rungs, in order.

        Args:
            last: the last rung's, which is `epochs.partial`; a computed rung too near to it is left out.
        """
        if self.rungs is not None:
            return [*self.rungs, last]
        assert self.first is not None
        rungs = [self.first]
        while rungs[-1] * self.factor**2 <= last * (1 + 1e-9):
            rungs.append(float(f"{rungs[-1] * self.factor:.9g}"))
        return [*rungs, last]


class Rule(StrictModel):
    """When a rule is applied. An interval is an epoch at whose end the metric was reported."""

    evaluation_interval: PositiveInt = 1
    """The rule is applied once in so many intervals."""
    delay_evaluation: int = Field(default=0, ge=0)
    """The rule is applied from this interval on."""

    def due(self, interval: int) -> bool:
        """Whether the rule is applied at that interval, counted from 1."""
        return interval % self.evaluation_interval == 0 and interval >= self.delay_evaluation


class Bandit(Rule):
    """Stops a trial whose best value is not within some slack of the best of all trials at that interval."""

    slack_factor: float | None = Field(default=None, ge=0)
    """Maximising, a trial is stopped below best / (1 + slack_factor); minimising, above best x (1 + slack_factor)."""
    slack_amount: float | None = Field(default=None, ge=0)
    """A trial is stopped when it is further than this from the best, instead of `slack_factor`."""

    @model_validator(mode="after")
    def _one_slack(self) -> Self:
        if (self.slack_factor is None) == (self.slack_amount is None):
            raise ValueError("give either slack_factor or slack_amount")
        return self


class Median(Rule):
    """Stops a trial whose best value is worse than the median of all trials' means up to that interval."""


class Truncation(Rule):
    """Stops the worst of the trials at that interval."""

    truncation_percentage: float = Field(ge=1, le=99)
    """Percentage of the trials that is stopped."""


class EarlyStopping(StrictModel):
    """When a trial ends before all its epochs. Finalists are trained to the end. Any of the rules may stop a trial."""

    halving: Halving | None = None
    """Stops trials between iterations, by all objectives: the best at each rung go on from their checkpoints."""
    metric: Name | None = None
    """The objective that the rules below watch; by default the first."""
    bandit: Bandit | None = None
    """Stops a trial while it trains, by its distance from the best trial."""
    median: Median | None = None
    """Stops a trial while it trains, by the middle of all trials."""
    truncation: Truncation | None = None
    """Stops a trial while it trains, by its place among all trials."""

    @model_validator(mode="after")
    def _metric_is_watched(self) -> Self:
        if self.metric is not None and not self.rules:
            raise ValueError("metric is watched by no rule: give bandit, median or truncation")
        return self

    @property
    def rules(self) -> dict[str, Bandit | Median | Truncation]:
        """The rules that act inside a trial, by name."""
        named = {"bandit": self.bandit, "median": self.median, "truncation": self.truncation}
        return {name: rule for name, rule in named.items() if rule is not None}
