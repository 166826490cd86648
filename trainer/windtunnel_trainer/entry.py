"""How a workload's function is called: with the trial, or with arguments and a reporter, as AutoGluon has it."""

from collections.abc import Callable
from typing import Any

from windtunnel.workload.contract import wants_reporter
from windtunnel_trainer.trial import Trial


class Arguments(dict[str, Any]):
    """A trial's parameters and settings, and its id as `task_id`: `args.lr` is `args["lr"]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no parameter or setting {name!r}; there are {', '.join(self)}") from None


def caller(train: Callable[..., Any]) -> Callable[[Trial], Any]:
    """How to train a trial by a workload's function.

    Args:
        train: `train(trial)`, or a function with a second parameter that must be given, `train(args, reporter)`.
    """
    if not wants_reporter(train):
        return train
    return lambda trial: train(Arguments({**trial.settings, **trial.params, "task_id": trial.id}), trial.report)
