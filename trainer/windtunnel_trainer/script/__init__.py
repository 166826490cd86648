"""The workload that runs a script: `train` starts it and makes reports of what it says, `verify` runs its check."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windtunnel_trainer.trial import Trial
    from windtunnel_trainer.verification import Verification

TORCH = False  # the script imports what it needs in a process of its own


def train(trial: "Trial") -> None:
    """Run the definition's script."""
    from windtunnel_trainer.script.run import run_script

    run_script(trial)


def verify(model: "Verification") -> None:
    """Run what the definition names to check a model."""
    from windtunnel_trainer.script.check import run_check

    run_check(model)
