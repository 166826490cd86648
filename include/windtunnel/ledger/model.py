"""One finalist's model: its full training, its verification, and whether there is a file of it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from windtunnel.ledger.ids import verification_id
from windtunnel.ledger.records import Plan, Result, State
from windtunnel.ledger.trial import Trial
from windtunnel.objectives.direction import loss, told

ONNX = "model.onnx"  # the file, in a trial's folder


class Verdict(StrEnum):
    """What is known of a finalist's model."""

    VERIFIED = "verified"
    UNVERIFIED = "not verified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Model:
    """One finalist.

    Attributes:
        trial: the full training.
        check: how its verification ended; None until it has, or where there is none.
        check_due: whether its verification is planned, or may still be.
        sha256: digest of its ONNX file; None where there is no such file.
    """

    trial: Trial
    check: Result | None = None
    check_due: bool = True
    sha256: str | None = None

    @classmethod
    def of(cls, trial: Trial, steps: Mapping[str, Result], verification: Plan | None, sha256: str | None) -> "Model":
        """The model of a full training.

        Args:
            trial: the full training.
            steps: how verifications ended, by their units' ids.
            verification: the plan of the stage that verifies it; None before it is fixed.
            sha256: digest of its ONNX file.
        """
        unit = verification_id(trial.trial)
        check_due = verification is None or any(unit in job.units for job in verification.jobs)
        return cls(trial, steps.get(unit), check_due, sha256)

    @property
    def verdict(self) -> Verdict | None:
        """What is known of it; None while it is trained or verified. Not verified is what nobody asks to verify."""
        if self.failure is not None:
            return Verdict.FAILED
        if self.check is not None:
            return Verdict.VERIFIED
        return None if self.check_due or self.trial.result is None else Verdict.UNVERIFIED

    @property
    def failure(self) -> Result | None:
        """The training or the verification that failed, where one did."""
        ended = (self.trial.result, self.check)
        return next((result for result in ended if result is not None and result.state is State.FAILED), None)

    @property
    def usable(self) -> bool:
        """Whether it may be published: it is trained to the end, and its verification passed or was not asked for."""
        passed = self.verdict in (Verdict.VERIFIED, Verdict.UNVERIFIED)
        return passed and self.trial.state is State.COMPLETED

    @property
    def test(self) -> dict[str, float | None]:
        """What the verification measured, such as `test_acc`, `onnx_acc` and `max_logit_diff`."""
        return self.check.metrics if self.check is not None else {}

    @property
    def error(self) -> str:
        """Why it failed; empty where it did not."""
        return self.failure.message if self.failure is not None else ""

    @property
    def onnx(self) -> str | None:
        """Path of the ONNX file in the run's folder; None where there is no such file."""
        return f"trials/{self.trial.trial}/{ONNX}" if self.sha256 else None

    @property
    def partial(self) -> str | None:
        """Id of the trial whose checkpoint the full training goes on from, where there is one."""
        return self.trial.request.continue_from


def best_first(models: Iterable[Model], objective: str, direction: str) -> list[Model]:
    """The models in the order in which one would use them, equal ones as they were.

    First those that may be used, of these the verified ones, of these the ones that keep the constraints; then by the
    objective, as the search compares it.

    Args:
        models: of finalists.
        objective: the search's first.
        direction: `maximize` or `minimize`.
    """

    def rank(model: Model) -> tuple[bool, bool, bool, float]:
        value = model.trial.objectives.get(objective)
        worth = loss(value, direction) if told(value) else math.inf
        return not model.usable, model.verdict is not Verdict.VERIFIED, model.trial.violation > 0, worth

    return sorted(models, key=rank)
